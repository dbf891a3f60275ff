import { join } from 'node:path'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { DATABASE_CONNECTIONS } from './limits.ts'
import type { Log } from './log.ts'
import { inTransaction, openDatabase, type Sql } from './store/database.ts'
import type { DatabaseTarget } from './store/database-target.ts'
import { startEmbedded } from './store/embedded.ts'
import { migrate } from './store/migrate.ts'
import { seedPool } from './store/pool.ts'

/** The database as the daemon and every command find it: reachable, migrated and seeded. */
export interface Ground {
  sql: Sql
  /** Where it is, for people: never with a password. */
  kind: string
  /** Where it is, for further connections. */
  target: DatabaseTarget
  stop(): Promise<void>
}

const MIGRATIONS = join(import.meta.dirname, '../migrations')

/**
 * Opens the configured database, or joins or starts the embedded one in the data directory. A command may do
 * this while the daemon runs: both use the same server.
 */
export async function openGround(
  config: Config,
  { clock, log, name }: { clock: Clock; log: Log; name: string },
): Promise<Ground> {
  const embedded = config.databaseUrl
    ? undefined
    : await startEmbedded({ dataDir: config.dataDir, log, clock })
  const target = embedded?.connection ?? { url: config.databaseUrl?.reveal() ?? '' }
  const sql = openDatabase({
    ...target,
    max: DATABASE_CONNECTIONS,
    applicationName: `tithe ${name}`,
    log,
    clock,
  })
  const stop = async () => {
    await sql.end()
    await embedded?.stop()
  }
  try {
    const { applied } = await migrate(sql, { dir: MIGRATIONS })
    if (applied.length > 0) log.info({ migrations: applied }, 'the schema is up to date')
    const seeded = await inTransaction(sql, (tx) => seedPool(tx, config.money))
    if (seeded) log.info({ poolSats: config.money.poolSeedSats }, 'the pool is seeded')
  } catch (error) {
    await stop()
    throw error
  }
  const kind = embedded ? `embedded PostgreSQL ${embedded.version}` : 'DATABASE_URL'
  return { sql, kind, target, stop }
}
