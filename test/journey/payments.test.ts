import { expect, test } from 'vitest'
import type { Failpoint } from '../../src/failpoint.ts'
import { lies } from '../../src/sandbox/lnbits-faults.ts'
import { type Bot, type BotLab, botLab, someKey } from '../support/bot.ts'
import { until } from '../support/until.ts'

const PRICE = 100

/** A customer with the invoice of a job. */
async function invoiced(lab: BotLab, bot: Bot, text = 'work, please') {
  const customer = someKey()
  await bot.dm(customer, text)
  const { bolt11, jobId } = await lab.hears(customer, 'invoice')
  const [row] = await lab.sql<{ hash: string }[]>`
    select payment_hash as hash from invoices where customer = ${customer}`
  return { customer, bolt11, jobId, hash: row?.hash ?? '' }
}

/** Lets an invoice run out for our books; LNbits goes on taking it. */
async function expire(lab: BotLab, customer: string): Promise<void> {
  await lab.sql`
    update invoices set expires_at = now(), look_at = now() where customer = ${customer}`
  await lab.sql`update jobs set due_at = now() where customer = ${customer}`
  await lab.sql`select pg_notify('tithe_lane', 'jobs')`
  await lab.hears(customer, 'expired')
}

const types = async (lab: BotLab, customer: string) =>
  (await lab.told(customer)).map(({ type }) => type)

test('an exact payment is work, by a wallet of the same LNbits or from outside', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ priceSats: PRICE })
  const [inside, outside] = [await invoiced(lab, bot), await invoiced(lab, bot)]
  await lab.pay(inside.bolt11)
  lab.play.payFromOutside(outside.hash, { feeMsat: 1_500 })
  for (const { customer } of [inside, outside]) {
    expect(await lab.hears(customer, 'result')).toMatchObject({ chargeSats: PRICE })
    expect(await types(lab, customer)).toEqual(['invoice', 'working', 'result'])
  }
  // What LNbits kept on the way in is the operator's cost, and its millisats are dust.
  const fees = await lab.sql`select debit, sats from transfers where kind = 'incoming_fee'`
  expect(fees).toEqual([{ debit: 'operator', sats: 2 }])
  await lab.expectClean()
})

test('a payment that is announced many times, by hint, poll and expiry, is one piece of work', async () => {
  await using lab = await botLab()
  let runs = 0
  const bots = await Promise.all(
    [1, 2].map(() =>
      lab.bot({
        priceSats: PRICE,
        pollMs: 20,
        async backend() {
          runs += 1
          return { result: 'done', usage: null }
        },
      }),
    ),
  )
  const { customer, bolt11, hash } = await invoiced(lab, bots[0] as Bot)
  await lab.pay(bolt11)
  for (let count = 0; count < 20; count += 1) bots[count % 2]?.journey.hintPayment(hash)
  await lab.sql`update jobs set due_at = now() where state = 'awaiting_payment'`
  await lab.sql`select pg_notify('tithe_lane', 'jobs')`
  await lab.hears(customer, 'result')
  for (let count = 0; count < 20; count += 1) bots[count % 2]?.journey.hintPayment(hash)
  expect(await types(lab, customer)).toEqual(['invoice', 'working', 'result'])
  expect(runs).toBe(1)
  expect(await lab.sql`select sats from transfers where kind = 'payment'`).toEqual([
    { sats: PRICE },
  ])
  await lab.expectClean()
})

test('a payment after expiry is balance and exactly one DM, however often it is seen', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ priceSats: PRICE })
  const { customer, hash, jobId } = await invoiced(lab, bot)
  await expire(lab, customer)
  lab.play.payFromOutside(hash)
  for (let count = 0; count < 5; count += 1) bot.journey.hintPayment(hash)
  expect(await lab.hears(customer, 'balance')).toMatchObject({
    ...{ change: PRICE, reason: 'late_payment', jobId, availableSats: PRICE },
  })
  bot.journey.hintPayment(hash)
  await bot.dm(customer, '/balance')
  await lab.hears(customer, 'balance', 2)
  expect(await types(lab, customer)).toEqual(['invoice', 'expired', 'balance', 'balance'])
  await lab.expectClean()
})

test('a payment for a cancelled job is balance and one DM that says why', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ priceSats: PRICE })
  const { customer, bolt11, jobId } = await invoiced(lab, bot)
  await bot.dm(customer, `/cancel ${jobId}`)
  await lab.hears(customer, 'job')
  await lab.pay(bolt11)
  bot.journey.hintPayment()
  expect(await lab.hears(customer, 'balance')).toMatchObject({
    ...{ change: PRICE, reason: 'cancelled_payment', jobId },
  })
  expect(await types(lab, customer)).toEqual(['invoice', 'job', 'balance'])
  await lab.expectClean()
})

test('a create whose answer is lost leaves an invoice that nobody is shown', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ priceSats: PRICE })
  lab.play.faults.add('create', { kind: 'cut', after: true })
  const { customer, bolt11 } = await invoiced(lab, bot)
  expect(lab.play.books().filter(({ amountMsat }) => amountMsat === PRICE * 1000)).toHaveLength(2)
  await lab.pay(bolt11)
  await lab.hears(customer, 'result')
  expect(await types(lab, customer)).toEqual(['invoice', 'working', 'result'])
  await lab.expectClean()
})

test('a payment while no daemon runs is found by the next one', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ priceSats: PRICE })
  const { customer, hash } = await invoiced(lab, bot)
  await bot.crash()
  lab.play.payFromOutside(hash, { announced: false })
  await lab.bot({ priceSats: PRICE })
  await lab.sql`update invoices set look_at = now()`
  await lab.hears(customer, 'result')
  expect(await types(lab, customer)).toEqual(['invoice', 'working', 'result'])
  await lab.expectClean()
})

test('a payment during an outage of LNbits is found by hash when it is back', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ priceSats: PRICE })
  const { customer, hash } = await invoiced(lab, bot)
  await lab.play.outage()
  // Its node has the money, and LNbits was not there to hear it (trap 16).
  lab.play.payFromOutside(hash, { announced: false })
  await lab.sql`update jobs set due_at = now() where customer = ${customer}`
  await lab.sql`select pg_notify('tithe_lane', 'jobs')`
  await until('the expiry has asked in vain', async () => {
    const rows = await lab.sql`
      select 1 from jobs where last_error is not null and state = 'awaiting_payment'`
    return rows.length > 0
  })
  await lab.play.recover()
  // Questions that fail cost looks too, and without one the node is not asked.
  await until('it answers', async () => (await bot.lnbits.health()).up)
  await until('the expiry has asked again', async () => {
    // Its next try is seconds away; time passes faster here.
    const waits = await lab.sql`
      update jobs set due_at = now() where state = 'awaiting_payment' and lease is null
        and due_at > now()
      returning id`
    if (waits.length > 0) await lab.sql`select pg_notify('tithe_lane', 'jobs')`
    return (await lab.told(customer, 'working')).length > 0
  })
  await lab.hears(customer, 'result')
  expect(await types(lab, customer)).toEqual(['invoice', 'working', 'result'])
  await lab.expectClean()
})

test('a payment that LNbits did not hear of is found when it is back, long before expiry (traps 11, 16)', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ priceSats: PRICE })
  const { customer, hash } = await invoiced(lab, bot)
  await lab.play.outage()
  lab.play.payFromOutside(hash, { announced: false })
  await lab.play.recover()
  await until('it answers', async () => (await bot.lnbits.health()).up)
  bot.journey.lnbitsReturned()
  await lab.hears(customer, 'result')
  expect(await types(lab, customer)).toEqual(['invoice', 'working', 'result'])
  await lab.expectClean()
})

test('who hears nothing by the websocket learns by its questions that LNbits was away', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ priceSats: PRICE, pollMs: 20 })
  const { customer, hash } = await invoiced(lab, bot)
  lab.play.payFromOutside(hash, { announced: false })
  const asked = lab.play.faults.calls.list
  await until('LNbits was asked', () => lab.play.faults.calls.list > asked + 2)
  expect(await types(lab, customer)).toEqual(['invoice'])
  lab.play.faults.add('list', { kind: 'html' })
  await lab.hears(customer, 'result')
  await lab.expectClean()
})

// Anybody can write to the websocket that hints come by.
test('a hint is no payment: LNbits is asked, and its word counts', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ priceSats: PRICE })
  const { customer, hash } = await invoiced(lab, bot)
  const asked = lab.play.faults.calls.look
  bot.journey.hintPayment(hash)
  await until('LNbits was asked, or was not', async () => {
    return lab.play.faults.calls.look > asked || (await types(lab, customer)).length > 1
  })
  await bot.stop()
  expect(await types(lab, customer)).toEqual(['invoice'])
  await lab.expectClean()
})

test('an LNbits that says "unpaid" of a paid invoice loses nothing', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ priceSats: PRICE, pollMs: 20 })
  const { customer, bolt11, hash } = await invoiced(lab, bot)
  lab.play.faults.add('look', lies.unpaid, { times: 3, paymentHash: hash })
  lab.play.faults.add('list', { kind: 'html' }, { times: 3 })
  await lab.pay(bolt11)
  bot.journey.hintPayment(hash)
  await lab.hears(customer, 'result')
  expect(await types(lab, customer)).toEqual(['invoice', 'working', 'result'])
  await lab.expectClean()
})

const deaths: Failpoint[] = [
  'payment:seen',
  'payment:before-commit',
  'payment:committed',
  'work:start',
  'work:end',
  'settle:before-commit',
  'settle:committed',
]

test.each(deaths)('a death at %s books the payment once and delivers once', async (place) => {
  await using lab = await botLab()
  const bot = await lab.bot({ priceSats: PRICE })
  const { customer, bolt11, hash } = await invoiced(lab, bot)
  await bot.crashAt(place, async () => {
    await lab.pay(bolt11)
    bot.journey.hintPayment(hash)
  })
  await lab.bot({ priceSats: PRICE })
  await lab.hears(customer, 'result')
  expect(await types(lab, customer)).toEqual(['invoice', 'working', 'result'])
  await lab.expectClean()
})

const sales: Failpoint[] = ['funds:invoice-made', 'funds:before-commit', 'funds:committed']

test.each(sales)('a top-up whose seller dies at %s is sold once and booked once', async (place) => {
  await using lab = await botLab()
  const bot = await lab.bot()
  const customer = someKey()
  const message = { id: someKey(), at: 1_800_000_000 }
  await bot.crashAt(place, () => bot.dm(customer, '/topup 700', message))
  const next = await lab.bot()
  await next.dm(customer, '/topup 700', message)
  const { bolt11 } = await lab.hears(customer, 'invoice')
  await lab.pay(bolt11)
  next.journey.hintPayment()
  expect(await lab.hears(customer, 'balance')).toMatchObject({ change: 700, reason: 'topup' })
  expect(await types(lab, customer)).toEqual(['invoice', 'balance'])
  await lab.expectClean()
})

const poolSats = async ({ sql }: BotLab) =>
  (await sql<{ sats: number }[]>`select balance_sats as sats from accounts where name = 'pool'`)[0]
    ?.sats

test('a donation fills the pool in full, in time, late, and once', async () => {
  await using lab = await botLab()
  const bot = await lab.bot()
  const customer = someKey()
  await bot.dm(customer, '/donate 800')
  const { bolt11, purpose, chargeSats } = await lab.hears(customer, 'invoice')
  expect({ purpose, chargeSats }).toEqual({ purpose: 'donate', chargeSats: 800 })
  await lab.pay(bolt11)
  const [first] = await lab.sql<{ hash: string }[]>`select payment_hash as hash from invoices`
  for (let count = 0; count < 5; count += 1) bot.journey.hintPayment(first?.hash)
  expect(await lab.hears(customer, 'pool')).toMatchObject({
    ...{ balanceSats: 10_800, donatedSats: 800 },
  })
  // The second one comes after its invoice has run out.
  await bot.dm(customer, '/donate 50')
  await lab.hears(customer, 'invoice', 2)
  const [second] = await lab.sql<{ hash: string }[]>`
    update invoices set expires_at = now() - interval '1 hour', state = 'expired', look_at = now()
    where amount_sats = 50 returning payment_hash as hash`
  lab.play.payFromOutside(second?.hash ?? '')
  bot.journey.hintPayment(second?.hash)
  expect(await lab.hears(customer, 'pool', 2)).toMatchObject({ donatedSats: 50 })
  bot.journey.hintPayment(first?.hash)
  expect(await poolSats(lab)).toBe(10_850)
  expect(await types(lab, customer)).toEqual(['invoice', 'pool', 'invoice', 'pool'])
  expect(await lab.sql`select sats from transfers where kind = 'donation' order by id`).toEqual([
    { sats: 800 },
    { sats: 50 },
  ])
  await lab.expectClean()
})
