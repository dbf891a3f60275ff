import { expect, test } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { TRANSACTION_TRIES } from '../../src/limits.ts'
import {
  inTransaction,
  isConnectionLoss,
  openDatabase,
  sqlState,
} from '../../src/store/database.ts'
import { freshDatabase } from '../support/database.ts'

const FAIL = (state: string) =>
  `do $$ begin raise exception 'planned' using errcode = '${state}'; end $$`

for (const state of ['40001', '40P01']) {
  test(`a body rolled back by a race (${state}) runs again until it commits`, async () => {
    await using db = await freshDatabase()
    await db.sql`create table t (attempt int)`
    let attempt = 0
    const answer = await inTransaction(db.sql, async (tx) => {
      attempt += 1
      await tx`insert into t values (${attempt})`
      if (attempt < 3) await tx.unsafe(FAIL(state))
      return attempt
    })
    expect(answer).toBe(3)
    expect([...(await db.sql`select attempt from t`)]).toEqual([{ attempt: 3 }])
  })
}

test('a race that never ends is given up after the last try', async () => {
  await using db = await freshDatabase()
  let attempts = 0
  const pauses: number[] = []
  const body = inTransaction(
    db.sql,
    async (tx) => {
      attempts += 1
      await tx.unsafe(FAIL('40001'))
    },
    { random: () => 0.5, clock: { now: () => 0, sleep: async (ms) => void pauses.push(ms) } },
  )
  await expect(body).rejects.toMatchObject({ code: '40001' })
  expect(attempts).toBe(TRANSACTION_TRIES)
  expect(pauses).toEqual([5, 10, 20, 40, 80])
})

test('two transactions that lock each other both commit in the end', async () => {
  await using db = await freshDatabase()
  const { sql } = db
  await sql`create table t (id int primary key, n int)`
  await sql`insert into t values (1, 0), (2, 0)`
  let [attempts, hold] = [0, 0]
  const both = Promise.withResolvers<void>()
  const crossing = (first: number, then: number) => {
    return inTransaction(sql, async (tx) => {
      attempts += 1
      await tx`set local deadlock_timeout = '20ms'`
      await tx`update t set n = n + 1 where id = ${first}`
      hold += 1
      if (hold === 2) both.resolve()
      await both.promise
      await tx`update t set n = n + 1 where id = ${then}`
    })
  }
  await Promise.all([crossing(1, 2), crossing(2, 1)])
  expect(attempts).toBeGreaterThan(2)
  expect(await sql`select n from t`.values()).toEqual([[2], [2]])
})

test('any other failure is thrown at once and leaves nothing', async () => {
  await using db = await freshDatabase()
  await db.sql`create table t (id int constraint t_once unique)`
  let attempts = 0
  const body = inTransaction(db.sql, async (tx) => {
    attempts += 1
    await tx`insert into t values (1)`
    await tx`insert into t values (1)`
  })
  await expect(body).rejects.toMatchObject({ code: '23505', constraint_name: 't_once' })
  const thrown = new Error('of the body')
  await expect(
    inTransaction(db.sql, async (tx) => {
      await tx`insert into t values (2)`
      throw thrown
    }),
  ).rejects.toBe(thrown)
  expect(attempts).toBe(1)
  expect(await db.sql`select id from t`).toHaveLength(0)
})

// Retried, a transaction whose answer was lost could be done twice.
test('a connection lost inside a transaction is not retried', async () => {
  await using db = await freshDatabase()
  let attempts = 0
  const body = inTransaction(db.sql, async (tx) => {
    attempts += 1
    await tx`select pg_terminate_backend(pg_backend_pid())`
  })
  await expect(body).rejects.toSatisfy(isConnectionLoss)
  expect(attempts).toBe(1)
  expect([...(await db.sql`select 1 as alive`)]).toEqual([{ alive: 1 }])
})

// Executed, each of these would be a transaction of its own: half of a movement of money.
test('a statement that comes after the end of its transaction is refused', async () => {
  await using db = await freshDatabase({ max: 1 })
  const { sql } = db
  await sql`create table t (id int)`
  let afterCommit: Promise<unknown> | undefined
  await sql.begin('write', async (tx) => {
    afterCommit = new Promise((resolve) => setImmediate(resolve)).then(async () => {
      await sql`select 1`
      await tx`insert into t values (1)`
    })
  })
  await expect(afterCommit).rejects.toThrow(/over/)
  let branch: Promise<unknown> | undefined
  const both = sql.begin('write', async (tx) => {
    const slow = async () => {
      await tx`select pg_sleep(0.02)`.catch(() => {})
      await tx`insert into t values (2)`
    }
    branch = slow()
    await Promise.all([branch, Promise.reject(new Error('first'))])
  })
  await expect(both).rejects.toThrow('first')
  await expect(branch).rejects.toThrow()
  expect(await sql`select id from t`).toHaveLength(0)
})

test('a body that goes on after a lost connection executes nothing', async () => {
  await using db = await freshDatabase()
  await db.sql`create table t (id int)`
  const body = db.sql.begin('write', async (tx) => {
    await tx`select pg_terminate_backend(pg_backend_pid())`.catch(() => {})
    for (let id = 0; id < 5; id += 1) await tx`insert into t values (${id})`.catch(() => {})
  })
  await expect(body).rejects.toSatisfy(isConnectionLoss)
  expect(await db.sql`select id from t`).toHaveLength(0)
})

// The server answers such a COMMIT with ROLLBACK and no error.
test('a body that ignores a failed statement does not count as committed', async () => {
  await using db = await freshDatabase()
  await db.sql`create table t (id int)`
  const body = inTransaction(db.sql, async (tx) => {
    await tx`insert into t values (1)`
    await tx`select 1 / 0`.catch(() => {})
    return 'fine'
  })
  await expect(body).rejects.toThrow(/rolled back/)
  expect(await db.sql`select id from t`).toHaveLength(0)
})

test('a pause inside a transaction is ended by the server', async () => {
  await using db = await freshDatabase()
  const sql = openDatabase({
    ...{ ...db.connection, max: 1, applicationName: 'forgetful', log: silentLog },
    settings: { idle_in_transaction_session_timeout: '30ms' },
  })
  const error = await sql
    .begin('write', async (tx) => {
      await tx`select 1`
      await db.sql`select pg_sleep(0.1)`
      await tx`select 2`
    })
    .catch((reason: unknown) => reason)
  expect(isConnectionLoss(error), String(error)).toBe(true)
  expect(sqlState(await sql`select 1`.catch((e: unknown) => e))).toBeUndefined()
  await sql.end()
})
