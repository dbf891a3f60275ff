import type { BackendChoice } from '../backends/build.ts'
import type { Clock } from '../clock.ts'
import { secret } from '../secret.ts'
import { KEY_RULE, models, readCommand, readHttp } from '../setting-texts.ts'
import { checkBackend } from './checks/backend.ts'
import { checkRate, type LnbitsAccess } from './checks/lnbits.ts'
import { apiKey, type Asker, byRule, byRuleOrEmpty } from './init-questions.ts'

const BACKEND_MS = 60_000

interface Sale {
  values: Record<string, string>
  choice: BackendChoice
  model: string
}

/**
 * What does the work and what it costs. When the tiny job fails, all of it is asked anew: the fault may lie in
 * any of the answers.
 */
export async function askBackend(
  asker: Asker,
  { clock, lnbits }: { clock: Clock; lnbits: LnbitsAccess },
): Promise<Record<string, string>> {
  for (;;) {
    const { values, choice, model } = await askSale(asker)
    const checks = await checkBackend(choice, { models: [{ name: model }], clock })
    if (!(await asker.accepts(checks))) continue
    return { ...values, MODELS: await askPrice(asker, model, lnbits) }
  }
}

async function askSale(asker: Asker): Promise<Sale> {
  const kind = await asker.ask({
    text: 'What does the work: chat (an AI server), command (a program), or echo (for trying):',
    read: byRule('chat, command or echo', (answer) =>
      (['chat', 'command', 'echo'] as const).find((choice) => choice === answer),
    ),
  })
  const values: Record<string, string> = { BACKEND: kind }
  const choice: BackendChoice = { kind, chat: undefined, command: undefined, timeoutMs: BACKEND_MS }
  if (kind === 'chat') {
    const baseUrl = await asker.ask({
      text: 'Its OpenAI-compatible address, up to and with /v1:',
      read: byRule('an address such as https://host/v1', readHttp),
    })
    const key = await asker.ask({
      text: 'Its API key (empty: it needs none):',
      isSecret: true,
      read: byRuleOrEmpty(KEY_RULE, apiKey),
    })
    values.CHAT_BASE_URL = baseUrl
    if (key !== '') values.CHAT_API_KEY = key
    choice.chat = { baseUrl, apiKey: key === '' ? undefined : secret(key) }
  }
  if (kind === 'command') {
    values.COMMAND = await asker.ask({
      text:
        'Program and arguments, as ["/usr/bin/node","./my/program.mjs"] or words without quotes; ' +
        './ begins a path from here:',
      read: byRule('a JSON list of texts, or words without quotes', (answer) =>
        answer !== '' && readCommand(answer) ? answer : undefined,
      ),
    })
    choice.command = readCommand(values.COMMAND)
  }
  return { values, choice, model: await askModel(asker, kind) }
}

/** One model is enough to begin; more are added in the file. */
const askModel = (asker: Asker, kind: BackendChoice['kind']): Promise<string> =>
  asker.ask<string>({
    text:
      kind === 'chat'
        ? 'The model, by the name the server knows it by:'
        : `What customers call it (empty: ${kind}):`,
    ...(kind === 'chat' ? {} : { fallback: kind }),
    read: byRule('1 to 100 visible characters without blanks', (answer) =>
      /^[!-~]{1,100}$/.test(answer) ? answer : undefined,
    ),
  })

async function askPrice(asker: Asker, name: string, lnbits: LnbitsAccess): Promise<string> {
  const price = await asker.ask<Price>({
    text:
      'Its price: sats a request, as 21, or USD per million tokens in/out and most tokens out, ' +
      'as 0.5/1.5/1000:',
    read: byRule('21, or 0.5/1.5/1000', (answer) => readPrice(name, answer)),
    check: async (model) => ('satsPerRequest' in model ? [] : checkRate(lnbits, true)),
  })
  return JSON.stringify([price])
}

type Price =
  | { name: string; satsPerRequest: number }
  | {
      name: string
      inputUsdPerMillion: string
      outputUsdPerMillion: string
      maxOutputTokens: number
    }

function readPrice(name: string, answer: string): Price | undefined {
  const [input, output, most, ...rest] = answer.split('/').map((part) => part.trim())
  if (input === undefined || rest.length > 0) return undefined
  const model =
    output === undefined
      ? { name, satsPerRequest: Number(input) }
      : {
          name,
          inputUsdPerMillion: input,
          outputUsdPerMillion: output,
          maxOutputTokens: Number(most),
        }
  // Read by the very rule of MODELS, so that what is written is what the daemon accepts.
  return models.safeParse(JSON.stringify([model])).success ? model : undefined
}
