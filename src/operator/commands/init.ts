import { chmodSync, existsSync, renameSync, writeFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { Clock } from '../../clock.ts'
import { CommandError, type ExitStatus } from '../../command.ts'
import { configProblemText, readConfig } from '../../config.ts'
import type { Log } from '../../log.ts'
import { loadCurve } from '../../nostr/curve.ts'
import type { Terminal } from '../../terminal.ts'
import { askAll, type Answers } from '../init-answers.ts'
import { createAsker } from '../init-questions.ts'

export interface InitContext {
  terminal: Terminal
  clock: Clock
  log: Log
}

/**
 * Asks for what a bot that deals in real sats needs, tries each answer at once, and writes the settings to a
 * file that its owner alone can read. Nothing is written before everything was asked.
 */
export async function init(
  { terminal, clock, log }: InitContext,
  { file = '.env', signal }: { file?: string; signal: AbortSignal },
): Promise<ExitStatus> {
  if (!terminal.isAttended) throw nobody()
  if (existsSync(file)) {
    const replace = await terminal.confirm(`${file} is there. Replace it?`, signal)
    if (!replace) throw new CommandError(`Stopped; ${file} is as it was.`)
  }
  for (const line of GREETING) terminal.tell(line)
  const { curve } = await loadCurve()
  const asker = createAsker(terminal, signal)
  const answers = await askAll(asker, { clock, log, curve, terminal })
  const text = fileText(answers)
  const read = readConfig(parseEnv(text))
  if (!read.ok) throw new CommandError(configProblemText(read.problems), { status: 2 })
  writePrivate(file, text)
  terminal.print(`${file} is written; only you can read it. It holds the bot's key: back it up.`)
  terminal.print('Call this command again with doctor in place of init: it looks once more.')
  terminal.print('Then with start, and the bot is on the air.')
  return 0
}

const nobody = () =>
  new CommandError(
    'tithe init asks questions, and nobody sits here. Copy .env.example to .env instead.',
    { status: 2 },
  )

const GREETING = [
  'This sets up a bot that deals in real sats. Ctrl-C stops it, and nothing is written before the end.',
  '',
]

/** A value as Node reads it back; without quotes inside it, as systemd and Compose do too. */
export function quoted(value: string): string {
  if (/^[\w@%+=:,./-]*$/.test(value)) return value
  if (!value.includes("'")) return `'${value}'`
  return value.includes('"') ? `\`${value}\`` : `"${value}"`
}

function fileText({ settings }: Answers): string {
  const lines = settings.flatMap(({ note, values }) => [
    `# ${note}`,
    ...Object.entries(values).map(([name, value]) => `${name}=${quoted(value)}`),
    '',
  ])
  return ['# Settings of tithe; every one there is stands in .env.example.', '', ...lines].join(
    '\n',
  )
}

/** Whole or not at all, and never readable by others, not even for a moment. */
function writePrivate(file: string, text: string): void {
  const draft = `${file}.new`
  writeFileSync(draft, text, { mode: 0o600 })
  chmodSync(draft, 0o600)
  renameSync(draft, file)
}
