import postgres from 'postgres'
import { type Clock, systemClock } from '../clock.ts'
import * as limits from '../limits.ts'
import type { Log } from '../log.ts'
import {
  type Connection,
  type ConnectionSettings,
  openConnection,
  type Query,
} from './connection.ts'
import { type Connections, createConnections } from './connections.ts'
import { isRace } from './database-errors.ts'
import { type DatabaseTarget, driverTarget } from './database-target.ts'
import { type Listening, listenOn } from './listen.ts'
import { type AnySql, columnNames, statements } from './statements.ts'
import { runTransaction, type TransactionMode, type Tx } from './transaction.ts'
import { valueTypes } from './values.ts'

export {
  constraintOf,
  explainDatabaseError,
  isConnectionLoss,
  sqlState,
} from './database-errors.ts'
export { type DatabaseTarget, databaseName } from './database-target.ts'
export { checkServer } from './server-check.ts'
export type { AnySql } from './statements.ts'
export type { Tx } from './transaction.ts'

/** The database: each statement takes a free connection, waiting for one in turn. */
export interface Sql extends AnySql {
  /** One attempt of a transaction; use `inTransaction`, which repeats what a race rolled back. */
  begin<T>(mode: TransactionMode, body: (tx: Tx) => Promise<T>): Promise<T>
  /**
   * Calls `hear` with each payload notified on `channel`, over a connection of its own that is made
   * again after a loss. `onListening` is called each time it stands, because notifications of the
   * time before are lost: whoever waits for wakes looks then for what it missed.
   */
  listen(channel: string, hear: (payload: string) => void, onListening?: () => void): Listening
  /** Calls `fn` when a connection was lost, and with it perhaps the word on a commit. */
  onLoss(fn: () => void): void
  /** Refuses new statements, lets running ones finish for `timeout` seconds (5), closes all. */
  end(options?: { timeout?: number }): Promise<void>
}

export interface DatabaseOptions extends DatabaseTarget {
  /** Most connections opened at once, listening ones aside. */
  max: number
  /** What `pg_stat_activity` shows. */
  applicationName: string
  log: Log
  clock?: Clock
  /** Milliseconds a statement may run on the server, lock waits included. */
  statementTimeoutMs?: number
  /** Further settings of each session, such as `enable_seqscan`. */
  settings?: Record<string, string>
}

/**
 * Opens the database lazily: no connection is made before the first statement, and a lost one is
 * replaced by the next. Rows have camelCase columns; values inside json are left alone, because a
 * renamed key would break a stored signature. int8 and numeric become numbers and throw outside
 * ±(2^53 − 1). Sessions speak UTC, so that `now()::date` is the UTC day wherever the server is.
 * Every statement ends: by its answer, by the server's time-out, or as a lost connection.
 */
export function openDatabase(options: DatabaseOptions): Sql {
  const { clock = systemClock, log, statementTimeoutMs = limits.STATEMENT_MS } = options
  const target = driverTarget(options)
  const driver = { ...target.options, ...sessionOptions(options, statementTimeoutMs), max: 1 }
  // Makes queries and their parts. It has no connection of its own: a query goes where we send it.
  const words: postgres.Sql = Reflect.apply(postgres, undefined, [target.url ?? driver, driver])
  const open = (on: Pick<ConnectionSettings, 'onLoss' | 'onNotification'>) =>
    openConnection({
      options: words.options,
      answerTimeoutMs: statementTimeoutMs + limits.ANSWER_GRACE_MS,
      openedAt: clock.now(),
      ...on,
    })
  const losses: (() => void)[] = []
  const onLoss = () => {
    for (const fn of losses) fn()
  }
  const connections = createConnections({
    max: options.max,
    open: () => open({ onLoss }),
    isOld: ({ openedAt }) => clock.now() - openedAt > limits.CONNECTION_LIFE_MS,
  })
  const listenings = new Set<Listening>()

  const own = {
    begin: <T>(mode: TransactionMode, body: (tx: Tx) => Promise<T>) =>
      runTransaction(connections, words, mode, body),
    listen(channel: string, hear: (payload: string) => void, onListening?: () => void) {
      const listening = listenOn({ channel, hear, onListening, open, words, clock, log })
      listenings.add(listening)
      return listening
    },
    onLoss: (fn: () => void) => void losses.push(fn),
    async end({ timeout = 5 } = {}) {
      await Promise.all([...listenings].map((listening) => listening.stop()))
      await connections.end(timeout)
    },
  }
  return statements(words, (query) => void runAlone(connections, query), own)
}

function sessionOptions({ log, applicationName, settings }: DatabaseOptions, statementMs: number) {
  return {
    types: valueTypes,
    fetch_types: false,
    transform: columnNames,
    connect_timeout: limits.CONNECT_SECONDS,
    onnotice: ({ code, message }: postgres.Notice) => log.debug({ code }, message),
    connection: {
      application_name: applicationName,
      TimeZone: 'UTC',
      statement_timeout: statementMs,
      idle_in_transaction_session_timeout: limits.IDLE_IN_TRANSACTION_MS,
      ...settings,
    },
  }
}

async function runAlone(connections: Connections, query: Query): Promise<void> {
  let connection: Connection
  try {
    connection = await connections.borrow()
  } catch (error) {
    return query.reject(error)
  }
  connection.run(query, () => connections.giveBack(connection))
}

export interface RetryOptions {
  clock?: Clock
  /** Uniform in [0, 1), for the jitter. */
  random?: () => number
}

/**
 * Runs `body` in one transaction (read committed) and commits. On a serialization failure or
 * deadlock (40001, 40P01: the server has rolled back for certain) the whole body runs again, up to
 * TRANSACTION_TRIES times, so it must keep nothing from an attempt. Any other error is the
 * caller's, a lost connection above all: there the outcome is unknown, and only the caller knows
 * whether its ids make a repeat safe.
 */
export async function inTransaction<T>(
  sql: Sql,
  body: (tx: Tx) => Promise<T>,
  { clock = systemClock, random = Math.random }: RetryOptions = {},
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await sql.begin('write', body)
    } catch (error) {
      if (!isRace(error) || attempt >= limits.TRANSACTION_TRIES) throw error
    }
    await clock.sleep(limits.TRANSACTION_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + random()))
  }
}

/** Runs `body` on one snapshot that cannot write: the server refuses with 25006. */
export async function readOnly<T>(sql: Sql, body: (tx: Tx) => Promise<T>): Promise<T> {
  return await sql.begin('snapshot', body)
}
