import { expect, test } from 'vitest'
import { systemClock, unixSeconds } from '../../src/clock.ts'
import { createDesk } from '../../src/journey/desk.ts'
import { createManners } from '../../src/journey/manners.ts'
import type { NewJob } from '../../src/store/jobs.ts'
import type { OutboxRow } from '../../src/store/outbox.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, priced, someKey } from '../support/journey.ts'

const ESTIMATE = 250

/** A bot whose pool gives 200 sats a day, and all of them are promised to somebody. */
async function promisedAway() {
  const db = await freshDatabase()
  const journey = await journeyOn(db.sql, { poolDailyOutflowPct: 2 })
  const other = await journey.granted('trusted')
  const { promisedSats } = await journey.job(priced({ customer: other, estimatedSats: ESTIMATE }))
  expect(promisedSats).toBe(200)
  const jobs: NewJob[] = []
  const replies: OutboxRow[] = []
  const price = { estimatedSats: ESTIMATE, usdPerBtc: null, inputTokens: 1, outputTokens: 1 }
  const serve = createDesk({
    ...{ sql: db.sql, clock: systemClock, manners: createManners(), bornAt: 0 },
    ...{ accept: journey.accept, answers: journey.answers, funds: journey.funds },
    prices: {
      models: [],
      estimateRequestCost: async () => ({ ...price, model: 'echo' }),
      actual: () => ({ actualSats: ESTIMATE, usage: { input: 1, output: 1 } }),
    },
    isBot: () => false,
    takeJob: (job) => jobs.push(job),
    deliver: (rows) => replies.push(...rows),
    counted: () => undefined,
  })
  const bids = (sender: string, bidSats: number) => {
    const at = { rumorAt: unixSeconds(systemClock), rumorId: someKey(), relay: 'ws://relay' }
    const letter = { sender, via: 'nip90' as const, text: 'words', proof: '{}', ...at }
    const wanted = { request: 'words', bidMsat: bidSats * 1_000 }
    return serve({ kind: 'request', letter, wanted }, () => undefined)
  }
  return { db, journey, jobs, replies, bids }
}

test('no invoice is above the bid, whatever of the pool was promised to others', async () => {
  const { db, journey, jobs, replies, bids } = await promisedAway()
  await using _ = db
  // Of its own room the pool would pay all but 50.
  await bids(await journey.granted('trusted'), 60)
  expect(jobs).toEqual([])
  expect(replies.map(({ reply }) => reply)).toMatchObject([
    { type: 'refused', reason: 'amount_out_of_range' },
  ])
  await bids(await journey.granted('trusted'), ESTIMATE)
  expect(jobs).toMatchObject([{ state: 'accepted', chargeSats: ESTIMATE }])
  await journey.expectClean()
})

test('no more than the bid is taken from a balance', async () => {
  const { db, journey, jobs, bids } = await promisedAway()
  await using _ = db
  const customer = someKey()
  await journey.topUp(customer, 1_000)
  await bids(customer, ESTIMATE - 1)
  expect([jobs, await journey.balance(customer)]).toEqual([[], 1_000])
  await bids(customer, ESTIMATE)
  expect(jobs).toMatchObject([{ state: 'working', paidSats: ESTIMATE }])
})
