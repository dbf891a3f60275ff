import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { createExpiry } from '../../src/journey/expiry.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, priced } from '../support/journey.ts'

// A wallet that was exchanged for another one knows nothing of the old one's invoices, ever.
test('a job that LNbits never says anything of ends two days after its invoice', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const unknown = { state: 'unreachable', reason: 'no-details' } as const
  const expiry = createExpiry({
    ...{ sql: db.sql, clock: systemClock, lease: { holder: 'test', seconds: 30 } },
    lightning: {
      lookupIncoming: async () => unknown,
      readIncoming: async () => new Map(),
      listIncoming: async () => new Map(),
    },
    looks: { take: (count) => count, giveBack: () => undefined },
    paid: async () => undefined,
    deliver: () => undefined,
  })
  const customer = await journey.granted('trusted')
  const job = await journey.job(priced({ customer, estimatedSats: 300 }))
  const paymentHash = await journey.invoice(job)
  const after = async (days: number) => {
    await db.sql`
      update invoices set expires_at = now() - make_interval(days => ${days}::int)
      where payment_hash = ${paymentHash}`
    await expiry(await journey.read(job.id))
    return journey.read(job.id)
  }
  expect(await after(1)).toMatchObject({ state: 'awaiting_payment' })
  expect(await after(3)).toMatchObject({ state: 'expired', reason: 'unpaid' })
  // Its promise is nobody's any more, and what is paid all the same is on the balance.
  expect(await journey.job(priced({ customer, estimatedSats: 300 }))).toMatchObject({
    promisedSats: 200,
  })
  await journey.pay(paymentHash, job.chargeSats)
  expect(await journey.balance(customer)).toBe(job.chargeSats)
  await journey.expectClean()
})
