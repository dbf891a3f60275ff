import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { encodeBolt11 } from '../../src/lightning/bolt11-encode.ts'
import { type Bot, type BotLab, botLab, someKey } from '../support/bot.ts'

const KEY = new Uint8Array(32).fill(9)

const draft = () => ({
  paymentHash: someKey(),
  paymentSecret: '11'.repeat(32),
  createdAt: Math.floor(systemClock.now() / 1000),
  expirySeconds: 3600,
  description: 'elsewhere',
})

const invoice = (fields: Partial<Parameters<typeof encodeBolt11>[0]>): string =>
  encodeBolt11({ ...draft(), amountMsat: 500_000n, ...fields }, KEY)

interface Scene {
  lab: BotLab
  bot: Bot
  customer: string
}

/** Where to, by a customer with 2,000 sats, and what it is told. */
const refused: [
  what: string,
  to: (scene: Scene) => string | Promise<string>,
  reply: { reason: string; limit?: number },
][] = [
  ['text that is no invoice', () => 'lnbc1qqqq', { reason: 'invalid_destination' }],
  [
    'an invoice without an amount',
    () => encodeBolt11(draft(), KEY),
    { reason: 'invalid_destination' },
  ],
  [
    'an amount below a sat',
    () => invoice({ amountMsat: 500_500n }),
    { reason: 'invalid_destination' },
  ],
  ['another network', () => invoice({ network: 'tb' }), { reason: 'invalid_destination' }],
  [
    'an invoice that expires within a minute',
    () => invoice({ expirySeconds: 50 }),
    { reason: 'invalid_destination' },
  ],
  [
    'a checksum that was repaired over a changed amount',
    () => invoice({}).replace('lnbc5u', 'lnbc6u'),
    { reason: 'invalid_destination' },
  ],
  [
    'another amount than was agreed',
    () => `${invoice({})} 600`,
    { reason: 'amount_out_of_range', limit: 500 },
  ],
  [
    'less than the minimum',
    () => invoice({ amountMsat: 199_000n }),
    { reason: 'amount_out_of_range', limit: 10_000_000 },
  ],
  [
    'more than is there, the reserve counted',
    () => invoice({ amountMsat: 1_981_000n }),
    { reason: 'insufficient_balance', limit: 1_980 },
  ],
  [
    'an invoice of the bot',
    async ({ lab, bot, customer }) => {
      await bot.dm(customer, '/donate 300')
      return String((await lab.hears(customer, 'invoice', 2)).bolt11)
    },
    { reason: 'own_invoice' },
  ],
  [
    'an invoice of the bot whose row was lost',
    async ({ bot }) => {
      const asked = { amountSats: 300, memo: 'lost', expirySeconds: 600, extra: {} }
      return (await bot.lnbits.createInvoice(asked)).bolt11
    },
    { reason: 'own_invoice' },
  ],
  [
    'a copy of an invoice of the bot with another amount',
    async ({ bot }) => {
      const asked = { amountSats: 300, memo: 'lost', expirySeconds: 600, extra: {} }
      const { paymentHash } = await bot.lnbits.createInvoice(asked)
      return invoice({ paymentHash })
    },
    { reason: 'own_invoice' },
  ],
  [
    'an invoice that was withdrawn to before',
    async ({ lab, bot, customer }) => {
      const again = invoice({ amountMsat: 200_000n })
      await bot.dm(customer, `/withdraw ${again}`)
      await lab.hears(customer, 'withdrawal', 2)
      return again
    },
    { reason: 'own_invoice' },
  ],
  ['an address that is none', () => 'somebody@nowhere 500', { reason: 'invalid_destination' }],
  [
    'an address that takes no such amount',
    () => 'dear@payee.example 500',
    { reason: 'amount_out_of_range', limit: 400 },
  ],
  [
    'an address whose invoice asks for more',
    () => 'greedy@payee.example 500',
    { reason: 'amount_out_of_range', limit: 900 },
  ],
]

test.each(refused)('%s is refused, and nothing is held or asked for', async (_, to, reply) => {
  await using lab = await botLab()
  const bot = await lab.bot({
    async resolve({ address }) {
      if (address.startsWith('dear'))
        return { ok: false, reason: 'out-of-range', minSats: 1, maxSats: 400 }
      if (!address.startsWith('greedy')) return { ok: false, reason: 'address' }
      return { ok: true, bolt11: invoice({ amountMsat: 900_000n }), paymentHash: 'unused' }
    },
  })
  const customer = someKey()
  await lab.topUp(bot, customer, 2_000)
  const text = `/withdraw ${await to({ lab, bot, customer })}`
  const [balance, posts] = [await lab.balance(customer), lab.play.faults.calls.pay]
  const held = await lab.withdrawalStates()
  await bot.dm(customer, text)
  expect(await lab.hears(customer, 'refused')).toMatchObject(reply)
  expect(await lab.balance(customer)).toEqual(balance)
  expect(await lab.withdrawalStates()).toEqual(held)
  expect(lab.play.faults.calls.pay).toBe(posts)
  await lab.expectClean()
})

test('without the admin key withdrawals are off', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ withdrawals: 'off' })
  const customer = someKey()
  await bot.dm(customer, `/withdraw ${invoice({})}`)
  expect(await lab.hears(customer, 'refused')).toMatchObject({ reason: 'withdrawals_off' })
})

test('while LNbits cannot be asked a withdrawal is refused and not guessed at', async () => {
  await using lab = await botLab()
  const bot = await lab.bot()
  const customer = someKey()
  await lab.topUp(bot, customer, 2_000)
  await lab.play.outage()
  await bot.dm(customer, `/withdraw ${invoice({})}`)
  expect(await lab.hears(customer, 'refused')).toMatchObject({ reason: 'busy' })
  await lab.play.recover()
  expect(await lab.withdrawalStates()).toEqual([])
})

test('a customer takes out no more in a day than allowed; what failed does not count', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ withdrawals: { dailySatsMax: 1_000 } })
  const [customer, other] = [someKey(), someKey()]
  await lab.topUp(bot, customer, 5_000)
  await lab.topUp(bot, other, 5_000)
  lab.play.node.behaviour = { kind: 'noRoute' }
  await bot.dm(customer, `/withdraw ${lab.outside(900).bolt11}`)
  await lab.hears(customer, 'withdrawal', 2)
  lab.play.node.behaviour = { kind: 'ok' }
  await bot.dm(customer, `/withdraw ${lab.outside(700).bolt11}`)
  await lab.hears(customer, 'withdrawal', 4)
  await bot.dm(customer, `/withdraw ${lab.outside(301).bolt11}`)
  expect(await lab.hears(customer, 'refused')).toMatchObject({
    reason: 'amount_out_of_range',
    limit: 300,
  })
  await bot.dm(customer, `/withdraw ${lab.outside(300).bolt11}`)
  expect(await lab.hears(customer, 'withdrawal', 6)).toMatchObject({ state: 'done' })
  await bot.dm(other, `/withdraw ${lab.outside(1_000).bolt11}`)
  expect(await lab.hears(other, 'withdrawal', 2)).toMatchObject({ state: 'done' })
  // Yesterday's do not count.
  await lab.sql`update withdrawals set created_at = created_at - interval '1 day'`
  await bot.dm(customer, `/withdraw ${lab.outside(1_000).bolt11}`)
  expect(await lab.hears(customer, 'withdrawal', 8)).toMatchObject({ state: 'done' })
  await lab.expectClean()
})

test('the bound of all customers together is of a day, and what failed does not count to it', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ withdrawals: { dailyTotalSatsMax: 1_000 } })
  const [first, second] = [someKey(), someKey()]
  for (const customer of [first, second]) await lab.topUp(bot, customer, 5_000)
  lab.play.node.behaviour = { kind: 'noRoute' }
  await bot.dm(first, `/withdraw ${lab.outside(900).bolt11}`)
  await lab.hears(first, 'withdrawal', 2)
  lab.play.node.behaviour = { kind: 'ok' }
  await bot.dm(first, `/withdraw ${lab.outside(700).bolt11}`)
  await lab.hears(first, 'withdrawal', 4)
  await bot.dm(second, `/withdraw ${lab.outside(301).bolt11}`)
  expect(await lab.hears(second, 'refused')).toMatchObject({
    reason: 'amount_out_of_range',
    limit: 300,
  })
  await lab.sql`update withdrawals set created_at = created_at - interval '1 day'`
  await bot.dm(second, `/withdraw ${lab.outside(1_000).bolt11}`)
  expect(await lab.hears(second, 'withdrawal', 2)).toMatchObject({ state: 'done' })
  await lab.expectClean()
})

test('what is on its way counts to the day as well', async () => {
  await using lab = await botLab({ payWaitMs: 5 })
  const bot = await lab.bot({ withdrawals: { dailySatsMax: 1_000 } })
  const customer = someKey()
  await lab.topUp(bot, customer, 5_000)
  lab.play.node.behaviour = { kind: 'inflight' }
  await bot.dm(customer, `/withdraw ${lab.outside(700).bolt11}`)
  await bot.dm(customer, `/withdraw ${lab.outside(301).bolt11}`)
  expect(await lab.hears(customer, 'refused')).toMatchObject({
    reason: 'amount_out_of_range',
    limit: 300,
  })
})

test('an address is asked once, for the amount or for all there is', async () => {
  await using lab = await botLab()
  const asked: number[] = []
  const bot = await lab.bot({
    async resolve({ amountSats }) {
      asked.push(amountSats)
      return { ok: true, ...lab.outside(amountSats) }
    },
  })
  const customer = someKey()
  await lab.topUp(bot, customer, 2_000)
  // Called failed at first, so that it is asked about again: by the same invoice.
  lab.play.node.behaviour = { kind: 'unknownPaid' }
  await bot.dm(customer, '/withdraw me@payee.example 500')
  expect(await lab.hears(customer, 'withdrawal', 2)).toMatchObject({ state: 'done', sats: 500 })
  await bot.dm(customer, '/withdraw me@payee.example')
  expect(await lab.hears(customer, 'withdrawal', 4)).toMatchObject({ state: 'done', sats: 1_485 })
  expect(asked).toEqual([500, 1_485])
  expect(await lab.balance(customer)).toEqual({ availableSats: 15, balanceSats: 15 })
  await lab.expectClean()
})

test('what our own books refuse costs LNbits no question', async () => {
  await using lab = await botLab()
  const bot = await lab.bot()
  const customer = someKey()
  await lab.topUp(bot, customer, 300)
  const { look, feeReserve } = lab.play.faults.calls
  for (let count = 0; count < 20; count += 1) {
    await bot.dm(customer, `/withdraw ${lab.outside(400).bolt11}`)
  }
  const reasons = (await lab.told(customer, 'refused')).map(({ reason }) => reason)
  expect(reasons).toEqual(Array(20).fill('insufficient_balance'))
  expect(lab.play.faults.calls).toMatchObject({ look, feeReserve })
})

test("a customer without the sats does not make us call on a stranger's server", async () => {
  await using lab = await botLab()
  let calls = 0
  const bot = await lab.bot({
    async resolve() {
      calls += 1
      return { ok: false, reason: 'unreachable' }
    },
  })
  const customer = someKey()
  await lab.topUp(bot, customer, 300)
  await bot.dm(customer, '/withdraw me@payee.example 500')
  await bot.dm(someKey(), '/withdraw me@payee.example')
  expect(await lab.hears(customer, 'refused')).toMatchObject({
    reason: 'insufficient_balance',
    limit: 297,
  })
  expect(calls).toBe(0)
})
