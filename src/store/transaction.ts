import type postgres from 'postgres'
import type { Connection, Query } from './connection.ts'
import type { Connections } from './connections.ts'
import { type AnySql, statements } from './statements.ts'

const OPEN = Symbol('open transaction')

/** One open transaction; valid only inside the body it was handed to. */
export interface Tx extends AnySql {
  readonly [OPEN]: true
}

// Said in full: the code counts on these, whatever the server's own defaults are.
const BEGIN = {
  write: 'begin isolation level read committed read write',
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
  let open = true
  const run = (query: Query): void => {
    if (open) connection.run(query)
    else query.reject(new TransactionOverError('the transaction is over'))
  }
  try {
    await own.unsafe(BEGIN[mode])
    const answer = await body(statements(words, run, { [OPEN]: true } as const))
    open = false
    const { command } = await own.unsafe('commit')
    if (command === 'COMMIT') return answer
    throw new IgnoredFailureError('the transaction was rolled back: a failed statement was ignored')
  } catch (error) {
    open = false
    await rollBack(connection, own)
    throw error
  } finally {
    connections.giveBack(connection)
  }
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
