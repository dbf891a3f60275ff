import { expect, test } from 'vitest'
import type { Sql } from '../../src/store/database.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, poolSats, priced, someKey } from '../support/journey.ts'

/** What a customer was told of its balance, oldest first. */
async function toldOfBalance(sql: Sql, customer: string) {
  const rows = await sql<{ reply: Record<string, unknown> }[]>`
    select reply from outbox where customer = ${customer} and reply ->> 'type' = 'balance'
    order by id`
  return rows.map(({ reply }) => reply)
}

const account = async (sql: Sql, name: 'operator' | 'lightning') => {
  const [row] = await sql<{ sats: number }[]>`
    select balance_sats as sats from accounts where name = ${name}`
  return row?.sats
}

test('a top-up is one invoice that becomes balance, with one DM and its fee booked', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = someKey()
  const paymentHash = await journey.funding(customer, 1_000)
  expect(await journey.pay(paymentHash, 1_000, 3)).toMatchObject({ outcome: 'balance' })
  expect(await journey.pay(paymentHash, 1_000, 3)).toEqual({ outcome: 'nothing' })
  expect(await journey.balance(customer)).toBe(1_000)
  expect(await toldOfBalance(db.sql, customer)).toMatchObject([
    { change: 1_000, availableSats: 1_000, reason: 'topup' },
  ])
  expect(await account(db.sql, 'lightning')).toBe(997)
  expect(await account(db.sql, 'operator')).toBe(-10_003)
  await journey.expectClean()
})

test('a request that comes again does not make a second invoice', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const { to, message } = priced()
  const command = { name: 'topup' as const, sats: 500 }
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => journey.funds.obey({ to, message }, command)),
  )
  expect(answers.filter(({ fresh }) => fresh)).toHaveLength(1)
  expect(await db.sql`select state from invoices`).toEqual([{ state: 'open' }])
})

test('free work leaves a balance alone', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  await journey.topUp(customer, 500)
  const job = await journey.job(priced({ customer, estimatedSats: 200 }))
  expect(job).toMatchObject({ serve: 'free', paidFrom: 'pool', paidSats: 0, reservedSats: 200 })
  await journey.finish(job, 90)
  expect(await journey.balance(customer)).toBe(500)
  await journey.expectClean()
})

test('partial work holds its charge and reserves its discount at once, and settles at the true cost', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  await journey.topUp(customer, 500)
  const job = await journey.job(priced({ customer, estimatedSats: 300 }))
  expect(job).toMatchObject({
    ...{ state: 'working', serve: 'partial', paidFrom: 'balance' },
    ...{ paidSats: 100, reservedSats: 200, promisedSats: 0, heldSats: 300 },
  })
  expect(await journey.balance(customer)).toBe(400)
  expect(await poolSats(db.sql)).toBe(9_800)
  // The pool pays first: 150 of its 200, and nothing of the 100.
  await journey.finish(job, 150)
  expect(await journey.balance(customer)).toBe(500)
  expect(await poolSats(db.sql)).toBe(9_850)
  await journey.expectClean()
})

test('full work is held, and what it did not cost is balance again', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = someKey()
  await journey.topUp(customer, 500)
  const job = await journey.job(priced({ customer, estimatedSats: 300 }))
  expect(job).toMatchObject({ state: 'working', serve: 'gate', paidSats: 300, reservedSats: 0 })
  expect(await journey.balance(customer)).toBe(200)
  const done = await journey.finish(job, 120)
  expect(done).toMatchObject({ refundSats: 180, actualSats: 120 })
  expect(await journey.balance(customer)).toBe(380)
  expect(await poolSats(db.sql)).toBe(10_012)
  await journey.expectClean()
})

test('what the pool absorbs is never more than the work did cost', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  await journey.topUp(customer, 1_000)
  const job = await journey.job(priced({ customer, estimatedSats: 900 }))
  expect(await journey.finish(job, 40)).toMatchObject({ absorbedSats: 40, refundSats: 700 })
  expect(await journey.balance(customer)).toBe(1_000)
  await journey.expectClean()
})

test('work that fails gives the whole hold back', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  await journey.topUp(customer, 500)
  await journey.fail(await journey.job(priced({ customer, estimatedSats: 300 })))
  expect(await journey.balance(customer)).toBe(500)
  expect(await poolSats(db.sql)).toBe(10_000)
  await journey.expectClean()
})

test('a balance that does not cover the whole charge is left alone, and the invoice asks for all of it', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = someKey()
  await journey.topUp(customer, 99)
  const job = await journey.job(priced({ customer, estimatedSats: 100 }))
  expect(job).toMatchObject({ state: 'accepted', paidFrom: null, chargeSats: 100, paidSats: 0 })
  expect(await journey.balance(customer)).toBe(99)
  await journey.pay(await journey.invoice(job), 100)
  const working = await journey.read(job.id)
  expect(working).toMatchObject({ paidFrom: 'invoice', paidSats: 100 })
  await journey.finish(working, 60)
  expect(await journey.balance(customer)).toBe(139)
  await journey.expectClean()
})

test('two jobs that arrive together do not spend one balance twice', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = someKey()
  await journey.topUp(customer, 250)
  const jobs = await Promise.all(
    Array.from({ length: 6 }, () => journey.job(priced({ customer, estimatedSats: 100 }))),
  )
  expect(jobs.filter(({ paidFrom }) => paidFrom === 'balance')).toHaveLength(2)
  expect(jobs.filter(({ state }) => state === 'accepted')).toHaveLength(4)
  expect(await journey.balance(customer)).toBe(50)
  await journey.expectClean()
})

test('a top-up earns no trust, and neither does what comes back from a job', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = someKey()
  await journey.topUp(customer, 50_000)
  await journey.finish(await journey.job(priced({ customer, estimatedSats: 40_000 })), 10)
  const why = await journey.ask(customer, { name: 'why' })
  expect(why).toMatchObject({ terms: { netPaidSats: 10 } })
})

test('a payment above the price is work, the rest balance, and one DM says so', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const job = await journey.job(priced({ estimatedSats: 100 }))
  const paymentHash = await journey.invoice(job)
  expect(await journey.pay(paymentHash, 130, 1)).toMatchObject({ outcome: 'working' })
  expect(await journey.read(job.id)).toMatchObject({ state: 'working', paidSats: 100 })
  expect(await toldOfBalance(db.sql, job.customer)).toMatchObject([
    { change: 30, availableSats: 30, reason: 'overpaid', jobId: String(job.id) },
  ])
  await journey.finish(await journey.read(job.id), 100)
  expect(await journey.balance(job.customer)).toBe(30)
  expect(await account(db.sql, 'lightning')).toBe(129)
  await journey.expectClean()
})

test('a payment below the price is balance, and its job waits on', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const job = await journey.job(priced({ estimatedSats: 100 }))
  const paymentHash = await journey.invoice(job)
  expect(await journey.pay(paymentHash, 60)).toMatchObject({ outcome: 'balance' })
  expect(await journey.read(job.id)).toMatchObject({ state: 'awaiting_payment', heldSats: 0 })
  expect(await journey.balance(job.customer)).toBe(60)
  expect(await account(db.sql, 'lightning')).toBe(60)
  await journey.expectClean()
})

test.each([
  { road: 'expire' as const, reason: 'late_payment' },
  { road: 'cancel' as const, reason: 'cancelled_payment' },
])('a payment after $road is balance, with one DM that says so', async ({ road, reason }) => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  const job = await journey.job(priced({ customer, estimatedSats: 300 }))
  const paymentHash = await journey.invoice(job)
  expect(await journey[road](job)).toMatchObject({ state: 'expired' })
  expect(await journey.pay(paymentHash, 100, 2)).toMatchObject({ outcome: 'balance' })
  expect(await journey.balance(customer)).toBe(100)
  expect(await toldOfBalance(db.sql, customer)).toMatchObject([
    { change: 100, reason, jobId: String(job.id) },
  ])
  expect(await poolSats(db.sql)).toBe(10_000)
  expect(await account(db.sql, 'lightning')).toBe(98)
  await journey.expectClean()
})

test('a payment that is seen many times at once is booked once and starts one job', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const job = await journey.job(priced({ estimatedSats: 100 }))
  const paymentHash = await journey.invoice(job)
  const seen = await Promise.all(Array.from({ length: 20 }, () => journey.pay(paymentHash, 100, 1)))
  expect(seen.filter(({ outcome }) => outcome === 'working')).toHaveLength(1)
  expect(seen.filter(({ outcome }) => outcome === 'nothing')).toHaveLength(19)
  expect(await journey.pay(paymentHash, 100, 1)).toEqual({ outcome: 'nothing' })
  const steps = await db.sql`select step from outbox where job_id = ${job.id}`
  expect(steps).toEqual([{ step: 'working' }])
  expect(await account(db.sql, 'lightning')).toBe(99)
  await journey.expectClean()
})

test('a donation fills the pool, and a hash that is not ours changes nothing', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const paymentHash = await journey.funding(someKey(), 700, 'donate')
  expect(await journey.pay(paymentHash, 700, 4)).toMatchObject({ outcome: 'donated' })
  expect(await journey.pay(someKey(), 700)).toEqual({ outcome: 'nothing' })
  expect(await poolSats(db.sql)).toBe(10_700)
  expect(await account(db.sql, 'operator')).toBe(-10_004)
  await journey.expectClean()
})

// Of a payment and a cancel in the same moment one wins, and the money is somewhere either way.
test('a payment and a cancel in the same moment leave work or balance, never both or none', async () => {
  await using db = await freshDatabase({ max: 8 })
  const journey = await journeyOn(db.sql)
  for (let round = 0; round < 10; round += 1) {
    const job = await journey.job(priced({ estimatedSats: 100 }))
    const paymentHash = await journey.invoice(job)
    const [ended] = await Promise.all([journey.cancel(job), journey.pay(paymentHash, 100)])
    const after = await journey.read(job.id)
    const balance = await journey.balance(job.customer)
    expect([`working 0`, `expired 100`]).toContain(`${after.state} ${balance}`)
    expect(ended.id).toBe(job.id)
  }
  await journey.expectClean()
})
