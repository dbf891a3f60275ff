import { afterAll, beforeAll, expect, test } from 'vitest'
import { inTransaction, type Sql, type Tx } from '../../src/store/database.ts'
import { type InboxMessage, loadCursor, saveCursors, takeIn } from '../../src/store/inbox.ts'
import { findJobsOfRumors, readJob } from '../../src/store/jobs.ts'
import { jobLane } from '../../src/store/lanes.ts'
import { lockPool, post } from '../../src/store/ledger.ts'
import { putReplies } from '../../src/store/outbox.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { journeyOn, priced, someKey, type TestJourney } from '../support/journey.ts'
import { until } from '../support/until.ts'

let db: TestDatabase
let journey: TestJourney

beforeAll(async () => {
  db = await freshDatabase({ max: 10 })
  journey = await journeyOn(db.sql)
})

afterAll(() => db[Symbol.asyncDispose]())

test('a cursor moves forward only: a replica that was behind undoes nothing', async () => {
  expect(await loadCursor(db.sql, 'ws://relay', 'dm')).toBeUndefined()
  const cursor = { relay: 'ws://relay', stream: 'dm' }
  for (const liveUntil of [1_000, 900, 1_100, 1_050]) {
    await saveCursors(db.sql, [{ ...cursor, liveUntil }])
  }
  expect(await loadCursor(db.sql, 'ws://relay', 'dm')).toBe(1_100)
})

test('a transfer to an account that is nobody’s books nothing', async () => {
  for (const credit of [`customer:${someKey()}`, 'job:77', 'withdrawal:77']) {
    const moving = inTransaction(db.sql, async (tx) => {
      await lockPool(tx)
      const cause = { kind: 'pool_add' as const, ref: credit, day: '2026-11-25' }
      await post(tx, [{ ...cause, debit: 'operator', credit, sats: 5 }])
    })
    await expect(moving).rejects.toThrow(credit)
  }
  await journey.expectClean()
})

test('a job is its customer’s alone, though another key begins alike', async () => {
  const { id, customer, rumorId } = await journey.job(priced())
  const alike = customer.slice(0, 32) + someKey().slice(32)
  expect(await readJob(db.sql, id, alike)).toBeUndefined()
  expect(await readJob(db.sql, id, customer)).toMatchObject({ id })
  expect(await findJobsOfRumors(db.sql, alike, [rumorId])).toEqual([])
  expect(await findJobsOfRumors(db.sql, customer, [rumorId])).toEqual([id])
  expect(await journey.answers.cancel(priced({ customer: alike }), String(id))).toMatchObject({
    replies: [{ reply: { type: 'refused', reason: 'unknown_job' } }],
  })
  expect(await journey.read(id)).toMatchObject({ state: 'accepted' })
})

test('a step of a job that has its reply already adds none', async () => {
  const job = await journey.job(priced())
  const reply = { to: job, jobId: job.id, step: 'invoice', reply: { type: 'invoice' } }
  const lease = { holder: 'a', seconds: 30 }
  expect(await putReplies(db.sql, [reply], lease)).toHaveLength(1)
  expect(await putReplies(db.sql, [reply], lease)).toEqual([])
})

test('a row that another replica is claiming is passed over, and not waited for', async () => {
  const jobs = [await journey.paid(priced()), await journey.paid(priced())]
  const [taken, free] = jobs.map(({ id }) => id)
  await db.sql`update jobs set lease = null, due_at = now() where state = 'working'`
  let claimed: number[] | undefined
  let claiming: Promise<void> | undefined
  await db.sql.begin('write', async (tx) => {
    await tx`select from jobs where id = ${taken ?? 0} for update`
    claiming = jobLane('working')
      .claim(db.sql, 50, 'other', 30)
      .then(({ rows }) => {
        claimed = rows.map(({ id }) => id)
      })
    await until('it claims or waits', async () => claimed || (await waiting(db.sql)) > 0)
    expect(claimed).toContain(free)
    expect(claimed).not.toContain(taken)
  })
  await claiming
})

/** A message that differs from its like in the last digit of its id. */
const message = (digit: number): InboxMessage => ({
  ...{ rumorAt: 1_795_000_000, rumorId: `${'0'.repeat(63)}${digit}`, sender: someKey() },
  ...{ via: 'nip17' as const, relay: null, proof: '{}' },
})

const first = message(1)
const second = message(2)

/*
 * Two that lock the same rows in another order wait for each other. Races find that by luck: here one
 * of them has the first row, and when the other waits, it must not have the second.
 */
test('rows are locked in the order of their ids, in whatever order they are named', async () => {
  const jobs = [await journey.paid(priced()), await journey.paid(priced())]
  const [a, b] = jobs.map(({ id }) => id)
  const renewing = () => jobLane('working').renew(db.sql, jobs.toReversed(), 30)
  await mayFollow(
    db.sql,
    (tx) => tx`select from jobs where id = ${a ?? 0} for update`,
    renewing,
    (tx) => tx`select from jobs where id = ${b ?? 0} for update`,
  )
  await mayFollow(
    db.sql,
    (tx) => takeIn(tx, [first]),
    () => inTransaction(db.sql, (tx) => takeIn(tx, [second, first])),
    (tx) => takeIn(tx, [second]),
  )
})

/** One transaction takes a row, another waits for it, and the first can still take what comes next. */
async function mayFollow(
  sql: Sql,
  take: (tx: Tx) => Promise<unknown>,
  other: () => Promise<unknown>,
  next: (tx: Tx) => Promise<unknown>,
): Promise<void> {
  let following: Promise<unknown> | undefined
  await sql.begin('write', async (tx) => {
    await take(tx)
    following = other()
    await until('the other waits', async () => (await waiting(sql)) > 0)
    await tx`set local lock_timeout = '50ms'`
    await next(tx)
  })
  await expect(following).resolves.toBeDefined()
}

/** Sessions of this database that wait for a lock. */
async function waiting(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*) as count from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`
  return row?.count ?? 0
}
