import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { openDatabase, type Sql } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { freshDatabase } from '../support/database.ts'
import { dumpSchema } from '../support/schema-dump.ts'

interface MigrationDir extends Disposable {
  dir: string
  write(name: string, text: string): void
}

function migrationDir(files: Record<string, string>): MigrationDir {
  const dir = mkdtempSync(join(tmpdir(), 'tithe-migrations-'))
  const write = (name: string, text: string) => writeFileSync(join(dir, name), text)
  for (const [name, text] of Object.entries(files)) write(name, text)
  return { dir, write, [Symbol.dispose]: () => rmSync(dir, { recursive: true }) }
}

const emptyDatabase = () => freshDatabase({ template: 'template0' })

const TWO = {
  '0001_sats.sql': 'create table sats (n bigint);\ninsert into sats values (21);',
  '0002_more.sql': 'alter table sats add column note text;\ninsert into sats values (1, $$;$$);',
}

const versions = async (sql: Sql) =>
  (await sql<{ version: number }[]>`select version from schema_migrations order by version`).map(
    ({ version }) => version,
  )

test('an empty database gets every migration, once', async () => {
  await using db = await emptyDatabase()
  using files = migrationDir(TWO)
  expect(await migrate(db.sql, files)).toEqual({ applied: [1, 2], version: 2 })
  expect(await migrate(db.sql, files)).toEqual({ applied: [], version: 2 })
  files.write('0003_last.sql', 'insert into sats values (7)')
  expect(await migrate(db.sql, files)).toEqual({ applied: [3], version: 3 })
  expect(await db.sql`select n from sats order by n`.values()).toEqual([[1], [7], [21]])
})

test('twenty processes that migrate at once apply each migration once', async () => {
  await using db = await emptyDatabase()
  using files = migrationDir({
    ...TWO,
    '0003_slow.sql': 'select pg_sleep(0.05); insert into sats values (3)',
  })
  const others = Array.from({ length: 20 }, () =>
    openDatabase({ ...db.connection, max: 1, applicationName: 'migrates', log: silentLog }),
  )
  const done = await Promise.all(others.map((sql) => migrate(sql, files)))
  await Promise.all(others.map((sql) => sql.end()))
  expect(done.flatMap(({ applied }) => applied).sort()).toEqual([1, 2, 3])
  expect(new Set(done.map(({ version }) => version))).toEqual(new Set([3]))
  expect(await db.sql`select n from sats order by n`.values()).toEqual([[1], [3], [21]])
})

test('a migration that fails leaves nothing of itself, and the ones before it stand', async () => {
  await using db = await emptyDatabase()
  using files = migrationDir({ ...TWO, '0003_bad.sql': 'create table t (id int); select 1 / 0' })
  await expect(migrate(db.sql, files)).rejects.toMatchObject({
    problem: 'failed',
    message: expect.stringMatching(/0003_bad\.sql.*rolled back.*division by zero/),
  })
  expect(await versions(db.sql)).toEqual([1, 2])
  files.write('0003_bad.sql', 'create table t (id int)')
  expect(await migrate(db.sql, files)).toEqual({ applied: [3], version: 3 })
})

// Half of such a file would stay when the rest fails.
test('a migration that ends its own transaction is refused', async () => {
  await using db = await emptyDatabase()
  using files = migrationDir({ '0001_bad.sql': 'create table t (id int); commit; select 1' })
  await expect(migrate(db.sql, files)).rejects.toMatchObject({ problem: 'failed' })
})

test('an applied migration that has changed since is refused', async () => {
  await using db = await emptyDatabase()
  using files = migrationDir(TWO)
  await migrate(db.sql, files)
  files.write('0001_sats.sql', TWO['0001_sats.sql'].replaceAll('\n', '\r\n'))
  expect(await migrate(db.sql, files)).toEqual({ applied: [], version: 2 })
  files.write('0001_sats.sql', `${TWO['0001_sats.sql']} -- a word more`)
  files.write('0003_next.sql', 'create table t (id int)')
  await expect(migrate(db.sql, files)).rejects.toMatchObject({
    problem: 'changed',
    message: expect.stringMatching(/0001_sats\.sql.*new one/s),
  })
  expect(await versions(db.sql)).toEqual([1, 2])
})

test('a database newer than the code stops it, and is left as it is', async () => {
  await using db = await emptyDatabase()
  using files = migrationDir(TWO)
  await migrate(db.sql, files)
  using older = migrationDir({ '0001_sats.sql': TWO['0001_sats.sql'] })
  await expect(migrate(db.sql, older)).rejects.toMatchObject({
    problem: 'newer',
    message: expect.stringMatching(/version 2 \(0002_more\.sql\).*knows 1.*newer tithe/s),
  })
  expect(await versions(db.sql)).toEqual([1, 2])
})

test('numbers of migrations leave no gap and appear once', async () => {
  await using db = await emptyDatabase()
  for (const [problem, name] of [
    ['gap', '0003_late.sql'],
    ['gap', '0001_twice.sql'],
    ['bad_name', '3_short.sql'],
    ['bad_name', '0003_UPPER.sql'],
  ] as const) {
    using files = migrationDir({ '0001_a.sql': 'select 1', [name]: 'select 1' })
    await expect(migrate(db.sql, files), name).rejects.toMatchObject({ problem })
  }
})

test('the committed schema is what the migrations make', async () => {
  await using db = await freshDatabase()
  const committed = readFileSync(join(import.meta.dirname, '../schema.sql'), 'utf8')
  expect(await dumpSchema(db.sql), 'run npm run schema').toBe(committed)
})
