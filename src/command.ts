import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { type Ground, type GroundOptions, openGround } from './ground.ts'
import type { Log } from './log.ts'
import type { Terminal } from './terminal.ts'

/** What every command of `tithe` is given. */
export interface CommandContext {
  config: Config
  clock: Clock
  log: Log
  terminal: Terminal
}

/** How a command ended: 0 is well, 1 is the answer no, 2 is a wrong call, 3 is no answer in time. */
export type ExitStatus = 0 | 1 | 2 | 3

/** An end that a person can act on. The message is one or two sentences, printed as they are. */
export class CommandError extends Error {
  override name = 'CommandError'
  readonly status: ExitStatus
  constructor(message: string, options: ErrorOptions & { status?: ExitStatus } = {}) {
    super(message, options)
    this.status = options.status ?? 1
  }
}

/** Work that takes longer says what it does, milliseconds. */
const QUIET_MS = 2_000

/** Waits for `work`, and says `text` when it takes long. */
export async function withProgress<T>(
  { clock, terminal }: Pick<CommandContext, 'clock' | 'terminal'>,
  text: string,
  work: Promise<T>,
): Promise<T> {
  const done = new AbortController()
  const saying = clock.sleep(QUIET_MS, done.signal).then(() => {
    if (!done.signal.aborted) terminal.tell(text)
  })
  try {
    return await work
  } finally {
    done.abort()
    await saying
  }
}

/** Runs `body` on the configured database, which a running daemon may be using too. */
export async function withGround<T>(
  context: CommandContext,
  body: (ground: Ground) => Promise<T>,
  options: Pick<GroundOptions, 'statementTimeoutMs' | 'isBare'> = {},
): Promise<T> {
  const { config, clock, log } = context
  const opening = openGround(config, { clock, log, name: 'command', ...options })
  const ground = await withProgress(context, 'The database is being started…', opening)
  try {
    return await body(ground)
  } finally {
    await ground.stop()
  }
}

/** An amount as people read it: `10,000 sats`. */
export const inSats = (amountSats: number): string =>
  `${grouped(amountSats)} ${Math.abs(amountSats) === 1 ? 'sat' : 'sats'}`

export const grouped = (count: number): string => count.toLocaleString('en-US')
