import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isConnectionLoss, type Sql } from './database.ts'

export type MigrationProblem = 'bad_name' | 'gap' | 'changed' | 'newer' | 'failed'

/** The schema cannot be brought to this code's version. The message says what to do. */
export class MigrationError extends Error {
  readonly problem: MigrationProblem
  constructor(problem: MigrationProblem, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MigrationError'
    this.problem = problem
  }
}

export interface Migrated {
  /** Versions applied by this call, ascending; empty when another process was first. */
  applied: number[]
  /** Version of the schema afterwards; 0 when there are no migrations. */
  version: number
}

interface Migration {
  version: number
  name: string
  text: string
  sha256: string
}

/**
 * Applies the migrations `NNNN_noun.sql` of `dir` that the database has not seen, each in one
 * transaction, forward only. Any number of processes may do this at once: the first statement of
 * each transaction claims the version by inserting its row, so the others wait for that row and
 * then find the work done. Throws MigrationError when an applied file has changed since, when the
 * database is newer than the files, or when a file fails (nothing of it remains).
 */
export async function migrate(sql: Sql, { dir }: { dir: string }): Promise<Migrated> {
  const migrations = await readMigrations(dir)
  await createVersionTable(sql)
  await compareWithApplied(sql, migrations)
  const applied: number[] = []
  for (const migration of migrations) {
    if (await apply(sql, migration)) applied.push(migration.version)
  }
  return { applied, version: migrations.length }
}

async function readMigrations(dir: string): Promise<Migration[]> {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.sql')).sort()
  return await Promise.all(
    names.map(async (name, index) => {
      const version = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1] ?? Number.NaN)
      if (Number.isNaN(version)) {
        throw new MigrationError(
          'bad_name',
          `migration ${name}: expected a name like 0001_noun.sql`,
        )
      }
      if (version !== index + 1) {
        throw new MigrationError(
          'gap',
          `migration ${name}: number ${index + 1} comes next; numbers leave no gap and appear once`,
        )
      }
      // Line ends may differ between checkouts of the same file.
      const text = (await readFile(join(dir, name), 'utf8')).replaceAll('\r\n', '\n')
      return { version, name, text, sha256: createHash('sha256').update(text).digest('hex') }
    }),
  )
}

/** `create table if not exists` still fails when two run at once, so they take turns. */
async function createVersionTable(sql: Sql): Promise<void> {
  await sql.begin('write', async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtext('schema_migrations'))`
    await tx`
      create table if not exists schema_migrations (
        version integer constraint schema_migrations_pk primary key,
        name text not null,
        sha256 text not null,
        applied_at timestamptz not null default now()
      )`
  })
}

async function compareWithApplied(sql: Sql, migrations: readonly Migration[]): Promise<void> {
  const rows = await sql<{ version: number; name: string; sha256: string }[]>`
    select version, name, sha256
    from schema_migrations
    order by version`
  const newest = rows.at(-1)
  if (newest && newest.version > migrations.length) {
    throw new MigrationError(
      'newer',
      `the database is at schema version ${newest.version} (${newest.name}), this tithe knows ` +
        `${migrations.length}. Start the newer tithe that migrated it, or restore a backup ` +
        'made before; nothing was changed',
    )
  }
  for (const row of rows) {
    const migration = migrations[row.version - 1]
    if (migration?.sha256 === row.sha256) continue
    throw new MigrationError(
      'changed',
      `migration ${migration?.name ?? row.version} is not the file that was applied to this ` +
        `database (as ${row.name}). Restore the file as released and put the change into a new one`,
    )
  }
}

/** Whether this call applied it; false when another process had. */
async function apply(sql: Sql, { version, name, text, sha256 }: Migration): Promise<boolean> {
  try {
    return await sql.begin('write', async (tx) => {
      // A large table takes longer than any statement of a running daemon may.
      await tx`set local statement_timeout = 0`
      const claimed = await tx`
        insert into schema_migrations (version, name, sha256)
        values (${version}, ${name}, ${sha256})
        on conflict (version) do nothing
        returning version`
      if (claimed.length === 0) return false
      const [before] = await tx`select pg_current_xact_id()::text as id`
      await tx.unsafe(text)
      const [after] = await tx`select pg_current_xact_id()::text as id`
      // What it did before ending our transaction stays, whatever we answer.
      if (before?.id !== after?.id) throw new Error('it must not begin or end a transaction')
      return true
    })
  } catch (error) {
    if (isConnectionLoss(error)) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new MigrationError('failed', `migration ${name} failed and was rolled back: ${why}`, {
      cause: error,
    })
  }
}
