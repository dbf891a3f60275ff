import { expect, test } from 'vitest'
import { silentLog } from '../../src/log.ts'
import {
  checkServer,
  constraintOf,
  databaseName,
  explainDatabaseError,
  openDatabase,
  readOnly,
  type Sql,
  sqlState,
} from '../../src/store/database.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'

const second = (db: TestDatabase, more: { statementTimeoutMs?: number } = {}): Sql =>
  openDatabase({ ...db.connection, max: 1, applicationName: 'second', log: silentLog, ...more })

const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.fail('it succeeded'),
    (error: unknown) => error,
  )

test('the url of a test database opens it', async () => {
  await using db = await freshDatabase()
  const sql = openDatabase({ url: db.url, max: 1, applicationName: 'by url', log: silentLog })
  expect(await sql`select current_database() as the_name`).toEqual([{ theName: db.name }])
  await sql.end()
})

test('columns are renamed both ways and keys inside json are not', async () => {
  await using db = await freshDatabase()
  const { sql } = db
  await sql`create table notes (id int, due_at timestamptz, body_json jsonb, raw json)`
  const event = { created_at: 1, tags: [['p', 'x_y']], camelKey: { snake_key: [{ a_b: null }] } }
  const row = { id: 1, dueAt: new Date(5), bodyJson: sql.json(event), raw: sql.json(event) }
  await sql`insert into notes ${sql(row)}`
  expect([...(await sql`select id, due_at, body_json, raw from notes`)]).toEqual([
    { id: 1, dueAt: new Date(5), bodyJson: event, raw: event },
  ])
})

test('whole numbers come back as numbers, in rows, sums, counts and arrays', async () => {
  await using db = await freshDatabase()
  const most = Number.MAX_SAFE_INTEGER
  expect([
    ...(await db.sql`
      select
        ${most}::bigint as large,
        ${-most}::bigint as small,
        sum(x) as total,
        count(*) as count,
        array_agg(x) as all_of_them
      from unnest(${db.sql.array([most - 2, 2], 20)}::bigint[]) as x`),
  ]).toEqual([{ large: most, small: -most, total: most, count: 2, allOfThem: [most - 2, 2] }])
})

test('a number beyond 2^53 − 1 throws, stored or summed, and so does a fraction of a sat', async () => {
  await using db = await freshDatabase()
  const { sql } = db
  await expect(sql`select 9007199254740992::bigint as x`).rejects.toThrow(RangeError)
  await expect(sql`select sum(x) from unnest(array[9007199254740991, 1]) as x`).rejects.toThrow(
    RangeError,
  )
  await expect(sql`select 0.5 as x`).rejects.toThrow(RangeError)
  await expect(sql`select ${2 ** 53}::bigint as x`).rejects.toThrow(RangeError)
  await expect(sql`select ${1.5}::bigint as x`).rejects.toThrow(RangeError)
  expect([...(await sql`select 1 as alive`)]).toEqual([{ alive: 1 }])
})

test('arrays of every kind we use cross unchanged', async () => {
  await using db = await freshDatabase()
  const { sql } = db
  const texts = ['', 'NULL', 'a,b', '{x}', 'quo"ted', 'back\\slash', 'new\nline', null]
  const instants = [new Date(0), null, new Date(1_795_000_000_123)]
  const bytes = [Buffer.from([0, 255]), Buffer.alloc(0)]
  const jsons = ['{"created_at":1,"a":"b,c"}', 'null', '[1,"}"]']
  const [row] = await sql`
    select
      ${texts}::text[] as texts,
      ${sql.array(texts)} as typed_texts,
      ${sql.array(instants)} as instants,
      ${sql.array([true, false])} as booleans,
      ${sql.array(bytes)} as bytes,
      ${sql.array(['2026-11-25'], 1082)} as days,
      ${[0.5, -1e300]}::float8[] as floats,
      ${[]}::bigint[] as none,
      ${jsons}::text[]::jsonb[] as jsons`
  expect(row).toEqual({
    ...{ texts, typedTexts: texts, instants, booleans: [true, false], bytes },
    ...{ days: ['2026-11-25'], floats: [0.5, -1e300], none: [] },
    jsons: jsons.map((json) => JSON.parse(json)),
  })
  await expect(sql`select array[[1]] as nested`).rejects.toThrow(/nested/)
})

test('a date is its UTC day as text, whatever the zone of the server', async () => {
  await using db = await freshDatabase()
  await db.sql.unsafe(`alter database ${db.name} set timezone to 'Asia/Tokyo'`)
  const sql = second(db)
  expect([
    ...(await sql`select '2026-11-25T23:30:00Z'::timestamptz::date as day, '2026-02-29'::text as t`),
  ]).toEqual([{ day: '2026-11-25', t: '2026-02-29' }])
  expect([...(await sql`select ${'2026-11-25'}::date as day`)]).toEqual([{ day: '2026-11-25' }])
  await sql.end()
})

test('undefined is refused, also beside other statements of one transaction', async () => {
  await using db = await freshDatabase()
  const nothing: { value?: string } = {}
  // @ts-expect-error The types refuse it as well.
  await expect(db.sql`select ${nothing.value}::text as x`).rejects.toThrow(/undefined/i)
  await db.sql`create table t (id int)`
  const started = performance.now()
  await expect(
    db.sql.begin('write', async (tx) => {
      // @ts-expect-error The same.
      await Promise.all([tx`insert into t values (1)`, tx`insert into t values (${nothing.value})`])
    }),
  ).rejects.toThrow()
  // Without hanging up, the driver would wait for an answer to what it never wrote.
  expect(performance.now() - started).toBeLessThan(4_000)
  expect(await db.sql`select id from t`).toHaveLength(0)
})

test('a statement that takes too long is cancelled by the server', async () => {
  await using db = await freshDatabase()
  const sql = second(db, { statementTimeoutMs: 50 })
  expect(sqlState(await failure(sql`select pg_sleep(10)`))).toBe('57014')
  expect([...(await sql`select 1 as alive`)]).toEqual([{ alive: 1 }])
  await sql.end()
})

test('a violated constraint is known by its name, and the error quotes no values', async () => {
  await using db = await freshDatabase()
  const { sql } = db
  await sql`create table t (id int, note text, constraint t_small check (id < 10))`
  const error = await failure(sql`insert into t values (99, 'a secret of a customer')`)
  expect(sqlState(error)).toBe('23514')
  expect(constraintOf(error)).toBe('t_small')
  expect(JSON.stringify({ ...Object(error), message: String(error) })).not.toMatch(/secret/)
})

test('a read-only body sees one snapshot and cannot write', async () => {
  await using db = await freshDatabase()
  const { sql } = db
  await sql`create table t (id int)`
  const seen = await readOnly(sql, async (tx) => {
    const before = await tx`select id from t`
    await sql`insert into t values (1)`
    return [before.length, (await tx`select id from t`).length]
  })
  expect(seen).toEqual([0, 0])
  expect(sqlState(await failure(readOnly(sql, (tx) => tx`insert into t values (2)`)))).toBe('25006')
})

test('fragments, lists and array parameters work inside a transaction and outside', async () => {
  await using db = await freshDatabase()
  const { sql } = db
  await sql`create table t (id int, job_state text)`
  await sql.begin('write', async (tx) => {
    await tx`insert into t ${tx([1, 2, 3].map((id) => ({ id, jobState: 'done' })))}`
    const some = tx`where id in ${tx([1, 2])}`
    await tx`update t set job_state = ${'open'} ${some}`
  })
  const ids = await sql`select id from t where job_state = any(${['open']}::text[]) order by id`
  expect(ids.map(({ id }) => id)).toEqual([1, 2])
  expect(await sql`select id from t`.values()).toEqual([[3], [1], [2]])
})

test('the server of the tests fits, and its missing durability is seen', async () => {
  await using db = await freshDatabase()
  const { version, weak } = await checkServer(db.sql)
  expect(Number.parseInt(version, 10)).toBeGreaterThanOrEqual(15)
  const [{ fsync }] = await db.sql<[{ fsync: string }]>`select current_setting('fsync') as fsync`
  expect(weak.includes('fsync')).toBe(fsync === 'off')
})

test('a read-only database is refused', async () => {
  await using db = await freshDatabase()
  await db.sql.unsafe(`alter database ${db.name} set default_transaction_read_only to on`)
  const sql = second(db)
  await expect(checkServer(sql)).rejects.toMatchObject({ problem: 'read_only' })
  await sql.end()
})

test('a database is named without its password', () => {
  expect(databaseName('postgres://me:s%40cret@db.example:6543/tithe?sslmode=require')).toBe(
    'postgres://me:***@db.example:6543/tithe',
  )
  expect(databaseName('postgresql://%2Frun%2Fpg/tithe')).toBe('postgresql:///run/pg:/tithe')
  expect(databaseName('postgres://me@localhost/tithe?host=/run/pg')).toBe(
    'postgres://me@/run/pg:/tithe',
  )
  const options = { max: 1, applicationName: 'x', log: silentLog }
  for (const url of [
    'mysql://me:secret@host/x',
    'me:secret@host',
    'postgres://me:secret@ho st/x',
  ]) {
    expect(() => openDatabase({ url, ...options })).toThrow(
      /^DATABASE_URL is no PostgreSQL address/,
    )
  }
})

test('what is wrong with a database is said in words', async () => {
  await using db = await freshDatabase()
  const nobody = openDatabase({
    ...{ url: 'postgres://x:secret@127.0.0.1:1/x', max: 1 },
    ...{ applicationName: 'x', log: silentLog },
  })
  expect(explainDatabaseError(await failure(nobody`select 1`))).toBe('nothing listens there')
  const missing = second({ ...db, connection: { ...db.connection, database: 'no_such' } })
  expect(explainDatabaseError(await failure(missing`select 1`))).toMatch(/no such database/)
  await Promise.all([nobody.end(), missing.end()])
})
