import { join } from 'node:path'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { DATABASE_CONNECTIONS } from './limits.ts'
import type { Log } from './log.ts'
import {
  checkServer,
  databaseName,
  explainDatabaseError,
  inTransaction,
  isConnectionLoss,
  openDatabase,
  type Sql,
} from './store/database.ts'
import type { DatabaseTarget } from './store/database-target.ts'
import { startEmbedded } from './store/embedded.ts'
import { migrate } from './store/migrate.ts'
import { seedPool } from './store/pool.ts'
import { APP_ROLE, canTakeAppRole } from './store/role.ts'

/** The database as the daemon and every command find it: reachable, migrated and seeded. */
export interface Ground {
  sql: Sql
  /** Where it is, for people: never with a password. */
  kind: string
  /** Where it is, for further connections. */
  target: DatabaseTarget
  stop(): Promise<void>
}

export interface GroundOptions {
  clock: Clock
  log: Log
  /** What `pg_stat_activity` shows after "tithe". */
  name: string
  /** Milliseconds a statement may run, where the usual bound is too short. */
  statementTimeoutMs?: number
  /** Migrated and nothing more: not seeded, and handed out as whoever owns it. */
  isBare?: boolean
  /** Without it a database that cannot be reached is an error at once. */
  patience?: Patience
}

/** How a daemon waits for its database; whoever starts both may well start the daemon first. */
export interface Patience {
  /** Told at each try that failed, in words for the operator. */
  waiting(why: string): void
  /** Ends the waiting; the last error is thrown then. */
  signal: AbortSignal
}

const MIGRATIONS = join(import.meta.dirname, '../migrations')

/** Longest statement of a migration, milliseconds: a large table is rewritten in minutes. */
const MIGRATION_MS = 600_000

/**
 * Opens the configured database, or joins or starts the embedded one in the data directory. A command may do
 * this while the daemon runs: both use the same server. What is handed out works as the application's role
 * where there is one, so that nothing it does can rewrite the books.
 */
export async function openGround(config: Config, options: GroundOptions): Promise<Ground> {
  const { clock, log, name, statementTimeoutMs } = options
  const embedded = config.databaseUrl
    ? undefined
    : await startEmbedded({ dataDir: config.dataDir, log, clock })
  const target = embedded?.connection ?? { url: config.databaseUrl?.reveal() ?? '' }
  try {
    const role = await setUpWhenReached(target, config, options)
    const sql = openDatabase({
      ...target,
      max: DATABASE_CONNECTIONS,
      applicationName: `tithe ${name}`,
      log,
      clock,
      ...(statementTimeoutMs === undefined ? {} : { statementTimeoutMs }),
      settings: role === undefined ? {} : { role },
    })
    const stop = async () => {
      await sql.end()
      await embedded?.stop()
    }
    const kind = embedded ? `embedded PostgreSQL ${embedded.version}` : 'DATABASE_URL'
    return { sql, kind, target, stop }
  } catch (error) {
    await embedded?.stop()
    throw error
  }
}

/** Tries again as long as nothing answers there; what answers and is no use to us is an error at once. */
async function setUpWhenReached(
  target: DatabaseTarget,
  config: Config,
  options: GroundOptions,
): Promise<string | undefined> {
  const { clock, log, patience } = options
  for (let tries = 0; ; tries += 1) {
    try {
      return await setUp(target, config, options)
    } catch (error) {
      if (!patience || patience.signal.aborted || !isConnectionLoss(error)) throw error
      const why = databaseUnusable(config, error)
      log.error({ setting: 'DATABASE_URL', tries: tries + 1 }, `${why} Trying again.`)
      patience.waiting(why)
      await clock.sleep(Math.min(TRY_AGAIN_MS_MAX, TRY_AGAIN_MS * 2 ** tries), patience.signal)
    }
  }
}

const TRY_AGAIN_MS = 500
const TRY_AGAIN_MS_MAX = 10_000

/** Names the setting and what is wrong with it, and never a password. */
export function databaseUnusable({ databaseUrl }: Config, error: unknown): string {
  const which = databaseUrl
    ? `DATABASE_URL: ${databaseName(databaseUrl.reveal())}`
    : 'The embedded database'
  return `${which} cannot be used: ${explainDatabaseError(error)}.`
}

/** Looks at the server, migrates and seeds as the connected role; answers the role for all that follows. */
async function setUp(
  target: DatabaseTarget,
  config: Config,
  { clock, log, name, isBare = false }: GroundOptions,
): Promise<string | undefined> {
  const applicationName = `tithe ${name}, set-up`
  const owner = openDatabase({
    ...target,
    max: 1,
    applicationName,
    log,
    clock,
    statementTimeoutMs: MIGRATION_MS,
  })
  try {
    const { weak } = await checkServer(owner)
    if (weak.length > 0) {
      log.warn({ off: weak }, 'the database server may lose acknowledged payments in a crash')
    }
    const { applied } = await migrate(owner, { dir: MIGRATIONS })
    if (applied.length > 0) log.info({ migrations: applied }, 'the schema is up to date')
    if (isBare) return undefined
    const seeded = await inTransaction(owner, (tx) => seedPool(tx, config.money))
    if (seeded) log.info({ poolSats: config.money.poolSeedSats }, 'the pool is seeded')
    if (await canTakeAppRole(owner)) return APP_ROLE
    log.debug({ role: APP_ROLE }, 'this database user cannot take on the role of the daemon')
    return undefined
  } finally {
    await owner.end()
  }
}
