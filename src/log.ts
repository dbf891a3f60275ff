import { type DestinationStream, type Logger, pino } from 'pino'

export type Log = Logger

/**
 * Writes JSON lines to stderr, because stdout belongs to what a command prints for its caller.
 * Fields are ids, sizes, states and amounts; never message text, results, keys, preimages or whole
 * invoices (invariant C12). `redact` is the second fence, for an object that slipped through.
 */
export function createLog(level: string, to: DestinationStream = stderr()): Log {
  const secret = ['content', 'request', 'result', 'bolt11', 'preimage', 'secretKey', 'apiKey']
  return pino(
    {
      level,
      base: null,
      serializers: { err: describeError },
      redact: { paths: secret.flatMap((name) => [name, `*.${name}`]), censor: '[kept out]' },
    },
    to,
  )
}

/** Names that every program's errors have: their messages may quote what was being read. */
const NAMELESS = new Set(['Error', 'TypeError', 'RangeError', 'SyntaxError', 'AggregateError'])

/**
 * An error as it may be logged. Errors with a name of our own word their messages without what customers wrote;
 * of all others only the place is told, because `JSON.parse`, a database or a backend may quote the text that it
 * could not read. Errors of the operating system name addresses alone.
 */
export function describeError(error: unknown): Record<string, unknown> | undefined {
  if (!(error instanceof Error)) return error === undefined ? undefined : { type: typeof error }
  const { name, code, syscall }: { name: string; code?: unknown; syscall?: unknown } = error
  // The server's class 22 quotes values: "invalid input syntax for type bigint: …".
  const quotes = name === 'PostgresError' && /^22/.test(String(code))
  const told = syscall !== undefined || !(NAMELESS.has(name) || quotes)
  return {
    type: name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(told ? { message: error.message } : {}),
    at: framesOf(error),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  }
}

/** Where it was thrown: what the stack has after the message, whose lines may look like places. */
function framesOf({ stack = '', message }: Error): string[] {
  const begin = Math.max(0, stack.indexOf(message)) + message.length
  const lines = stack.slice(begin).split('\n')
  return lines.flatMap((line) => /^ {4}at (.+)$/.exec(line)?.[1] ?? [])
}

const stderr = () => pino.destination({ dest: 2, sync: true })

export const silentLog: Log = pino({ level: 'silent' })
