import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../clock.ts'
import type { Config } from '../../config.ts'
import type { Log } from '../../log.ts'
import {
  checkServer,
  databaseName,
  explainDatabaseError,
  openDatabase,
  type Sql,
} from '../../store/database.ts'
import { startEmbedded } from '../../store/embedded.ts'
import { canTakeAppRole } from '../../store/role.ts'
import { about, type Check } from './check.ts'

const { ok, warn, fail } = about('database')
const MIGRATIONS = join(import.meta.dirname, '../../../migrations')

/** Looks at the configured database, or starts or joins the embedded one; changes nothing in it. */
export async function checkDatabase(
  { databaseUrl, dataDir }: Pick<Config, 'databaseUrl' | 'dataDir'>,
  { clock, log }: { clock: Clock; log: Log },
): Promise<Check[]> {
  const name = databaseUrl ? databaseName(databaseUrl.reveal()) : 'the embedded database'
  let embedded: Awaited<ReturnType<typeof startEmbedded>> | undefined
  let sql: Sql | undefined
  try {
    embedded = databaseUrl ? undefined : await startEmbedded({ dataDir, log, clock })
    const target = embedded?.connection ?? { url: databaseUrl?.reveal() ?? '' }
    sql = openDatabase({ ...target, max: 1, applicationName: 'tithe doctor', log, clock })
    return await looks(sql, name, clock)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const remedy = databaseUrl ? 'Check DATABASE_URL.' : `Look into ${dataDir}.`
    return [fail(`${name} cannot be used: ${explainDatabaseError(error)}`, remedy)]
  } finally {
    await sql?.end({ timeout: 1 })
    await embedded?.stop()
  }
}

async function looks(sql: Sql, name: string, clock: Clock): Promise<Check[]> {
  const { version, weak } = await checkServer(sql)
  const began = clock.now()
  const [row] = await sql<{ now: number }[]>`
    select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`
  const ms = clock.now() - began
  const server = ok(`${name}, PostgreSQL ${version}, answers in ${ms} ms`)
  return [
    server,
    weak.length === 0
      ? ok(
          'keeps what it acknowledged through a crash (fsync, full_page_writes, synchronous_commit)',
        )
      : warn(
          `may lose acknowledged payments in a crash: ${weak.join(', ')} off`,
          'Switch on what is off in postgresql.conf.',
        ),
    await migrationCheck(sql),
    await roleCheck(sql),
    clockCheck(clock.now() - (row?.now ?? 0) - ms / 2),
  ]
}

async function migrationCheck(sql: Sql): Promise<Check> {
  const files = (await readdir(MIGRATIONS)).filter((file) => file.endsWith('.sql')).length
  const [table] = await sql<{ found: boolean }[]>`
    select to_regclass('schema_migrations') is not null as found`
  const [row] = table?.found
    ? await sql<{ version: number }[]>`
        select coalesce(max(version), 0) as version from schema_migrations`
    : []
  const version = row?.version ?? 0
  if (version > files) {
    const text = `its schema has version ${version}, this tithe knows ${files}`
    return fail(text, 'Start the newer tithe that migrated it.')
  }
  if (version === files) return ok(`its schema is up to date (version ${version})`)
  return ok(`its schema has version ${version}; the next start brings it to ${files}`)
}

async function roleCheck(sql: Sql): Promise<Check> {
  if (await canTakeAppRole(sql))
    return ok('the daemon works as a role that cannot rewrite the books')
  const [row] = await sql<{ may: boolean }[]>`
    select rolcreaterole or rolsuper as may from pg_roles where rolname = current_user`
  if (row?.may) return ok('the next start makes the role that cannot rewrite the books')
  return warn(
    'the daemon works as the owner of the books',
    'Let its user create roles at the first start (alter role … createrole).',
  )
}

/** Days end by the database's clock, invoices by this machine's. */
const CLOCK_MS = 5_000

function clockCheck(offMs: number): Check {
  const clock = about('clock')
  const seconds = (Math.abs(offMs) / 1000).toFixed(1)
  if (Math.abs(offMs) <= CLOCK_MS) return clock.ok(`within ${seconds} s of the database's`)
  const text = `${seconds} s ${offMs > 0 ? 'ahead of' : 'behind'} the database's`
  return clock.warn(text, 'Switch on NTP on both machines.')
}
