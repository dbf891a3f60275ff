import { setImmediate as turn } from 'node:timers/promises'
import postgres from 'postgres'
import { expect, onTestFailed, test } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { isQuery, openConnection } from '../../src/store/connection.ts'
import {
  inTransaction,
  isConnectionLoss,
  openDatabase,
  type Sql,
} from '../../src/store/database.ts'
import { driverTarget } from '../../src/store/database-target.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { seeded } from '../support/seeded.ts'
import { tcpGate } from '../support/tcp-gate.ts'
import { until } from '../support/until.ts'

const another = (db: TestDatabase, applicationName: string, max = 1): Sql =>
  openDatabase({ ...db.connection, max, applicationName, log: silentLog })

// With the driver's own reconnecting this hangs, throws from a timer, or leaves a ≠ b.
test('sessions ended at random cost their own transactions and nothing else', async () => {
  await using db = await freshDatabase()
  const random = seeded()
  onTestFailed(() => void process.stdout.write(`seed ${random.seed}\n`))
  const sql = another(db, 'victim', 4)
  await db.sql`create table t (a bigint, b bigint)`
  await db.sql`insert into t values (0, 0)`
  let done = 0
  let ended = 0
  const mover = async () => {
    while (ended < 60) {
      try {
        await inTransaction(sql, async (tx) => {
          await tx`update t set a = a + 1`
          if (random.int(3) === 0) await turn()
          if (random.int(10) === 0) await tx`select pg_sleep(0.001)`.catch(() => {})
          await Promise.all([
            tx`select 1`,
            tx`update t set b = b + 1`,
            tx`select ${random.int(9)}::int`,
          ])
        })
        done += 1
      } catch (error) {
        expect(isConnectionLoss(error), String(error)).toBe(true)
        await turn()
      }
    }
  }
  const ender = async () => {
    while (ended < 60) {
      const rows = await db.sql`
        select pg_terminate_backend(pid)
        from pg_stat_activity
        where application_name = 'victim' and datname = current_database()
        order by random()
        limit 1`
      ended += rows.length
    }
  }
  await Promise.all([ender(), ...Array.from({ length: 12 }, mover)])
  await sql.end()
  const [row] = await db.sql<[{ a: number; b: number }]>`select a, b from t`
  expect(row.a).toBe(row.b)
  expect(row.a).toBeGreaterThanOrEqual(done)
})

test('statements that wait for a lost connection are not executed on another', async () => {
  await using db = await freshDatabase()
  const sql = another(db, 'victim')
  await db.sql`create table t (id int)`
  const body = sql.begin('write', async (tx) => {
    const fatal = tx`select pg_terminate_backend(pg_backend_pid())`.execute()
    // New statements with parameters make the driver hold back what follows them.
    const held = [1, 2, 3].map((id) => tx`insert into t values (${id}::int)`.catch(() => {}))
    const simple = [4, 5].map((id) => tx.unsafe(`insert into t values (${id})`).catch(() => {}))
    await Promise.all([fatal, ...held, ...simple])
  })
  await expect(body).rejects.toSatisfy(isConnectionLoss)
  await sql`select 1`
  // The driver would have connected again within 10 ms.
  await db.sql`select pg_sleep(0.15)`
  const [row] = await db.sql<[{ sessions: number }]>`
    select count(*) as sessions
    from pg_stat_activity
    where application_name = 'victim' and datname = current_database()`
  expect(row.sessions).toBe(1)
  expect(await db.sql`select id from t`).toHaveLength(0)
  await sql.end()
})

test('a server that goes silent counts as lost', async () => {
  await using db = await freshDatabase()
  // The tests' server may be behind a socket or an URL.
  const { options, url } = driverTarget(db.connection)
  const behind = new URL(url ?? 'postgres://localhost')
  await using gate = await tcpGate(
    options.path
      ? { path: options.path }
      : { host: behind.hostname, port: Number(behind.port || 5432) },
  )
  const through = {
    ...{ username: behind.username, password: behind.password, ...options, path: undefined },
    ...{ host: '127.0.0.1', port: gate.port, max: 1, database: db.name },
  }
  const words = postgres(through)
  const connection = openConnection({
    ...{ options: words.options, answerTimeoutMs: 150, openedAt: 0 },
  })
  const ask = () => {
    const query: unknown = words`select 1 as one`
    if (!isQuery(query)) throw new TypeError('no query')
    query.handler = (made) => connection.run(made)
    return query
  }
  expect(await ask()).toMatchObject([{ one: 1 }])
  gate.freeze()
  await expect(ask()).rejects.toMatchObject({ code: 'ANSWER_TIMEOUT' })
  expect(connection.usable()).toBe(false)
  await expect(ask()).rejects.toSatisfy(isConnectionLoss)
  await connection.close(0)
})

test('statements get a free connection in the order of asking, and no more than the most', async () => {
  await using db = await freshDatabase()
  const ask = async (sql: Sql) => {
    const order: number[] = []
    const pids = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const [row] = await sql<[{ pid: number }]>`
          select pg_backend_pid() as pid from pg_sleep(${n < 2 ? 0.02 : 0})`
        order.push(n)
        return row.pid
      }),
    )
    await sql.end()
    return { order, sessions: new Set(pids).size }
  }
  const inOrder = Array.from({ length: 20 }, (_, n) => n)
  expect(await ask(another(db, 'one', 1))).toEqual({ order: inOrder, sessions: 1 })
  expect(await ask(another(db, 'three', 3))).toMatchObject({ sessions: 3 })
})

test('closing lets a running statement finish and refuses new ones', async () => {
  await using db = await freshDatabase()
  const sql = another(db, 'closing')
  const running = sql`select 1 as one from pg_sleep(0.05)`
  const waiting = sql`select 2`
  const outcome = Promise.allSettled([running, waiting])
  await until('the statement runs', async () => {
    const [row] = await db.sql<[{ count: number }]>`
      select count(*) from pg_stat_activity
      where application_name = 'closing' and query like '%pg_sleep%'`
    return row.count > 0
  })
  await Promise.all([sql.end(), sql.end()])
  expect(await outcome).toMatchObject([
    { status: 'fulfilled', value: [{ one: 1 }] },
    { status: 'rejected', reason: { code: 'CONNECTION_ENDED' } },
  ])
  const late = await sql`select 3`.catch((error: unknown) => error)
  expect(late).toMatchObject({ code: 'CONNECTION_ENDED' })
  expect(isConnectionLoss(late)).toBe(false)
})

test('an old connection is replaced after its statement', async () => {
  await using db = await freshDatabase()
  let now = 0
  const clock = { now: () => now, sleep: async () => {} }
  const options = { max: 1, applicationName: 'ageing', log: silentLog, clock }
  const sql = openDatabase({ ...db.connection, ...options })
  const session = async () => (await sql<[{ pid: number }]>`select pg_backend_pid() as pid`)[0].pid
  const first = await session()
  expect(await session()).toBe(first)
  now = 60 * 60_000
  expect(await session()).toBe(first)
  expect(await session()).not.toBe(first)
  await sql.end()
})

test('a listener hears what is notified, also after its session was ended', async () => {
  await using db = await freshDatabase()
  const sql = another(db, 'listener')
  const heard: string[] = []
  let standing = 0
  sql.listen(
    'wake "up"',
    (payload) => void heard.push(payload),
    () => {
      standing += 1
    },
  )
  await until('it listens', () => standing === 1)
  await db.sql.notify('wake "up"', 'one')
  await until('it hears', () => heard.length === 1)
  await db.sql`
    select pg_terminate_backend(pid)
    from pg_stat_activity
    where query like 'listen%' and datname = current_database()`
  await until('it listens again', () => standing === 2)
  await db.sql.notify('wake "up"', 'two')
  await until('it hears again', () => heard.length === 2)
  expect(heard).toEqual(['one', 'two'])
  await sql.end()
  const [row] = await db.sql<[{ count: number }]>`
    select count(*) from pg_stat_activity where application_name = 'listener'`
  expect(row.count).toBe(0)
})
