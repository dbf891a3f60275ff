import { existsSync } from 'node:fs'
import { type BackendChoice, buildBackend } from '../../backends/build.ts'
import { countTokens } from '../../backends/tokenizer.ts'
import type { Clock } from '../../clock.ts'
import { about, type Check } from './check.ts'

/** Enough for an answer, and next to nothing where tokens cost money. */
const TINY_TOKENS = 16
const TINY_REQUEST = 'Answer with the word ok.'

/** One tiny job for each model, as the daemon would give it. */
export async function checkBackend(
  choice: BackendChoice,
  { models, clock }: { models: readonly { name: string }[]; clock: Clock },
): Promise<Check[]> {
  const { ok, fail } = about(`backend ${choice.kind}`)
  try {
    const backend = buildBackend(choice, { clock, countTokens })
    const signal = AbortSignal.timeout(choice.timeoutMs)
    const checks: Check[] = []
    for (const { name: model } of models) {
      const began = clock.now()
      const work = { jobId: 'doctor', request: TINY_REQUEST, model, signal }
      const { result } = await backend.run({ ...work, maxOutputTokens: TINY_TOKENS })
      const ms = clock.now() - began
      checks.push(ok(`${model} answered ${result.length} characters in ${ms} ms`))
    }
    return checks
  } catch (error) {
    // A `BackendError`, or what a program that is not there throws when it is built.
    if (!(error instanceof Error)) throw error
    const remedy = lostPath(choice) ?? remedies[choice.kind]
    return [fail(`did not do a tiny job: ${error.message}`, remedy)]
  }
}

const remedies = {
  chat: 'Check CHAT_BASE_URL, CHAT_API_KEY and the names in MODELS.',
  command:
    'Run COMMAND yourself as tithe does, in an empty directory with an empty environment (env -i): ' +
    'it reads the request on stdin and exits with 0.',
  echo: 'This should not happen; LOG_LEVEL=debug shows more.',
}

/** A file that is here and will not be where the program runs. */
function lostPath({ kind, command = [] }: BackendChoice): string | undefined {
  const lost = command
    .slice(1)
    .find((argument) => /^[^./-][^/]*\//.test(argument) && existsSync(argument))
  if (kind !== 'command' || lost === undefined) return undefined
  return `Write "./${lost}": the program runs in a directory of its own, and only ./ begins a path from here.`
}
