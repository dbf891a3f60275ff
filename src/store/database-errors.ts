import postgres from 'postgres'

/** The connection a statement was on, or was to be on, is gone. Outcome unknown unless it never left. */
export class ConnectionLostError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.name = 'ConnectionLostError'
    this.code = code
  }
}

/** The server's five-character SQLSTATE, or undefined when the error did not come from the server. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof postgres.PostgresError ? error.code : undefined
}

/** The name of the violated constraint, where the server named one. */
export function constraintOf(error: unknown): string | undefined {
  return error instanceof postgres.PostgresError ? error.constraint_name : undefined
}

const LOST = new Set([
  ...['CONNECTION_CLOSED', 'CONNECTION_DESTROYED', 'CONNECT_TIMEOUT', 'ANSWER_TIMEOUT'],
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOENT'],
  ...['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENOTFOUND', 'EAI_AGAIN'],
])

/**
 * Whether the statement met no working server or its answer was lost: worth trying again later with
 * the same ids. False after `sql.end()`: that is our own shutdown.
 */
export function isConnectionLoss(error: unknown): boolean {
  const state = sqlState(error)
  // 53300: the server takes no more connections, so this statement never reached it.
  // 25P03: it closed a connection that paused too long inside a transaction.
  if (state !== undefined) return /^(08...|57P0[1235]|53300|25P03)$/.test(state)
  return error instanceof Error && 'code' in error && LOST.has(String(error.code))
}

/** Whether the server has certainly rolled back because another transaction was in the way. */
export function isRace(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01'
}

/**
 * Takes out of a server's error what quotes values (`Failing row contains (…)`): a log that prints
 * the error would print a customer's text. Code, constraint and message stay.
 */
export function withoutValues(error: unknown): unknown {
  if (error instanceof postgres.PostgresError) {
    for (const field of ['detail', 'where', 'internal_query']) Reflect.deleteProperty(error, field)
  }
  return error
}

const IN_WORDS: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ENOENT: 'there is no such socket',
  ENOTFOUND: 'its host name is unknown',
  EAI_AGAIN: 'its host name cannot be looked up now',
  CONNECT_TIMEOUT: 'it does not answer',
  ANSWER_TIMEOUT: 'it stopped answering',
  ECONNRESET: 'it closed the connection',
  CONNECTION_CLOSED: 'it closed the connection',
  EPIPE: 'it closed the connection',
  '57P03': 'it is starting up or shutting down',
  '57P01': 'it is shutting down',
  '53300': 'it takes no more connections',
  '53100': 'its disk is full',
  '28P01': 'the password is wrong',
  '28000': 'this user may not connect',
  '3D000': 'there is no such database, create it first',
  '42501': 'this user has no permission there',
}

/** Why the database cannot be used, in words that end a sentence: `DATABASE_URL: cannot use … : …`. */
export function explainDatabaseError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? String(error.code) : ''
  return IN_WORDS[code] ?? error.message
}
