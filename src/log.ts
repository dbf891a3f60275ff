import { type Logger, pino } from 'pino'

export type Log = Logger

/**
 * Writes JSON lines to stderr, because stdout belongs to what a command prints for its caller.
 * Fields are ids, sizes, states and amounts; never message text, results, keys, preimages or whole
 * invoices (invariant C12). `redact` is the second fence, for an object that slipped through.
 */
export function createLog(level: string): Log {
  const secret = ['content', 'request', 'result', 'bolt11', 'preimage', 'secretKey', 'apiKey']
  return pino(
    {
      level,
      base: null,
      redact: { paths: secret.flatMap((name) => [name, `*.${name}`]), censor: '[kept out]' },
    },
    pino.destination({ dest: 2, sync: true }),
  )
}

export const silentLog: Log = pino({ level: 'silent' })
