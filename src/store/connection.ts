import type { Socket } from 'node:net'
import postgres from 'postgres'
import { ConnectionLostError, sqlState, withoutValues } from './database-errors.ts'
import { openSocket } from './socket.ts'

/** A query as the driver makes it: lazy, it asks its handler to be executed when it is awaited. */
export interface Query extends Promise<unknown> {
  handler: (query: Query) => unknown
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
}

/** One session on the server, used once: after a loss it is thrown away, never connected again. */
export interface Connection {
  /** False once the session is lost or closed; every query is refused from then on. */
  usable(): boolean
  /** Milliseconds since the epoch. */
  readonly openedAt: number
  /** Executes a query; it settles in any case, within the answer time-out, then `after` is called. */
  run(query: Query, after?: () => void): void
  /** Ends the session politely, or after `seconds` without waiting for what still runs. */
  close(seconds: number): Promise<void>
}

export interface ConnectionSettings {
  /** The driver's, as it parsed them. */
  options: postgres.Sql['options']
  /** How long the server may be silent with a query open before the connection counts as lost. */
  answerTimeoutMs: number
  openedAt: number
  onLoss?: () => void
  onNotification?: (channel: string, payload: string) => void
}

/**
 * Opens one session by a driver of its own. The driver (postgres 3.4) can reconnect and share
 * connections itself, but not safely: after a loss it keeps unsent bytes and unanswered queries, so
 * that a statement may hang, meet another one's answer, run outside its transaction or throw from
 * a timer. So each driver here connects once and is thrown away with its connection; a query that
 * comes after the loss never reaches it.
 */
export function openConnection(settings: ConnectionSettings): Connection {
  const { answerTimeoutMs, openedAt } = settings
  const open = new Set<Query>()
  let lost: Error | undefined
  let silence: NodeJS.Timeout | undefined
  const { hand, session, forbidReconnecting } = connectOnce(settings, () => lose(closed()))

  function lose(error: Error): void {
    if (lost) return
    lost = error
    clearTimeout(silence)
    forbidReconnecting()
    for (const query of [...open]) query.reject(error)
    settings.onLoss?.()
  }

  function hangUp(error: Error): void {
    lose(error)
    void session.end({ timeout: 0 })
  }

  function settled(query: Query): void {
    open.delete(query)
    if (open.size > 0) return void silence?.refresh()
    clearTimeout(silence)
    silence = undefined
  }

  function take(query: Query, after: (() => void) | undefined): void {
    const { resolve, reject } = query
    query.resolve = (value) => {
      settled(query)
      resolve(value)
      after?.()
    }
    query.reject = (error) => {
      settled(query)
      reject(withoutValues(error))
      // A query that the driver could not write leaves it waiting for an answer nobody will give.
      if (sqlState(error) === undefined) hangUp(closed())
      after?.()
    }
  }

  return {
    usable: () => lost === undefined,
    openedAt,
    run(query, after) {
      take(query, after)
      if (lost) return query.reject(lost)
      open.add(query)
      silence ??= setTimeout(() => hangUp(silent()), answerTimeoutMs)
      hand(query)
    },
    async close(seconds) {
      // While it closes the driver would still connect again for what waits in its queue, and a
      // transaction that was cut off would go on there, without its beginning.
      if (seconds === 0) lose(closed())
      forbidReconnecting()
      lost ??= closed()
      await session.end({ timeout: seconds })
      clearTimeout(silence)
    },
  }
}

const closed = () => new ConnectionLostError('CONNECTION_CLOSED', 'the connection was closed')
const silent = () => new ConnectionLostError('ANSWER_TIMEOUT', 'the server did not answer in time')

function connectOnce({ options, onNotification }: ConnectionSettings, onclose: () => void) {
  let socket: Socket | undefined
  let attempts = 0
  const own = {
    ...options,
    onclose,
    onnotify: onNotification,
    // The set of connections retires old ones; the driver would reconnect them.
    max_lifetime: null,
    socket: () => {
      socket = openSocket(options, attempts)
      attempts += 1
      return socket
    },
  }
  const session: postgres.Sql = Reflect.apply(postgres, undefined, [own])
  return {
    session,
    hand: handlerOf(session`select 1`),
    /** Queries that waited for the lost connection would be executed on the next: half a transaction. */
    forbidReconnecting: () => {
      // Connected after all, it would leave a session on the server that nobody ends.
      if (socket?.pending) socket.destroy()
      Object.assign(own, {
        socket: () => {
          throw closed()
        },
      })
    },
  }
}

/** Whether the driver made a query, not a helper such as `sql(names)`. */
export function isQuery(made: unknown): made is Query {
  return made instanceof Promise && 'handler' in made && typeof made.handler === 'function'
}

function handlerOf(made: unknown): (query: Query) => unknown {
  if (isQuery(made)) return made.handler
  throw new TypeError('the driver makes queries in another way than this code knows')
}
