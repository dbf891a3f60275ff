import { expect, test } from 'vitest'
import { readBalances, setBan, setGrantedTier } from '../../src/store/customers.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, poolSats, priced, someKey } from '../support/journey.ts'

test('a new key is gated, pays its invoice, and a tenth of the charge goes to the pool', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const job = await journey.paid(priced({ estimatedSats: 100 }))
  expect(job).toMatchObject({ state: 'working', serve: 'gate', paidFrom: 'invoice', paidSats: 100 })
  const done = await journey.finish(job, 70)
  expect(done).toMatchObject({ state: 'done', refundSats: 30, absorbedSats: 0, heldSats: 0 })
  expect(await poolSats(db.sql)).toBe(10_007)
  const balances = await readBalances(db.sql, [job.customer])
  expect(balances.get(job.customer)).toEqual({ availableSats: 30, balanceSats: 30 })
  await journey.expectClean()
})

test('a granted key is served free and the pool is debited before the work', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = someKey()
  await setGrantedTier(db.sql, customer, 'trusted', 'granted')
  const job = await journey.job(priced({ customer, estimatedSats: 120 }))
  expect(job).toMatchObject({ state: 'working', serve: 'free', reservedSats: 120, heldSats: 120 })
  expect(await poolSats(db.sql)).toBe(9_880)
  await journey.finish(job, 50)
  expect(await poolSats(db.sql)).toBe(9_950)
  await journey.expectClean()
})

test('a key that asks for more than its room is promised a part and gets it at payment', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = someKey()
  await setGrantedTier(db.sql, customer, 'trusted', 'granted')
  const job = await journey.job(priced({ customer, estimatedSats: 300 }))
  expect(job).toMatchObject({
    state: 'accepted',
    serve: 'partial',
    promisedSats: 200,
    chargeSats: 100,
  })
  expect(await poolSats(db.sql)).toBe(10_000)
  const paymentHash = await journey.invoice(job)
  await journey.payments.add({ paymentHash, amountSats: 100, feeSats: 0 })
  const working = await journey.read(job.id)
  expect(working).toMatchObject({ state: 'working', reservedSats: 200, paidSats: 100 })
  const done = await journey.finish(working, 250)
  expect(done).toMatchObject({ absorbedSats: 200, refundSats: 50, freeTier: true })
  const grants = await db.sql`select reserved_sats, absorbed_sats from free_tier_grants`
  expect(grants).toEqual([{ reservedSats: 200, absorbedSats: 200 }])
  await journey.expectClean()
})

test('a payment for an expired job goes to the balance, once', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const job = await journey.job(priced({ estimatedSats: 60 }))
  const paymentHash = await journey.invoice(job)
  await db.sql`
    update jobs set state = 'expired', reason = 'unpaid', finished_at = now(), due_at = null`
  const [first, second] = await Promise.all([
    journey.payments.add({ paymentHash, amountSats: 60, feeSats: 1 }),
    journey.payments.add({ paymentHash, amountSats: 60, feeSats: 1 }),
  ])
  expect([first.outcome, second.outcome]).toContain('balance')
  const third = await journey.payments.add({ paymentHash, amountSats: 60, feeSats: 1 })
  expect(third.outcome).toBe('nothing')
  const balances = await readBalances(db.sql, [job.customer])
  expect(balances.get(job.customer)?.availableSats).toBe(60)
  const replies = await db.sql`select reply from outbox where step = 'late_payment'`
  expect(replies).toHaveLength(1)
  await journey.expectClean()
})

test('a balance that covers the charge pays it without an invoice', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = someKey()
  const first = await journey.paid(priced({ customer, estimatedSats: 100 }))
  await journey.finish(first, 10)
  const second = await journey.job(priced({ customer, estimatedSats: 80 }))
  expect(second).toMatchObject({ state: 'working', paidFrom: 'balance', paidSats: 80 })
  const held = await readBalances(db.sql, [customer])
  expect(held.get(customer)).toEqual({ availableSats: 10, balanceSats: 90 })
  await journey.finish(second, 50)
  const after = await readBalances(db.sql, [customer])
  expect(after.get(customer)).toEqual({ availableSats: 40, balanceSats: 40 })
  await journey.expectClean()
})

test('a banned key is refused and nothing but its message is written', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = someKey()
  await setBan(db.sql, customer, { reason: 'spam' })
  const accepted = await journey.accept.add(priced({ customer }))
  expect(accepted.outcome).toBe('refused')
  expect(await db.sql`select id from jobs`).toEqual([])
})

test('the same message makes one job, however often and from wherever it comes', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const request = priced()
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => journey.accept.add(request)))
  expect(outcomes.filter(({ outcome }) => outcome === 'job')).toHaveLength(1)
  expect((await journey.accept.add(request)).outcome).toBe('replayed')
  expect(await db.sql`select id from jobs`).toHaveLength(1)
})

test('the same text by another door within minutes is the same request', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = someKey()
  const first = priced({ customer })
  const job = await journey.job(first)
  const copy = priced({ customer, requestHash: first.requestHash })
  copy.to.via = 'nip04'
  copy.message.via = 'nip04'
  expect(await journey.accept.add(copy)).toEqual({ outcome: 'twin', jobId: job.id })
})

// In one batch: the server cannot tell which of two rows for one job it applied.
test.each([
  { ended: 'twice by its owner', epochs: [0, 0, 0] },
  { ended: 'by a stale owner, then by its owner', epochs: [-1, 0, -1] },
  { ended: 'by its owner, then by a stale one', epochs: [0, -1, 0] },
])('a job that is ended $ended settles once', async ({ epochs }) => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const job = await journey.paid(priced({ estimatedSats: 100 }))
  const ends = epochs.map((lag) => ({ ...job, epoch: job.epoch + lag }))
  const usage = { input: 1, output: 1 }
  const settled = await Promise.all(
    ends.map((row, place) =>
      journey.settle.add({
        job: row,
        ending:
          place % 2 === 0
            ? { kind: 'done', actualSats: 30, result: 'done', usage }
            : { kind: 'failed', reason: 'backend_failed' },
      }),
    ),
  )
  expect(settled.map(({ applied }) => applied)).toEqual(
    epochs.map((lag, place) => lag === 0 && epochs.indexOf(0) === place),
  )
  expect(await journey.balance(job.customer)).toBe(epochs[0] === 0 ? 70 : 100)
  await journey.expectClean()
})

test('a settlement by a stale owner changes nothing', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const job = await journey.paid(priced())
  await db.sql`update jobs set epoch = epoch + 1 where id = ${job.id}`
  const usage = { input: 1, output: 1 }
  const ending = { kind: 'done' as const, actualSats: 5, result: 'late', usage }
  expect(await journey.settle.add({ job, ending })).toEqual({ applied: false, replies: [] })
  expect(await journey.read(job.id)).toMatchObject({ state: 'working', heldSats: 40 })
  await journey.expectClean()
})
