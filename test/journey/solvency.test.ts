import { pino } from 'pino'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { createSolvency, driftOf } from '../../src/operator/solvency.ts'
import { inTransaction } from '../../src/store/database.ts'
import { declareFloat, type LightningBooks, readLightningBooks } from '../../src/store/solvency.ts'
import { type Bot, type BotLab, botLab, someKey } from '../support/bot.ts'
import { until } from '../support/until.ts'

const watchdog = (lab: BotLab, bot: Bot, { log = silentLog, bookingMs = 30 } = {}) =>
  createSolvency({
    sql: lab.sql,
    lightning: bot.lnbits,
    clock: systemClock,
    log,
    holder: 'watchdog',
    intervalMs: 20,
    againMs: 20,
    bookingMs,
  })

const books = (fields: Partial<LightningBooks>): LightningBooks => ({
  lightningSats: 1_000,
  floatSats: 50,
  dustMsat: 500,
  inFlightSats: 0,
  openInvoices: 0,
  ...fields,
})

test('a balance is explained by ledger, float, dust, and what withdrawals may have taken', () => {
  const quiet = [books({}), books({})]
  expect(driftOf(quiet, 1_050_500)).toBe(0)
  expect(driftOf(quiet, 1_051_500)).toBe(1)
  expect(driftOf(quiet, 1_049_500)).toBe(-1)
  const paying = [books({ inFlightSats: 102 }), books({ inFlightSats: 102 })]
  for (const balanceMsat of [1_050_500, 1_000_000, 948_500]) {
    expect(driftOf(paying, balanceMsat)).toBe(0)
  }
  expect(driftOf(paying, 947_500)).toBe(-1)
  // A payment of 30 that was booked while LNbits was being asked.
  const moving = [books({}), books({ lightningSats: 1_030 })]
  expect(driftOf(moving, 1_050_500)).toBe(0)
  expect(driftOf(moving, 1_080_500)).toBe(0)
  expect(driftOf(moving, 1_081_500)).toBe(1)
})

test("what is in the wallet at first sight is the operator's, and no part of the books", async () => {
  await using lab = await botLab({ botBalanceSats: 5_000 })
  const bot = await lab.bot()
  const solvency = watchdog(lab, bot)
  expect(await solvency.runOnce()).toEqual({ stopped: false, driftSats: 0 })
  expect(await readLightningBooks(lab.sql)).toMatchObject({ floatSats: 5_000, lightningSats: 0 })
  await lab.topUp(bot, someKey(), 300)
  expect(await solvency.runOnce()).toEqual({ stopped: false, driftSats: 0 })
})

// What customers are owed was never there: no float makes that right.
test('a wallet that holds less than the ledger says is a difference from first sight', async () => {
  await using lab = await botLab()
  const bot = await lab.bot()
  await lab.topUp(bot, someKey(), 300)
  await lab.drain(lab.outside(100).bolt11)
  const solvency = watchdog(lab, bot)
  await solvency.runOnce()
  expect(await solvency.runOnce()).toEqual({ stopped: true, driftSats: -100 })
  expect(await readLightningBooks(lab.sql)).toMatchObject({ floatSats: 0 })
})

// Whoever has the admin key takes as little as can be taken.
test('one stolen sat stops paid work and payouts, and work from pool and balance goes on', async () => {
  await using lab = await botLab({ botBalanceSats: 1_000 })
  const bot = await lab.bot({ priceSats: 100 })
  const [poor, rich] = [someKey(), someKey()]
  await lab.topUp(bot, rich, 1_000)
  const solvency = watchdog(lab, bot)
  solvency.start()
  await until('the float is noted', async () => {
    return (await readLightningBooks(lab.sql)).floatSats === 1_000
  })
  await lab.drain(lab.outside(1).bolt11)
  await until('it has stopped', () => solvency.isStopped())
  await bot.dm(poor, 'work, please')
  expect(await lab.hears(poor, 'refused')).toMatchObject({ reason: 'paused' })
  await bot.dm(poor, '/topup 500')
  expect(await lab.hears(poor, 'refused', 2)).toMatchObject({ reason: 'paused' })
  await bot.dm(rich, `/withdraw ${lab.outside(300).bolt11}`)
  expect(await lab.hears(rich, 'refused')).toMatchObject({ reason: 'paused' })
  await bot.dm(rich, 'work, please')
  expect(await lab.hears(rich, 'result')).toMatchObject({ chargeSats: 100 })
  // The operator has seen it, and says what is his now.
  await inTransaction(lab.sql, (tx) =>
    declareFloat(tx, { floatSats: 999, reason: 'a sat was stolen' }),
  )
  await until('it has cleared', () => !solvency.isStopped())
  await bot.dm(poor, 'work again, please')
  expect(await lab.hears(poor, 'invoice')).toMatchObject({ chargeSats: 100 })
  await solvency.stop()
  const [row] = await lab.sql<{ value: unknown }[]>`
    select value from timmy_config where key = 'lightning_float_log'`
  expect(row?.value).toMatchObject([{ from: 1_000, to: 999, reason: 'a sat was stolen' }])
})

test('a payment on its way, fees in millisats and late payments are no difference', async () => {
  await using lab = await botLab({ payWaitMs: 5 })
  const bot = await lab.bot()
  const customer = someKey()
  const solvency = watchdog(lab, bot)
  await solvency.runOnce()
  await lab.topUp(bot, customer, 5_000)
  // Three fees that are rounded up: without the dust it would be a sat by now.
  for (let count = 1; count <= 3; count += 1) {
    const { bolt11, paymentHash } = lab.outside(400)
    lab.play.node.script(paymentHash, { kind: 'ok', feeMsat: 1_400 })
    await bot.dm(customer, `/withdraw ${bolt11}`)
    await lab.hears(customer, 'withdrawal', 2 * count)
    expect(await solvency.runOnce()).toEqual({ stopped: false, driftSats: 0 })
  }
  const flying = lab.outside(900)
  lab.play.node.script(flying.paymentHash, { kind: 'inflight' })
  await bot.dm(customer, `/withdraw ${flying.bolt11}`)
  await until('it is on its way', () => lab.walletSats() < 4_000 - 900)
  expect(await solvency.runOnce()).toEqual({ stopped: false, driftSats: 0 })
  lab.play.node.finish(flying.paymentHash, { state: 'success', feeMsat: 300 })
  await lab.later(60)
  await lab.hears(customer, 'withdrawal', 8)
  expect(await solvency.runOnce()).toEqual({ stopped: false, driftSats: 0 })
  await lab.expectClean()
})

test('an invoice that is paid after it was given up is found by its sats and booked', async () => {
  await using lab = await botLab()
  const bot = await lab.bot()
  const customer = someKey()
  const solvency = watchdog(lab, bot)
  await solvency.runOnce()
  await bot.dm(customer, '/topup 700')
  const { bolt11 } = await lab.hears(customer, 'invoice')
  await lab.sql`update invoices set state = 'given_up', look_at = null`
  await lab.pay(bolt11)
  await solvency.runOnce()
  bot.journey.hintPayment()
  expect(await lab.hears(customer, 'balance')).toMatchObject({ change: 700, reason: 'topup' })
  await solvency.runOnce()
  expect(await solvency.runOnce()).toEqual({ stopped: false, driftSats: 0 })
  await lab.expectClean()
})

test('it is said once, however long it lasts, and without LNbits nothing is decided', async () => {
  await using lab = await botLab({ botBalanceSats: 100 })
  const bot = await lab.bot()
  const lines: { level: number; driftSats?: number }[] = []
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) })
  const solvency = watchdog(lab, bot, { log })
  await solvency.runOnce()
  await lab.drain(lab.outside(40).bolt11)
  for (let look = 0; look < 5; look += 1) await solvency.runOnce()
  expect(lines.filter(({ level }) => level === 50)).toMatchObject([{ driftSats: -40 }])
  await lab.play.outage()
  await expect(solvency.runOnce()).rejects.toThrow()
  expect(solvency.isStopped()).toBe(true)
  await lab.play.recover()
})

test('under load nothing is stopped that is right', async () => {
  await using lab = await botLab({ botBalanceSats: 100 })
  const bot = await lab.bot({ pollMs: 30 })
  const solvency = watchdog(lab, bot, { bookingMs: 3_000 })
  await solvency.runOnce()
  let stops = 0
  let looks = 0
  const busy = { over: false }
  const looking = (async () => {
    while (!busy.over) {
      const verdict = await solvency.runOnce()
      looks += 1
      if (verdict?.stopped) stops += 1
    }
  })()
  await Promise.all(
    Array.from({ length: 12 }, async () => {
      const customer = someKey()
      await lab.topUp(bot, customer, 500)
      await bot.dm(customer, `/withdraw ${lab.outside(300).bolt11}`)
      await lab.hears(customer, 'withdrawal', 2)
    }),
  )
  busy.over = true
  await looking
  expect(looks).toBeGreaterThan(3)
  expect(stops).toBe(0)
  await lab.expectClean()
})
