import { expect, test } from 'vitest'
import { setBan, setGrantedTier } from '../../src/store/customers.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, passDays, poolSats, priced, someKey } from '../support/journey.ts'
import { earned, keyWith, type Past, why } from '../support/paid-key.ts'

test.each([
  { sats: 499, tier: 'new' },
  { sats: 500, tier: 'established' },
  { sats: 1_999, tier: 'established' },
  { sats: 2_000, tier: 'trusted' },
  { sats: 9_999, tier: 'trusted' },
  { sats: 10_000, tier: 'elite' },
])('$sats net sats on three days in ninety earn $tier', async ({ sats, tier }) => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await keyWith(db.sql, earned(sats))
  expect(await why(journey, customer)).toMatchObject({ tier, source: 'earned' })
  expect(await journey.job(priced({ customer }))).toMatchObject({ tier, tierSource: 'earned' })
})

test.each<[string, Past, tier: string]>([
  [
    'paid 90 days ago no longer counts',
    {
      paid: [
        [90, 600],
        [1, 1],
        [2, 1],
      ],
      firstPaidDaysAgo: 90,
    },
    'new',
  ],
  [
    'paid 89 days ago still counts',
    {
      paid: [
        [89, 600],
        [1, 1],
        [2, 1],
      ],
      firstPaidDaysAgo: 89,
    },
    'established',
  ],
  [
    'a first payment six days old is too young',
    {
      paid: [
        [6, 600],
        [5, 1],
        [4, 1],
      ],
      firstPaidDaysAgo: 6,
    },
    'new',
  ],
  [
    'a first payment a week old is old enough',
    {
      paid: [
        [7, 600],
        [5, 1],
        [4, 1],
      ],
      firstPaidDaysAgo: 7,
    },
    'established',
  ],
  [
    'two paid days are too few',
    {
      paid: [
        [20, 30_000],
        [3, 1],
      ],
      firstPaidDaysAgo: 20,
    },
    'new',
  ],
  [
    'a day without a net charge is no paid day',
    {
      paid: [
        [20, 600],
        [3, 1],
        [2, 0],
      ],
      firstPaidDaysAgo: 20,
    },
    'new',
  ],
])('of what a key has paid, %s', async (_, past, tier) => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  expect((await why(journey, await keyWith(db.sql, past))).tier).toBe(tier)
})

test('three paid days and a week turn a new key into an established one, refunds not counted', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = someKey()
  for (const days of [3, 2, 2]) {
    await journey.finish(await journey.paid(priced({ customer, estimatedSats: 400 })), 200)
    expect((await why(journey, customer)).tier).toBe('new')
    await passDays(db.sql, days)
  }
  expect(await why(journey, customer)).toMatchObject({
    ...{ tier: 'established', source: 'earned', budgetSats: 50, roomSats: 50 },
    terms: { netPaidSats: 600, paidDays: 3, firstPaidDaysAgo: 7, ratioLeftSats: 150 },
  })
  await journey.expectClean()
})

test('an earned tier gets back no more than its ratio of what it paid', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await keyWith(db.sql, earned(500))
  for (const estimatedSats of [50, 50, 25]) {
    const job = await journey.job(priced({ customer, estimatedSats }))
    expect(job).toMatchObject({ serve: 'free', reservedSats: estimatedSats })
    await journey.finish(job, estimatedSats)
    await passDays(db.sql, 1)
  }
  expect(await journey.job(priced({ customer, estimatedSats: 1 }))).toMatchObject({ serve: 'gate' })
  expect(await poolSats(db.sql)).toBe(10_000 - 125)
  expect(await why(journey, customer)).toMatchObject({
    ...{ tier: 'established', roomSats: 0 },
    terms: { ratioLeftSats: 0, grantsSats: 125, budgetLeftSats: 50 },
  })
})

test.each(['granted', 'list', 'rank'] as const)(
  'a tier by %s is not bound by the ratio, and its grants say where it came from',
  async (source) => {
    await using db = await freshDatabase()
    const journey = await journeyOn(db.sql)
    const customer = someKey()
    await setGrantedTier(db.sql, customer, 'trusted', source)
    const reply = await why(journey, customer)
    expect(reply).toMatchObject({ tier: 'trusted', source, roomSats: 200 })
    expect(reply.terms).not.toHaveProperty('ratioLeftSats')
    await journey.finish(await journey.job(priced({ customer })), 10)
    expect(await db.sql`select source from free_tier_grants`).toEqual([{ source }])
    await journey.expectClean()
  },
)

test('of an earned and a granted tier the higher counts, and of equal ones the granted', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await keyWith(db.sql, earned(2_000))
  const after = async (tier: 'established' | 'trusted' | 'elite' | null) => {
    await setGrantedTier(db.sql, customer, tier, 'granted')
    const { tier: counts, source } = await why(journey, customer)
    return `${counts} ${source}`
  }
  expect(await after('established')).toBe('trusted earned')
  expect(await after('trusted')).toBe('trusted granted')
  expect(await after('elite')).toBe('elite granted')
  expect(await after(null)).toBe('trusted earned')
})

test('a ban beats both, for jobs and estimates alike, until it is lifted', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await keyWith(db.sql, earned(10_000))
  await setGrantedTier(db.sql, customer, 'elite', 'granted')
  await setBan(db.sql, customer, { reason: 'spam' })
  expect(await why(journey, customer)).toMatchObject({ tier: 'new', roomSats: 0 })
  expect(await journey.accept.add(priced({ customer }))).toMatchObject({ outcome: 'refused' })
  const estimate = await journey.ask(customer, { name: 'estimate', request: 'x' })
  expect(estimate).toMatchObject({ type: 'refused', reason: 'banned' })
  await setBan(db.sql, customer, null)
  expect(await journey.job(priced({ customer }))).toMatchObject({ serve: 'free', tier: 'elite' })
})

test('the breaker lets a tenth of the opening pool leave in a day, whoever asks, and anew tomorrow', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const keys = await Promise.all(Array.from({ length: 8 }, () => journey.granted('trusted')))
  const serve = () =>
    Promise.all(keys.map((customer) => journey.job(priced({ customer, estimatedSats: 190 }))))
  const first = await serve()
  const free = (jobs: typeof first) => jobs.reduce((sum, job) => sum + job.reservedSats, 0)
  expect(first.filter((job) => job.serve === 'free')).toHaveLength(5)
  expect(free(first)).toBe(950)
  expect(first.filter((job) => job.serve === 'partial').map((job) => job.promisedSats)).toEqual([
    50,
  ])
  await passDays(db.sql, 1)
  // A tenth of the 9,050 that the day began with.
  expect(free(await serve())).toBe(4 * 190)
  expect((await why(journey, await journey.granted('elite'))).terms).toMatchObject({
    breakerLeftSats: 905 - 760,
  })
})

test('what settles below its reservation gives the breaker back what it took', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('elite')
  const job = await journey.job(priced({ customer, estimatedSats: 1_000 }))
  const other = await journey.granted('trusted')
  expect(await journey.job(priced({ customer: other }))).toMatchObject({ serve: 'gate' })
  await journey.finish(job, 300)
  expect((await why(journey, other)).terms.breakerLeftSats).toBe(700)
})
