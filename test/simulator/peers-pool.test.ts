import { expect, test } from 'vitest'
import type { Stage } from './lab.ts'
import { stages } from './scenarios.ts'
import { calm, START_MS } from './world.ts'

/*
 * Bugs that other bots and gateways had, or have, with what they give away: budgets that are forgotten or passed,
 * reservations that drain, leak or cover less than was promised.
 */

const stage = stages()

const wholePool = { poolDailyOutflowPct: 100 }

async function poolSats({ world }: Stage): Promise<number> {
  await world.time.run(0)
  const [row] = await world.session.sql<{ sats: number }[]>`
    select balance_sats as sats from accounts where name = 'pool'`
  return row?.sats ?? 0
}

interface Given {
  serve: string
  estimatedSats: number
  reservedSats: number
  absorbedSats: number
}

/** What was promised and given for each job, oldest first. */
async function given({ world }: Stage): Promise<Given[]> {
  await world.time.run(0)
  const rows = await world.session.sql<Given[]>`
    select serve, estimated_sats, reserved_sats, absorbed_sats from jobs order by id`
  return [...rows]
}

// The pool was read before it was locked: a free decision covered less than the work cost.
test('the first design: two that want the last of the pool at once share no sat of it', async () => {
  using play = await stage('first race', { rules: { ...wholePool, poolSeedSats: 30 } })
  play.world.start()
  play.world.start()
  const customers = [
    await play.customer({ tier: 'elite' }),
    await play.customer({ tier: 'elite' }),
  ] as const
  for (const customer of customers) customer.asksFor(20, { model: 'flat' })
  await play.until('two answers', () => customers.every(({ heard }) => heard.length > 0))
  expect(await play.faults()).toEqual([])
  const jobs = await given(play)
  const free = jobs.filter(({ serve }) => serve === 'free')
  expect(free).toHaveLength(1)
  expect(free[0]?.absorbedSats).toBe(free[0]?.estimatedSats)
  expect(jobs.reduce((sum, { absorbedSats }) => sum + absorbedSats, 0)).toBeLessThanOrEqual(30)
})

// Grants were reserved when the invoice was made: whoever asked and never paid emptied the pool for a day.
test('the first design: promises that nobody pays for take nothing out of the pool', async () => {
  using play = await stage('first promises', {
    rules: { ...wholePool, poolSeedSats: 400 },
    settings: { invoiceTtlSeconds: 30 },
  })
  play.world.start()
  for (let left = 8; left > 0; left -= 1) {
    const customer = await play.customer({ tier: 'established' })
    customer.asksFor(60, { model: 'token' })
    expect(await play.hears(customer, 'invoice')).toMatchObject({ absorbSats: 50 })
  }
  const late = await play.customer({ tier: 'established' })
  late.asksFor(60, { model: 'token' })
  expect(await play.hears(late, 'invoice')).toMatchObject({ absorbSats: 0 })
  expect(await poolSats(play)).toBe(400)
  expect(await play.faults()).toEqual([])
  expect(await poolSats(play)).toBe(400)
  // What expires is asked about once more, and new invoices wait for that.
  await play.later(60_000)
  const next = await play.customer({ tier: 'established' })
  next.asksFor(60, { model: 'token' })
  expect(await play.hears(next, 'invoice')).toMatchObject({ absorbSats: 50 })
})

// What was reserved beyond the true cost stayed away, and so did what a failed write had reserved.
test('the first design: what was reserved and not used is in the pool again', async () => {
  using play = await stage('first surplus', { rules: wholePool })
  const bot = play.world.start()
  const customer = await play.customer({ tier: 'elite' })
  const before = await poolSats(play)
  customer.asksFor(40, { model: 'token' })
  bot.fuse(6, 'lost-before')
  await play.hears(customer, 'result')
  expect(await play.faults()).toEqual([])
  const [job] = await given(play)
  expect(job?.absorbedSats).toBeLessThan(Number(job?.estimatedSats))
  expect(await poolSats(play)).toBe(before - Number(job?.absorbedSats))
})

// Free calls were counted in memory: a restart gave everybody a new day.
test('Aperture: a budget that is used up stays so after a restart', async () => {
  using play = await stage('aperture budget', { rules: wholePool })
  const bot = play.world.start()
  const customer = await play.customer({ tier: 'established' })
  for (const count of [1, 2]) {
    customer.asksFor(20, { model: 'flat' })
    await play.hears(customer, 'result', count)
  }
  bot.die('and is back at once')
  play.world.start()
  customer.asksFor(20, { model: 'flat' })
  expect(await play.hears(customer, 'invoice')).toMatchObject({ absorbSats: 8 })
  expect(await play.faults()).toEqual([])
})

// The period of a budget began at the midnight of wherever the server stood.
test('Alby Hub: a budget begins anew at midnight, UTC, and not before', async () => {
  const midnightMs = Math.ceil(START_MS / 86_400_000) * 86_400_000
  using play = await stage('hub midnight', { rules: wholePool, startMs: midnightMs - 60_000 })
  play.world.start()
  const customer = await play.customer({ tier: 'established' })
  for (const count of [1, 2]) {
    customer.asksFor(20, { model: 'flat' })
    await play.hears(customer, 'result', count)
  }
  await play.until('the last seconds of the day', () => play.world.time.now() > midnightMs - 9_000)
  customer.asksFor(20, { model: 'flat' })
  expect(await play.hears(customer, 'invoice')).toMatchObject({ absorbSats: 8 })
  expect(play.world.time.now()).toBeLessThan(midnightMs)
  await play.later(20_000)
  customer.asksFor(20, { model: 'flat' })
  await play.hears(customer, 'result', 3)
  expect(await play.faults()).toEqual([])
})

// Without an estimate nothing was reserved, and the request was let through.
test('LiteLLM: where no price can be made nothing is worked on', async () => {
  using play = await stage('litellm price', { dials: { ...calm, noRate: 1 } })
  play.world.start()
  const customer = await play.customer({ tier: 'elite' })
  customer.asksFor(30, { model: 'token' })
  await play.until('an answer', () => customer.heard.length > 0)
  await play.later(60_000)
  expect(customer.heard.map(({ reply }) => reply.type)).toEqual(['refused'])
  expect([...play.world.backend.runs().keys()]).toEqual([])
  expect(await play.jobs()).toEqual([])
})

// A decision that could not be made was taken as a yes: "fail closed" failed open.
test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'LiteLLM: a decision whose statement %i fails is no free work',
  async (count) => {
    using play = await stage(`litellm open ${count}`, { rules: wholePool })
    const bot = play.world.start()
    const customer = await play.customer({ tier: 'established' })
    await play.later(1_000)
    for (let left = 4; left > 0; left -= 1) customer.asksFor(20, { model: 'flat' })
    bot.fuse(count, count % 2 === 0 ? 'lost-before' : 'lost-after')
    await play.until('four answers', () => customer.heard.length >= 4)
    expect(await play.faults()).toEqual([])
    const absorbed = (await given(play)).reduce((sum, { absorbedSats }) => sum + absorbedSats, 0)
    expect(absorbed).toBeLessThanOrEqual(50)
  },
)

// Usage that could not be read was settled at whatever had been estimated, or not at all.
test('Aperture: work that counts nothing costs no more than was quoted', async () => {
  using play = await stage('aperture uncounted', {
    dials: { ...calm, backend: { ...calm.backend, uncounted: 1 } },
  })
  play.world.start()
  const customer = await play.customer()
  customer.asksFor(30, { model: 'token' })
  const { chargeSats } = await play.hears(customer, 'invoice')
  customer.pays()
  const result = await play.hears(customer, 'result')
  expect(Number(result.chargeSats)).toBeLessThanOrEqual(Number(chargeSats))
  expect(Number(result.chargeSats) + Number(result.refundSats)).toBe(chargeSats)
  expect(await play.faults()).toEqual([])
})
