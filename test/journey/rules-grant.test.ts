import { afterEach, expect, test } from 'vitest'
import { armFailpoints } from '../../src/failpoint.ts'
import { setBan, setGrantedTier } from '../../src/store/customers.ts'
import type { Sql } from '../../src/store/database.ts'
import { setConfig } from '../../src/store/pool.ts'
import { freshDatabase } from '../support/database.ts'
import {
  journeyOn,
  passDays,
  poolSats,
  priced,
  someKey,
  type TestJourney,
} from '../support/journey.ts'

afterEach(() => armFailpoints(undefined))

/** A working job whose invoice promised `promisedSats` and is paid, on whatever the pool has by then. */
async function promised(journey: TestJourney, customer: string, estimatedSats: number) {
  const job = await journey.job(priced({ customer, estimatedSats }))
  expect(job).toMatchObject({ serve: 'partial', state: 'accepted' })
  return { job, paymentHash: await journey.invoice(job) }
}

/** Empties the pool but for `left` by the free work of somebody else. */
async function drain(sql: Sql, journey: TestJourney, left: number): Promise<void> {
  await setConfig(sql, 'budgets', { elite: 1_000_000 })
  const customer = await journey.granted('elite')
  const estimatedSats = (await poolSats(sql)) - left
  await journey.job(priced({ customer, estimatedSats }))
  expect(await poolSats(sql)).toBe(left)
}

const dayOf = (sql: Sql, customer: string) => sql`
  select day = (now() at time zone 'utc')::date as today, absorbed_sats, net_paid_sats, shortfall_sats
  from customer_days where customer = ${customer} order by day`

const poolDays = (sql: Sql) => sql`
  select day = (now() at time zone 'utc')::date as today, absorbed_sats, credited_sats, shortfall_sats
  from pool_days order by day`

test('free work leaves the pool in the transaction that makes the job, before any work', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  const job = await journey.job(priced({ customer, estimatedSats: 120 }))
  const [row] = await db.sql<{ one: boolean; sats: number }[]>`
    select j.xmin = t.xmin and j.xmin = a.xmin as one, t.sats
    from jobs j, transfers t, accounts a
    where j.id = ${job.id} and t.job_id = j.id and t.kind = 'reserve' and a.name = 'pool'`
  expect(row).toEqual({ one: true, sats: 120 })
  expect(await poolSats(db.sql)).toBe(9_880)
})

test('a process that dies before that commit leaves neither a job nor a debit', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  armFailpoints((name) => {
    if (name === 'accept:before-commit') throw new Error('died')
  })
  const request = priced({ customer, estimatedSats: 120 })
  await expect(journey.accept.add(request)).rejects.toThrow('died')
  armFailpoints(undefined)
  expect(await poolSats(db.sql)).toBe(10_000)
  expect(await db.sql`select id from jobs`).toEqual([])
  expect(await journey.job(request)).toMatchObject({ serve: 'free', reservedSats: 120 })
})

test('a partial decision is advisory: it touches no pool row until the payment', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const pool = () => db.sql`select xmin, balance_sats from accounts where name = 'pool'`
  const before = await pool()
  const customer = await journey.granted('trusted')
  const { job, paymentHash } = await promised(journey, customer, 300)
  expect(job).toMatchObject({ promisedSats: 200, reservedSats: 0, freeTier: false })
  expect(await pool()).toEqual(before)
  expect(await dayOf(db.sql, customer)).toEqual([])
  await journey.pay(paymentHash, 100)
  expect(await journey.read(job.id)).toMatchObject({ reservedSats: 200, freeTier: true })
  expect(await poolSats(db.sql)).toBe(9_800)
})

test('reservePartialGrant takes what the room of the moment of payment reaches', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql, { poolDailyOutflowPct: 100 })
  const customer = await journey.granted('trusted')
  const { job, paymentHash } = await promised(journey, customer, 300)
  await drain(db.sql, journey, 70)
  await journey.pay(paymentHash, 100)
  expect(await journey.read(job.id)).toMatchObject({ state: 'working', reservedSats: 70 })
  expect(await poolSats(db.sql)).toBe(0)
  await journey.expectClean()
})

test('a pool drained in between gives nothing, the work goes on and no account is wrong', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql, { poolDailyOutflowPct: 100 })
  const customer = await journey.granted('trusted')
  const { job, paymentHash } = await promised(journey, customer, 300)
  await drain(db.sql, journey, 0)
  await journey.pay(paymentHash, 100)
  const working = await journey.read(job.id)
  expect(working).toMatchObject({ state: 'working', reservedSats: 0, freeTier: false })
  await journey.expectClean()
  expect(await journey.finish(working, 280)).toMatchObject({ state: 'done', chargeSats: 100 })
  await journey.expectClean()
})

test('what the pool could not keep is booked to the operator and counts for the key like a grant', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql, { poolDailyOutflowPct: 100 })
  const customer = await journey.granted('trusted')
  const { job, paymentHash } = await promised(journey, customer, 300)
  await drain(db.sql, journey, 0)
  await journey.pay(paymentHash, 100)
  await journey.pay(await journey.funding(someKey(), 5_000, 'donate'), 5_000)
  // From the payment on, not only when it is settled: else the same room is promised twice.
  const room = async () => {
    const why = await journey.ask(customer, { name: 'why' })
    return why.type === 'why' ? why.terms.budgetLeftSats : undefined
  }
  expect(await room()).toBe(0)
  expect(await journey.finish(await journey.read(job.id), 280)).toMatchObject({
    ...{ absorbedSats: 0, shortfallSats: 180, refundSats: 0 },
  })
  expect(await room()).toBe(20)
  expect(await dayOf(db.sql, customer)).toEqual([
    { today: true, absorbedSats: 0, netPaidSats: 100, shortfallSats: 180 },
  ])
  const [transfer] = await db.sql`
    select debit, sats from transfers where kind = 'shortfall' and job_id = ${job.id}`
  expect(transfer).toEqual({ debit: 'operator', sats: 180 })
  expect((await poolDays(db.sql))[0]).toMatchObject({ shortfallSats: 180 })
  await journey.expectClean()
})

test('the refund follows what was really absorbed, not what was promised', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql, { poolDailyOutflowPct: 100 })
  const customer = await journey.granted('trusted')
  const { job, paymentHash } = await promised(journey, customer, 300)
  await drain(db.sql, journey, 70)
  await journey.pay(paymentHash, 100)
  // By the promise of 200 all 100 sats would go back; 70 were there, so 80 of the 150 are to be paid.
  expect(await journey.finish(await journey.read(job.id), 150)).toMatchObject({
    ...{ absorbedSats: 70, refundSats: 20, shortfallSats: 0 },
  })
  expect(await journey.balance(customer)).toBe(20)
  await journey.expectClean()
})

test('what was reserved and not used returns to the pool and to the budget', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  const job = await journey.job(priced({ customer, estimatedSats: 200 }))
  expect(await journey.job(priced({ customer }))).toMatchObject({ serve: 'gate' })
  await journey.finish(job, 50)
  expect(await poolSats(db.sql)).toBe(9_950)
  expect(await journey.job(priced({ customer, estimatedSats: 150 }))).toMatchObject({
    serve: 'free',
  })
  await journey.expectClean()
})

test('a reservation of yesterday that settles today returns to the budgets of yesterday', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  const old = await journey.job(priced({ customer, estimatedSats: 200 }))
  await passDays(db.sql, 1)
  const young = await journey.job(priced({ customer, estimatedSats: 160 }))
  expect(young).toMatchObject({ serve: 'free', reservedSats: 160 })
  await journey.finish(await journey.read(old.id), 30)
  expect(await dayOf(db.sql, customer)).toMatchObject([
    { today: false, absorbedSats: 30 },
    { today: true, absorbedSats: 160 },
  ])
  expect(await poolDays(db.sql)).toMatchObject([
    { today: false, absorbedSats: 30 },
    { today: true, absorbedSats: 160 },
  ])
  const returned = await db.sql`
    select sats, day = (now() at time zone 'utc')::date as today from transfers
    where kind = 'returned'`
  expect(returned).toEqual([{ sats: 170, today: false }])
  // Given back to today, the budget would have 210 left instead of 40.
  expect(await journey.job(priced({ customer, estimatedSats: 60 }))).toMatchObject({
    ...{ serve: 'partial', promisedSats: 40 },
  })
  await journey.finish(young, 160)
  await journey.expectClean()
})

test('budgets, grants and jobs show the sats that were used, beside those that were reserved', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  const job = await journey.finish(await journey.job(priced({ customer, estimatedSats: 120 })), 45)
  expect(job).toMatchObject({ freeTier: true, absorbedSats: 45, reservedSats: 120, actualSats: 45 })
  const [grant] = await db.sql`
    select job_id, customer, tier, source, reserved_sats, absorbed_sats from free_tier_grants`
  expect(grant).toEqual({
    ...{ jobId: job.id, customer, tier: 'trusted', source: 'granted' },
    ...{ reservedSats: 120, absorbedSats: 45 },
  })
  expect(await dayOf(db.sql, customer)).toMatchObject([{ absorbedSats: 45 }])
  expect(await poolDays(db.sql)).toMatchObject([{ absorbedSats: 45 }])
})

test('the tier new gets nothing, not even when a budget is set for it', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  await setConfig(db.sql, 'budgets', { new: 1_000 })
  const fresh = await journey.paid(priced({ estimatedSats: 100 }))
  expect(fresh).toMatchObject({ tier: 'new', serve: 'gate', reservedSats: 0, chargeSats: 100 })
  // One that has paid, so that the ratio alone would not stop it.
  const fallen = fresh.customer
  await journey.finish(fresh, 100)
  await journey.granted('trusted', fallen)
  const promise = await promised(journey, fallen, 300)
  await setGrantedTier(db.sql, fallen, null, 'granted')
  await journey.pay(promise.paymentHash, 100)
  expect(await journey.read(promise.job.id)).toMatchObject({ reservedSats: 0, paidSats: 100 })
  expect(await poolSats(db.sql)).toBe(10_010)
})

test('a ban between promise and payment takes the pool out of it, and the work goes on', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  const { job, paymentHash } = await promised(journey, customer, 300)
  await setBan(db.sql, customer, { reason: 'spam' })
  await journey.pay(paymentHash, 100)
  expect(await journey.read(job.id)).toMatchObject({ state: 'working', reservedSats: 0 })
})

test('a paused pool serves nobody free and keeps the promises it made', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  const { job, paymentHash } = await promised(journey, customer, 300)
  await setConfig(db.sql, 'pool_paused', true)
  const other = await journey.granted('elite')
  expect(await journey.job(priced({ customer: other }))).toMatchObject({ serve: 'gate' })
  await journey.pay(paymentHash, 100)
  expect(await journey.read(job.id)).toMatchObject({ reservedSats: 200 })
  await setConfig(db.sql, 'pool_paused', false)
  expect(await journey.job(priced({ customer: other }))).toMatchObject({ serve: 'free' })
})

test('a grant carries the standing it was taken under, not that of the promise', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  const { job, paymentHash } = await promised(journey, customer, 300)
  await setGrantedTier(db.sql, customer, 'established', 'rank')
  await journey.pay(paymentHash, 100)
  await journey.finish(await journey.read(job.id), 300)
  const grants = await db.sql`select tier, source, absorbed_sats from free_tier_grants`
  expect(grants).toEqual([{ tier: 'established', source: 'rank', absorbedSats: 50 }])
  await journey.expectClean()
})

test('a cost above the quote is the operator’s, and the quote is not exceeded', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const job = await journey.finish(await journey.paid(priced({ estimatedSats: 100 })), 130)
  expect(job).toMatchObject({ paidSats: 100, refundSats: 0, shortfallSats: 30, actualSats: 130 })
  expect(await dayOf(db.sql, job.customer)).toMatchObject([{ netPaidSats: 100, shortfallSats: 0 }])
  await journey.expectClean()
})
