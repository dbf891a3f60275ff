import postgres from 'postgres'
import { type Clock, systemClock } from '../clock.ts'
import {
  CONNECT_SECONDS,
  IDLE_IN_TRANSACTION_MS,
  STATEMENT_MS,
  TRANSACTION_PAUSE_MS,
  TRANSACTION_TRIES,
} from '../limits.ts'
import type { Log } from '../log.ts'
import { type DatabaseTarget, driverTarget } from './database-target.ts'

const types = {
  bigint: { to: 20, from: [20], serialize: writeWhole, parse: readWhole },
  // sum(bigint) is numeric. A fraction throws as well: money has none, and a ratio says so by
  // a cast to float8.
  numeric: { to: 1700, from: [1700], serialize: String, parse: readWhole },
  // A date is a UTC day, `YYYY-MM-DD`; the driver's own Date would carry a time zone.
  day: { to: 1082, from: [1082], serialize: String, parse: String },
}
type Types = { bigint: number; numeric: number; day: string }

/** The database: connections that statements share. */
export type Sql = postgres.Sql<Types>
/** One open transaction; valid only inside the body it was handed to. */
export type Tx = postgres.TransactionSql<Types>
/** What a statement runs on when it does not care which: the database or one transaction. */
export type AnySql = postgres.ISql<Types>

export interface DatabaseOptions extends DatabaseTarget {
  /** Most connections opened at once. */
  max: number
  /** What `pg_stat_activity` shows. */
  applicationName: string
  log: Log
  /** Milliseconds a statement may run on the server, lock waits included. */
  statementTimeoutMs?: number
  /** Further settings of each session, such as `enable_seqscan`. */
  settings?: Record<string, string>
}

/**
 * Opens the database lazily: no connection is made before the first statement, and a lost one is
 * made again by the next. Rows have camelCase columns; values inside json are left alone, because a
 * renamed key would break a stored signature. int8 and numeric become numbers and throw outside
 * ±(2^53 − 1). Sessions speak UTC, so that `now()::date` is the UTC day wherever the server is.
 */
export function openDatabase(options: DatabaseOptions): Sql {
  const { log } = options
  const target = driverTarget(options)
  const driver = {
    ...target.options,
    max: options.max,
    connect_timeout: CONNECT_SECONDS,
    types,
    transform: { column: { from: toCamel, to: toSnake } },
    onnotice: ({ code, message }: postgres.Notice) => log.debug({ code }, message),
    connection: {
      application_name: options.applicationName,
      TimeZone: 'UTC',
      statement_timeout: options.statementTimeoutMs ?? STATEMENT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
      ...options.settings,
    },
  }
  return target.url === undefined ? postgres(driver) : postgres(target.url, driver)
}

export interface RetryOptions {
  clock?: Clock
  /** Uniform in [0, 1), for the jitter. */
  random?: () => number
}

/**
 * Runs `body` in one transaction and commits. On a serialization failure or deadlock (40001, 40P01:
 * the server has rolled back for certain) the whole body runs again, up to TRANSACTION_TRIES times,
 * so it must keep nothing from an attempt. Any other error is the caller's, a lost connection above
 * all: there the outcome is unknown, and only the caller knows whether its ids make a repeat safe.
 */
export async function inTransaction<T>(
  sql: Sql,
  body: (tx: Tx) => Promise<T>,
  { clock = systemClock, random = Math.random }: RetryOptions = {},
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { answer } = await sql.begin(async (tx) => ({ answer: await body(tx) }))
      return answer
    } catch (error) {
      if (!isRolledBackByRace(error) || attempt >= TRANSACTION_TRIES) throw error
    }
    await clock.sleep(TRANSACTION_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + random()))
  }
}

/** Runs `body` on one snapshot that cannot write: the server refuses with 25006. */
export async function readOnly<T>(sql: Sql, body: (tx: Tx) => Promise<T>): Promise<T> {
  const { answer } = await sql.begin('isolation level repeatable read read only', async (tx) => ({
    answer: await body(tx),
  }))
  return answer
}

function isRolledBackByRace(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01'
}

export { databaseName } from './database-target.ts'

/** The server's five-character SQLSTATE, or undefined when the error did not come from the server. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof postgres.PostgresError ? error.code : undefined
}

/** The name of the violated constraint, where the server named one. */
export function constraintOf(error: unknown): string | undefined {
  return error instanceof postgres.PostgresError ? error.constraint_name : undefined
}

const LOST = new Set([
  ...['CONNECTION_CLOSED', 'CONNECTION_DESTROYED', 'CONNECT_TIMEOUT'],
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
  if (state !== undefined) return /^(08...|57P0[1235]|53300)$/.test(state)
  return error instanceof Error && 'code' in error && LOST.has(String(error.code))
}

function readWhole(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  throw new RangeError('a number of the database is no safe integer')
}

function writeWhole(value: number): string {
  if (Number.isSafeInteger(value)) return String(value)
  throw new RangeError('a number for the database is no safe integer')
}

const toCamel = (column: string): string =>
  column.replace(/(?<=[a-z0-9])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

const toSnake = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
