import postgres from 'postgres'
import { expect, test } from 'vitest'
import { inTransaction } from '../../src/store/database.ts'
import type { Connection, Query } from '../../src/store/connection.ts'
import { runTransaction } from '../../src/store/transaction.ts'
import { freshDatabase } from '../support/database.ts'

test('a transaction may end with a statement that nobody waits for', async () => {
  await using db = await freshDatabase()
  await db.sql`create table t (id int)`
  const answer = await inTransaction(db.sql, async (tx) => {
    tx.endWith(tx`insert into t values (1)`)
    return 'answered'
  })
  expect(answer).toBe('answered')
  expect(await db.sql`select id from t`.values()).toEqual([[1]])
})

test('the last statement fails its transaction with its own error', async () => {
  await using db = await freshDatabase({ max: 1 })
  await db.sql`create table t (id int constraint t_once unique)`
  const body = inTransaction(db.sql, async (tx) => {
    await tx`insert into t values (1)`
    tx.endWith(tx`insert into t values (1)`)
  })
  await expect(body).rejects.toMatchObject({ code: '23505', constraint_name: 't_once' })
  expect(await db.sql`select id from t`).toHaveLength(0)
})

test('a last statement lost to a race is repeated with its whole body', async () => {
  await using db = await freshDatabase()
  await db.sql`create table t (attempt int)`
  let attempts = 0
  await inTransaction(db.sql, async (tx) => {
    attempts += 1
    await tx`insert into t values (${attempts})`
    const state = attempts < 3 ? '40001' : '00000'
    tx.endWith(
      tx.unsafe(`do $$ begin if '${state}' <> '00000' then
        raise exception 'planned' using errcode = '${state}'; end if; end $$`),
    )
  })
  expect(await db.sql`select attempt from t`.values()).toEqual([[3]])
})

test('a body that throws after its last statement is rolled back', async () => {
  await using db = await freshDatabase({ max: 1 })
  await db.sql`create table t (id int)`
  const thrown = new Error('of the body')
  const body = inTransaction(db.sql, async (tx) => {
    tx.endWith(tx`insert into t values (1)`)
    throw thrown
  })
  await expect(body).rejects.toBe(thrown)
  expect(await db.sql`select id from t`).toHaveLength(0)
})

/** A session whose `begin` is answered by hand; all else is answered at once. */
function slowToBegin() {
  const sent: string[] = []
  const begin = Promise.withResolvers<void>()
  const connection: Connection = {
    usable: () => true,
    openedAt: 0,
    run(query: Query) {
      const text = String(Reflect.get(query, 'strings')[0])
      sent.push(text)
      const answer = () => query.resolve({ command: text.toUpperCase() })
      if (text.startsWith('begin')) begin.promise.then(answer, (error) => query.reject(error))
      else answer()
    },
    close: async () => {},
  }
  const connections = {
    borrow: async () => connection,
    giveBack: () => {},
    end: async () => {},
  }
  return { sent, begin, connections }
}

const words = postgres({ max: 1 })

// Executed after a begin that failed, a write would be a transaction of its own: half of a movement
// of money.
test('what reads leaves with the begin, what writes waits until it is answered', async () => {
  const { sent, begin, connections } = slowToBegin()
  const done = runTransaction(connections, words, 'write', async (tx) => {
    await tx`select 1`
    const write = tx`insert into t values (1)`.execute()
    const read = tx`select 2`.execute()
    await new Promise(setImmediate)
    expect(sent.slice(1)).toEqual(['select 1'])
    begin.resolve()
    await Promise.all([write, read])
  })
  await done
  expect(sent.slice(1)).toEqual(['select 1', 'insert into t values (1)', 'select 2', 'commit'])
})

test('a begin that fails leaves no write behind', async () => {
  const { sent, begin, connections } = slowToBegin()
  const failed = new Error('no transaction today')
  const done = runTransaction(connections, words, 'write', async (tx) => {
    await tx`select 1`
    const write = tx`with w as (select 1) insert into t select * from w`.execute()
    begin.reject(failed)
    await write
  })
  await expect(done).rejects.toBe(failed)
  const ended = runTransaction(connections, words, 'write', async (tx) => {
    tx.endWith(tx`insert into t values (1)`)
  })
  await expect(ended).rejects.toBe(failed)
  expect(sent.filter((text) => !text.startsWith('begin'))).toEqual([
    'select 1',
    'rollback',
    'rollback',
  ])
})
