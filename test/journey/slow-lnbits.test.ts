import { expect, test } from 'vitest'
import { countUninvoiced } from '../../src/store/invoices.ts'
import { setGrantedTier } from '../../src/store/customers.ts'
import { type Bot, type BotLab, botLab, someKey } from '../support/bot.ts'
import { createJumpingClock } from '../support/jumping-clock.ts'
import { say } from '../support/seeded.ts'
import { until } from '../support/until.ts'

/** Milliseconds until each of `count` customers with free room has its result. */
async function serveFree(lab: BotLab, bot: Bot, count: number): Promise<number> {
  const customers = Array.from({ length: count }, someKey)
  for (const customer of customers) {
    await setGrantedTier(lab.sql, customer, 'trusted', 'granted')
  }
  const startedAt = performance.now()
  await Promise.all(customers.map((customer) => bot.dm(customer, 'free work, please')))
  await Promise.all(customers.map((customer) => lab.hears(customer, 'result')))
  return performance.now() - startedAt
}

// Trap 17: one payment stalls a whole LNbits. What needs no invoice must not notice.
test('work from the pool and from balances runs on while LNbits stands still', async () => {
  await using lab = await botLab()
  const rules = { poolDailyOutflowPct: 100 }
  const bot = await lab.bot({ rules, priceSats: 20 })
  const rich = someKey()
  await lab.topUp(bot, rich, 1_000)
  await serveFree(lab, bot, 5)
  const aloneMs = await serveFree(lab, bot, 20)
  lab.play.faults.add('any', { kind: 'hang', ms: 30_000 }, { times: 10_000 })
  const waiting = Array.from({ length: 40 }, someKey)
  await Promise.all(waiting.map((customer) => bot.dm(customer, 'paid work, please')))
  await until('LNbits is asked', () => lab.play.faults.calls.create > 1)
  const stalledMs = await serveFree(lab, bot, 20)
  await bot.dm(rich, 'work from my balance, please')
  expect(await lab.hears(rich, 'result')).toMatchObject({ chargeSats: 20 })
  expect(await countUninvoiced(lab.sql)).toBe(40)
  const told = await Promise.all(waiting.map((customer) => lab.told(customer)))
  expect(told.flat()).toEqual([])
  say(`20 free jobs: ${aloneMs.toFixed(0)} ms, ${stalledMs.toFixed(0)} ms with LNbits stalled`)
  // Noise of a shared machine is allowed for; a stall would be thirty seconds.
  expect(stalledMs).toBeLessThan(Math.max(10 * aloneMs, 5_000))
  lab.play.faults.clear()
})

test('who would wait too long for an invoice is told how many stand before, and charged nothing', async () => {
  await using lab = await botLab()
  const clock = createJumpingClock()
  const bot = await lab.bot({ clock })
  const early = Array.from({ length: 3 }, someKey)
  lab.play.faults.add('create', { kind: 'hang', ms: 600_000 }, { times: 100 })
  await Promise.all(early.map((customer) => bot.dm(customer, 'work, please')))
  await until('LNbits is asked', () => lab.play.faults.calls.create > 0)
  clock.step(31_000)
  const late = someKey()
  await bot.dm(late, 'work, please')
  const refused = await lab.hears(late, 'refused')
  expect(refused).toMatchObject({ reason: 'busy' })
  expect(refused.message).toMatch(/[34] invoices would come before yours/)
  await bot.dm(late, '/topup 500')
  expect(await lab.hears(late, 'refused', 2)).toMatchObject({ reason: 'busy' })
  expect(await lab.sql`select id from jobs where customer = ${late}`).toEqual([])
  // Those who were let in are served when LNbits goes on.
  lab.play.faults.clear()
})

test('one customer with many jobs does not keep another from its first invoice', async () => {
  await using lab = await botLab()
  const bot = await lab.bot()
  const [many, one] = [someKey(), someKey()]
  lab.play.faults.add('create', { kind: 'hang', ms: 40 }, { times: 10_000 })
  await Promise.all(Array.from({ length: 90 }, (_, at) => bot.dm(many, `work number ${at}`)))
  await bot.dm(one, 'work, please')
  await lab.hears(one, 'invoice')
  const before = (await lab.told(many, 'invoice')).length
  // At most those that were asked for already, and the waiting room's share.
  expect(before).toBeLessThan(45)
  await lab.hears(many, 'invoice', 90)
})
