import type { AnySql } from './statements.ts'

export type ServerProblem = 'too_old' | 'read_only' | 'encoding'

/** This server cannot hold the ledger. The message says what to do. */
export class ServerRefusedError extends Error {
  override name = 'ServerRefusedError'
  readonly problem: ServerProblem
  constructor(problem: ServerProblem, message: string) {
    super(message)
    this.problem = problem
  }
}

/** Settings that are off and without which a crash of the machine loses acknowledged commits. */
export type ServerWeakness = 'fsync' | 'full_page_writes' | 'synchronous_commit'

export interface ServerCheck {
  /** Such as `15.18`. */
  version: string
  weak: ServerWeakness[]
}

/** Oldest PostgreSQL that the migrations are written for. */
export const OLDEST_MAJOR = 15

interface Settings {
  number: number
  version: string
  inRecovery: boolean
  readOnly: string
  encoding: string
  fsync: string
  fullPageWrites: string
  synchronousCommit: string
}

/** Looks at the server once, at start: throws ServerRefusedError, or answers what is weak about it. */
export async function checkServer(sql: AnySql): Promise<ServerCheck> {
  const [server] = await sql<[Settings]>`
    select
      current_setting('server_version_num')::int as number,
      split_part(current_setting('server_version'), ' ', 1) as version,
      pg_is_in_recovery() as in_recovery,
      current_setting('default_transaction_read_only') as read_only,
      current_setting('server_encoding') as encoding,
      current_setting('fsync') as fsync,
      current_setting('full_page_writes') as full_page_writes,
      current_setting('synchronous_commit') as synchronous_commit`
  if (server.number < OLDEST_MAJOR * 10_000) {
    throw new ServerRefusedError(
      'too_old',
      `DATABASE_URL is PostgreSQL ${server.version}: tithe needs ${OLDEST_MAJOR} or newer, upgrade the server`,
    )
  }
  if (server.inRecovery || server.readOnly === 'on') {
    throw new ServerRefusedError(
      'read_only',
      'DATABASE_URL is a standby or read only: name the primary server',
    )
  }
  if (server.encoding !== 'UTF8') {
    throw new ServerRefusedError(
      'encoding',
      `DATABASE_URL is a database in ${server.encoding}: create one with encoding UTF8`,
    )
  }
  const weak: ServerWeakness[] = []
  if (server.fsync !== 'on') weak.push('fsync')
  if (server.fullPageWrites !== 'on') weak.push('full_page_writes')
  if (server.synchronousCommit === 'off') weak.push('synchronous_commit')
  return { version: server.version, weak }
}
