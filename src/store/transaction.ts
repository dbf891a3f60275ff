import type postgres from 'postgres'
import type { Connection, Query } from './connection.ts'
import type { Connections } from './connections.ts'
import { type AnySql, statements } from './statements.ts'

const OPEN = Symbol('open transaction')

/** One open transaction; valid only inside the body it was handed to. */
export interface Tx extends AnySql {
  readonly [OPEN]: true
  /**
   * Sends what the body ends with: the commit travels with it, without a round trip between, and
   * the transaction fails when the statement does. Only for a statement whose answer nobody needs.
   */
  endWith<Rows extends readonly postgres.MaybeRow[]>(statement: postgres.PendingQuery<Rows>): void
}

const BEGIN = {
  // Said in full: the code counts on these, whatever the server's own defaults are. Plans outlive
  // the transaction that made them: one made while a table was small must not read it whole when it
  // has grown, and one for arrays of any length is not to be made anew for each.
  write: `begin isolation level read committed read write;
    set local enable_seqscan = off; set local enable_bitmapscan = off;
    set local plan_cache_mode = force_generic_plan`,
  snapshot: 'begin isolation level repeatable read read only',
}
export type TransactionMode = keyof typeof BEGIN

/** A statement of the transaction came after its end; it was not executed. */
export class TransactionOverError extends Error {
  override name = 'TransactionOverError'
}

/** The server rolled back at commit, because the body went on after a statement that failed. */
export class IgnoredFailureError extends Error {
  override name = 'IgnoredFailureError'
}

/**
 * One attempt: begin, `body`, commit. When `body` throws, it is rolled back and that error is
 * thrown. A statement that comes later (a branch of the body that ran on) is refused: executed, it
 * would be a transaction of its own.
 */
export async function runTransaction<T>(
  connections: Connections,
  words: postgres.Sql,
  mode: TransactionMode,
  body: (tx: Tx) => Promise<T>,
): Promise<T> {
  const connection = await connections.borrow()
  const own = statements(words, (query) => connection.run(query), {})
  const begun = own.unsafe(BEGIN[mode]).execute()
  const sending = sendAfter(begun, connection)
  let open = true
  const run = (query: Query): void => {
    if (open) sending.send(query)
    else query.reject(over())
  }
  let last: Promise<unknown> | undefined
  const endWith: Tx['endWith'] = (statement) => {
    last = statement.execute()
    last.catch(() => {})
  }
  try {
    const answer = await body(statements(words, run, { [OPEN]: true, endWith } as const))
    await begun
    open = false
    const committed = own.unsafe('commit').execute()
    const [, { command }] = await Promise.all([last, committed])
    if (command === 'COMMIT') return answer
    throw new IgnoredFailureError('the transaction was rolled back: a failed statement was ignored')
  } catch (error) {
    open = false
    sending.drop(over())
    await rollBack(connection, own)
    throw error
  } finally {
    connections.giveBack(connection)
  }
}

const over = () => new TransactionOverError('the transaction is over')

/**
 * Sends statements on the heels of `begun`, without waiting for its answer, as long as they read.
 * The first one that writes waits for it, and all after it: had the begin failed, it would be a
 * transaction of its own.
 */
function sendAfter(begun: Promise<unknown>, connection: Connection) {
  let waiting: Query[] | undefined = []
  const settle = (each: (query: Query) => void) => {
    const queries = waiting ?? []
    waiting = undefined
    for (const query of queries) each(query)
  }
  const drop = (error: unknown) => settle((query) => query.reject(error))
  begun.then(() => settle((query) => connection.run(query)), drop)
  return {
    send(query: Query) {
      if (waiting && (waiting.length > 0 || !isRead(query))) waiting.push(query)
      else connection.run(query)
    },
    /** Refuses what still waits: sent after a rollback it would be executed on its own. */
    drop,
  }
}

/** By its first word; a `with` may write. */
function isRead(query: Query): boolean {
  const strings: unknown = Reflect.get(query, 'strings')
  return Array.isArray(strings) && /^\s*select\b/i.test(String(strings[0]))
}

/** A connection that cannot even roll back is closed, and the server rolls back for it. */
async function rollBack(connection: Connection, own: AnySql): Promise<void> {
  if (!connection.usable()) return
  try {
    await own.unsafe('rollback')
  } catch {
    await connection.close(0)
  }
}
