import type postgres from 'postgres'
import { ConnectionLostError, sqlState, withoutValues } from './database-errors.ts'

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
  /** Makes the driver, with these options added. */
  connect: (more: DriverEvents) => Pick<postgres.Sql, 'end'> & TemplateTag
  /** How long the server may be silent with a query open before the connection counts as lost. */
  answerTimeoutMs: number
  openedAt: number
  onLoss?: () => void
  onNotification?: (channel: string, payload: string) => void
}

type TemplateTag = (text: TemplateStringsArray) => unknown

interface DriverEvents {
  max: 1
  max_lifetime: null
  onclose: () => void
  onnotify: ((channel: string, payload: string) => void) | undefined
}

/**
 * Opens one session by a driver of its own. The driver (postgres 3.4) can reconnect and share
 * connections itself, but not safely: after a loss it keeps unsent bytes and unanswered queries, so
 * that a statement may hang, meet another one's answer, run outside its transaction or throw from
 * a timer. So each driver here has exactly one connection and dies with it, and a query that comes
 * after the loss never reaches it.
 */
export function openConnection(settings: ConnectionSettings): Connection {
  const { answerTimeoutMs, openedAt } = settings
  const open = new Set<Query>()
  let lost: ConnectionLostError | undefined
  let silence: NodeJS.Timeout | undefined

  const session = settings.connect({
    max: 1,
    // The set of connections retires old ones; the driver would reconnect them.
    max_lifetime: null,
    onclose: () => lose(new ConnectionLostError('CONNECTION_CLOSED', 'the connection was closed')),
    onnotify: settings.onNotification,
  })
  const hand = handlerOf(session`select 1`)

  function lose(error: ConnectionLostError): void {
    if (lost) return
    lost = error
    clearTimeout(silence)
    for (const query of [...open]) query.reject(error)
    settings.onLoss?.()
  }

  function settled(query: Query, after: (() => void) | undefined): void {
    open.delete(query)
    if (open.size === 0) {
      clearTimeout(silence)
      silence = undefined
    } else silence?.refresh()
    after?.()
  }

  function hangUp(code: string, message: string): void {
    lose(new ConnectionLostError(code, message))
    void session.end({ timeout: 0 })
  }

  const onSilence = () => hangUp('ANSWER_TIMEOUT', 'the server did not answer in time')

  /** A query that the driver could not write leaves it waiting for an answer nobody will give. */
  function refused(query: Query, error: unknown): void {
    open.delete(query)
    if (!lost && open.size > 0 && sqlState(error) === undefined) {
      hangUp('CONNECTION_CLOSED', 'hung up after a query that could not be written')
    }
  }

  return {
    usable: () => lost === undefined,
    openedAt,
    run(query, after) {
      const { resolve, reject } = query
      query.resolve = (value) => {
        settled(query, after)
        resolve(value)
      }
      query.reject = (error) => {
        refused(query, error)
        settled(query, after)
        reject(withoutValues(error))
      }
      if (lost) return query.reject(lost)
      open.add(query)
      silence ??= setTimeout(onSilence, answerTimeoutMs)
      hand(query)
    },
    async close(seconds) {
      lost ??= new ConnectionLostError('CONNECTION_CLOSED', 'the connection was closed')
      await session.end({ timeout: seconds })
      clearTimeout(silence)
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
