import type { Connection } from './connection.ts'
import { ConnectionLostError } from './database-errors.ts'

/** The connections of one database, each lent to one statement or one transaction at a time. */
export interface Connections {
  /** Waits for a free connection, in the order of asking. */
  borrow(): Promise<Connection>
  giveBack(connection: Connection): void
  /** Refuses new borrowers, waits for the present ones up to `seconds`, then closes all. */
  end(seconds: number): Promise<void>
}

export interface ConnectionsSettings {
  max: number
  open: () => Connection
  /** Whether a connection is too old to be lent again: names may point to another server by now. */
  isOld: (connection: Connection) => boolean
}

interface Borrower {
  lend(connection: Connection): void
  refuse(error: Error): void
}

/** Seconds an idle connection gets for its goodbye. */
const GOODBYE_SECONDS = 1

const ended = () => new ConnectionLostError('CONNECTION_ENDED', 'the database was closed by us')

export function createConnections({ max, open, isOld }: ConnectionsSettings): Connections {
  const busy = new Set<Connection>()
  const idle: Connection[] = []
  const waiting: Borrower[] = []
  let ending: Promise<void> | undefined
  let lastBack: (() => void) | undefined

  function lendable(): Connection | undefined {
    // The one used last first: the others may stay idle, and the server's caches stay warm.
    for (let last = idle.pop(); last; last = idle.pop()) {
      if (last.usable()) return last
    }
    return busy.size < max ? open() : undefined
  }

  function lend(connection: Connection): Connection {
    busy.add(connection)
    return connection
  }

  async function endAll(seconds: number): Promise<void> {
    for (const borrower of waiting.splice(0)) borrower.refuse(ended())
    if (busy.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      lastBack = resolve
      const limit = setTimeout(resolve, seconds * 1000)
      await promise
      clearTimeout(limit)
    }
    const closing = idle.splice(0).map((connection) => connection.close(GOODBYE_SECONDS))
    await Promise.all([...closing, ...[...busy].map((connection) => connection.close(0))])
  }

  return {
    borrow() {
      if (ending) return Promise.reject(ended())
      const connection = lendable()
      if (connection) return Promise.resolve(lend(connection))
      return new Promise((lend, refuse) => waiting.push({ lend, refuse }))
    },
    giveBack(connection) {
      busy.delete(connection)
      if (!connection.usable()) void connection.close(0)
      else if (isOld(connection)) void connection.close(GOODBYE_SECONDS)
      else idle.push(connection)
      if (busy.size === 0) lastBack?.()
      const next = waiting.length > 0 ? lendable() : undefined
      if (next) waiting.shift()?.lend(lend(next))
    },
    end(seconds) {
      ending ??= endAll(seconds)
      return ending
    },
  }
}
