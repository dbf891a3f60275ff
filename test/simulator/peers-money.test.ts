import { expect, test } from 'vitest'
import { changedTables, tableSums } from '../support/checkers.ts'
import { stages } from './scenarios.ts'
import { calm } from './world.ts'

/*
 * Bugs that other bots and gateways had, or have, with the money itself: the same sats spent twice, a payment that
 * was none, a budget that many pass at once, a refund above what was paid.
 */

const stage = stages()

// The balance is read, lowered in memory and written back, with awaits in between.
test('nostrdvm: two jobs at once cannot spend the same sats', async () => {
  using play = await stage('nostrdvm twice')
  play.world.start()
  const customer = await play.customer()
  await play.topUp(customer, 30)
  customer.asksFor(20, { model: 'flat' })
  customer.asksFor(20, { model: 'flat', via: 'nip04' })
  await play.hears(customer, 'result')
  const { chargeSats } = await play.hears(customer, 'invoice', 2)
  expect(chargeSats).toBe(21)
  await play.later(120_000)
  expect(await play.balance(customer)).toBe(30 - 21)
  expect(await play.faults()).toEqual([])
})

// The balance is lowered before the payment, which fails; the error is printed and the balance stays low.
test.each(['refused', 'failed', 'pending-then-failed', 'not-sent'] as const)(
  'nostrdvm: sats that could not be sent (%s) are spendable again or arrive',
  async (fate) => {
    using play = await stage(`nostrdvm ${fate}`)
    play.world.start()
    const customer = await play.customer()
    await play.topUp(customer, 1_000)
    const { bolt11, paymentHash } = play.world.outgoing.outside(400, fate)
    customer.writes(`/withdraw ${bolt11}`)
    await play.hears(customer, 'withdrawal')
    expect(await play.faults()).toEqual([])
    const { count } = play.world.outgoing.payouts(paymentHash)
    expect(customer.last('withdrawal')?.reply.state).toBe(count === 1 ? 'done' : 'failed')
    if (count === 0) expect(await play.balance(customer)).toBe(1_000)
  },
)

// Whoever knows the invoice can sign a receipt for it; balance is credited on it.
test('DVMCP: a receipt that a payer made up moves nothing', async () => {
  using play = await stage('dvmcp')
  const bot = play.world.start()
  const customer = await play.customer()
  customer.asksFor(30)
  const { bolt11 } = await play.hears(customer, 'invoice')
  const invoice = play.world.incoming.byBolt11(String(bolt11))
  for (let left = 5; left > 0; left -= 1) bot.journey.hintPayment(invoice?.paymentHash)
  bot.journey.hintPayment('ab'.repeat(32))
  customer.writes(`${bolt11} is paid`)
  await play.later(5_000)
  expect((await play.jobs())[0]).toMatchObject({ state: 'awaiting_payment', paidSats: 0 })
  expect(await play.faults()).toEqual([])
})

// A hash is bound to no price and no request: a cheap one pays for a dear one, and two at once pass the check.
test('paidmcp: a payment is for its own job and for that once', async () => {
  using play = await stage('paidmcp')
  const bot = play.world.start()
  const customer = await play.customer()
  customer.asksFor(12, { model: 'flat' })
  await play.hears(customer, 'invoice')
  customer.pays()
  const cheap = play.world.incoming.all()[0]?.paymentHash
  await play.hears(customer, 'result')
  customer.asksFor(60, { model: 'token' })
  await play.hears(customer, 'invoice', 2)
  for (let left = 3; left > 0; left -= 1) bot.journey.hintPayment(cheap)
  await play.later(2_000)
  expect((await play.jobs()).map(({ state }) => state)).toEqual(['done', 'awaiting_payment'])
  expect(await play.faults()).toEqual([])
})

// The customer had to poll; who did not lost a top-up of ten thousand sats.
test('Routstr: a top-up that nobody announces and LNbits sees a minute late is credited', async () => {
  using play = await stage('routstr late', {
    settings: { invoiceTtlSeconds: 30 },
    dials: { ...calm, lnbits: { ...calm.lnbits, seenLate: 1, calledFailed: 1 } },
  })
  play.world.start()
  const customer = await play.customer()
  customer.writes('/topup 10000')
  await play.hears(customer, 'invoice')
  customer.pays()
  await play.hears(customer, 'balance')
  expect(await play.balance(customer)).toBe(10_000)
  expect(await play.faults()).toEqual([])
})

// A top-up and a refund of the same moment: one of them was lost.
test('Routstr: a top-up, a refund and a withdrawal of one moment all count', async () => {
  using play = await stage('routstr moment')
  play.world.start()
  const customer = await play.customer()
  await play.topUp(customer, 1_000)
  customer.writes('/topup 700')
  await play.hears(customer, 'invoice', 2)
  customer.asksFor(40, { model: 'token' })
  customer.writes(`/withdraw ${play.world.outgoing.outside(300).bolt11}`)
  customer.pays()
  const { chargeSats } = await play.hears(customer, 'result')
  expect(await play.faults()).toEqual([])
  const [fee] = await play.world.session.sql<{ sats: number }[]>`
    select fee_sats as sats from withdrawals`
  const spentSats = Number(chargeSats) + 300 + (fee?.sats ?? 0)
  expect(await play.balance(customer)).toBe(1_700 - spentSats)
})

// An invoice paid from a wallet of the same instance can be paid once more from outside.
test('LNbits #2159: a second payment of one invoice adds nothing', async () => {
  using play = await stage('lnbits 2159')
  const bot = play.world.start()
  const customer = await play.customer()
  customer.writes('/topup 250')
  const { bolt11 } = await play.hears(customer, 'invoice')
  expect(play.world.incoming.pay(String(bolt11))).toBe(true)
  await play.hears(customer, 'balance')
  expect(play.world.incoming.pay(String(bolt11))).toBe(false)
  bot.journey.hintPayment(play.world.incoming.all()[0]?.paymentHash)
  bot.journey.hintPayment()
  expect(await play.faults()).toEqual([])
  expect(await play.balance(customer)).toBe(250)
})

// A hash that is paid is a job that is paid, whatever came: one sat bought any work.
test('paidmcp: a payment in part buys nothing, is on the balance, and its job ends', async () => {
  using play = await stage('paidmcp part', { settings: { invoiceTtlSeconds: 20 } })
  play.world.start()
  const customer = await play.customer()
  customer.asksFor(30, { model: 'flat' })
  const { bolt11 } = await play.hears(customer, 'invoice')
  play.world.incoming.pay(String(bolt11), 20)
  await play.hears(customer, 'expired')
  expect(await play.faults()).toEqual([])
  expect(await play.balance(customer)).toBe(20)
})

// "Failed" after the expiry is no end: the node may have the money, and the row turns to success later.
test('LNbits: an invoice that is called failed and paid after its expiry is on the balance', async () => {
  using play = await stage('lnbits failed', {
    settings: { invoiceTtlSeconds: 20 },
    dials: { ...calm, lnbits: { ...calm.lnbits, calledFailed: 1, takesLate: 1 } },
  })
  play.world.start()
  const customer = await play.customer()
  customer.asksFor(30)
  const { chargeSats } = await play.hears(customer, 'invoice')
  await play.hears(customer, 'expired')
  customer.pays()
  await play.hears(customer, 'balance')
  expect(await play.balance(customer)).toBe(chargeSats)
  expect(await play.faults()).toEqual([])
})

// Ten stale invoices were looked at every minute, always the same ten.
test('nostream: sixty invoices that nobody pays do not hide one that is paid', async () => {
  using play = await stage('nostream stale', {
    settings: { invoiceTtlSeconds: 600 },
    dials: { ...calm, lnbits: { ...calm.lnbits, seenLate: 1 } },
  })
  play.world.start()
  for (let left = 60; left > 0; left -= 1) (await play.customer()).asksFor(20)
  await play.later(5_000)
  const customer = await play.customer()
  customer.asksFor(20)
  await play.hears(customer, 'invoice')
  customer.pays()
  const paidAt = play.world.time.now()
  await play.hears(customer, 'working')
  expect(play.world.time.now() - paidAt).toBeLessThan(90_000)
})

// A pay-out is asked for again, by a second message or by who says that the first never came: paid twice.
test('Mostro: a pay-out that is asked for twice is paid once', async () => {
  using play = await stage('mostro twice')
  play.world.start()
  const customer = await play.customer()
  await play.topUp(customer, 2_000)
  const { bolt11, paymentHash } = play.world.outgoing.outside(500, 'called-failed-and-paid')
  customer.writes(`/withdraw ${bolt11}`)
  await play.later(30)
  customer.writes(`/withdraw ${bolt11}`)
  await play.hears(customer, 'refused')
  play.world.heal()
  expect(await play.faults()).toEqual([])
  expect(play.world.outgoing.payouts(paymentHash).count).toBe(1)
})

// Restart and replay paid twice; a payment in flight was not counted as spent.
test.each(['withdraw:held', 'withdraw:before-sent', 'withdraw:sent', 'withdraw:paid'] as const)(
  'ZEUS: a death at %s and the same message again pay once',
  async (place) => {
    using play = await stage(`zeus ${place}`)
    const bot = play.world.start()
    const customer = await play.customer()
    await play.topUp(customer, 1_000)
    const { bolt11, paymentHash } = play.world.outgoing.outside(500)
    bot.crashAt(place)
    customer.writes(`/withdraw ${bolt11}`)
    await play.until('its death', () => bot.state === 'dead')
    play.world.start()
    expect(await play.faults()).toEqual([])
    const { count } = play.world.outgoing.payouts(paymentHash)
    expect(customer.last('withdrawal')?.reply.state).toBe(count === 1 ? 'done' : 'failed')
  },
)

// The same from the other side: whoever wakes up late does what somebody else has given up in the meantime.
test.each([0, -3_600_000, 3_600_000])(
  'ZEUS: a bot that slept through its turn, its clock put by %i ms, pays nothing any more',
  async (stepMs) => {
    using play = await stage(`zeus asleep ${stepMs}`)
    const bot = play.world.start()
    const customer = await play.customer()
    await play.topUp(customer, 1_000)
    const { bolt11, paymentHash } = play.world.outgoing.outside(500, 'paid')
    bot.suspendAt('withdraw:sent', 600_000)
    customer.writes(`/withdraw ${bolt11}`)
    await play.until('its sleep', () => bot.state === 'suspended')
    bot.skewMs += stepMs
    play.world.start()
    await play.hears(customer, 'withdrawal', 2)
    expect(customer.last('withdrawal')?.reply.state).toBe('failed')
    await play.later(600_000)
    expect(bot.state).toBe('alive')
    expect(play.world.outgoing.payouts(paymentHash).count).toBe(0)
    expect(await play.faults()).toEqual([])
  },
)

// Concurrent withdrawals passed the check of the balance: 4.07 BTC. One in flight was not counted as spent.
test.each(['paid', 'pending-then-paid'] as const)(
  'LNbank: withdrawals of one moment (%s) share one balance',
  async (fate) => {
    using play = await stage(`lnbank ${fate}`)
    play.world.start()
    play.world.start()
    const customer = await play.customer()
    await play.topUp(customer, 1_000)
    for (let left = 3; left > 0; left -= 1) {
      customer.writes(`/withdraw ${play.world.outgoing.outside(600, fate).bolt11}`)
    }
    await play.hears(customer, 'refused', 2)
    expect(await play.faults()).toEqual([])
    expect(play.world.outgoing.total().count).toBe(1)
  },
)

// A cancellation took back an escrow that had just been paid.
test.each([0, 20, 60, 120, 300])(
  'Mostro: a cancellation %i ms after the payment loses nothing',
  async (ms) => {
    using play = await stage(`mostro cancel ${ms}`)
    play.world.start()
    const customer = await play.customer()
    customer.asksFor(30, { model: 'flat' })
    await play.hears(customer, 'invoice')
    customer.pays()
    await play.later(ms)
    customer.writes('/cancel 1')
    expect(await play.faults()).toEqual([])
    const [job] = await play.jobs()
    const served = job?.state === 'done'
    expect(await play.balance(customer)).toBe(served ? 0 : 21)
  },
)

// Requests of one moment each see a budget that none has used yet.
test('LiteLLM: ten free requests of one moment stay within the budget', async () => {
  using play = await stage('litellm')
  play.world.start()
  play.world.start()
  const customer = await play.customer({ tier: 'established' })
  for (let left = 10; left > 0; left -= 1) customer.asksFor(20, { model: 'flat' })
  await play.until('ten answers', () => customer.heard.length >= 10)
  expect(await play.faults()).toEqual([])
  const [day] = await play.world.session.sql<{ sats: number }[]>`
    select absorbed_sats as sats from customer_days`
  expect(day?.sats).toBeLessThanOrEqual(50)
})

// The first requests of a key that nobody knows passed without any budget.
test('LiteLLM: the first request of a new key is not free', async () => {
  using play = await stage('litellm new')
  play.world.start()
  const customer = await play.customer()
  customer.asksFor(20)
  expect(await play.hears(customer, 'invoice')).toMatchObject({ serve: 'gate', absorbSats: 0 })
})

// A negative price made the refund larger than the reservation: 31,348.80 credits out of nothing.
test('elizaOS: a backend that counts below zero refunds no more than was paid', async () => {
  using play = await stage('eliza', {
    dials: { ...calm, backend: { ...calm.backend, negative: 1 } },
  })
  play.world.start()
  const customer = await play.customer()
  customer.asksFor(30, { model: 'token' })
  const { chargeSats } = await play.hears(customer, 'invoice')
  customer.pays()
  await play.until('an end', () => customer.heard.length > 2)
  expect(await play.balance(customer)).toBeLessThanOrEqual(Number(chargeSats))
  expect(await play.faults()).toEqual([])
})

// An authorisation is used up before the tool runs; a tool that fails keeps the money.
test('ContextVM: work that fails gives everything back', async () => {
  using play = await stage('contextvm fails', {
    dials: { ...calm, backend: { ...calm.backend, rejects: 1 } },
  })
  play.world.start()
  const customer = await play.customer()
  customer.asksFor(30)
  const { chargeSats } = await play.hears(customer, 'invoice')
  customer.pays()
  expect(await play.hears(customer, 'failed')).toMatchObject({ refundSats: chargeSats })
  expect(await play.balance(customer)).toBe(chargeSats)
  expect(await play.faults()).toEqual([])
})

// The customer's token was spent on a request that was then refused.
test('OpenTollGate: a refused request costs nothing', async () => {
  using play = await stage('tollgate refused')
  play.world.start()
  const customer = await play.customer({ banned: true })
  customer.asksFor(30)
  await play.hears(customer, 'refused')
  expect(play.world.incoming.all()).toEqual([])
  expect(await play.jobs()).toEqual([])
})

// In the first design an estimate lowered the pool.
test('the first design: a thousand questions change no sat', async () => {
  using play = await stage('first estimate', { strict: false })
  play.world.start()
  const customer = await play.customer({ tier: 'trusted' })
  await play.later(0)
  const before = await tableSums(play.world.session.sql)
  for (let left = 40; left > 0; left -= 1) {
    customer.writes(JSON.stringify({ type: 'estimate', request: `zebra ${left}` }))
    customer.writes('/why')
  }
  await play.until('eighty answers', () => customer.heard.length >= 80)
  const after = await tableSums(play.world.session.sql)
  expect(changedTables(before, after).filter((name) => !/^(inbox|outbox)/.test(name))).toEqual([])
})

// The pool was empty when the partial job was paid: the job failed, or somebody was charged again.
test('the first design: a pool that drains between promise and payment raises no price', async () => {
  using play = await stage('first drained', {
    rules: { poolSeedSats: 210, poolDailyOutflowPct: 100 },
    settings: { invoiceTtlSeconds: 600 },
  })
  play.world.start()
  const [promised, others] = [
    await play.customer({ tier: 'established' }),
    await play.customer({ tier: 'elite' }),
  ]
  promised.asksFor(60, { model: 'token' })
  const { chargeSats, absorbSats } = await play.hears(promised, 'invoice')
  expect(absorbSats).toBe(50)
  for (let left = 12; left > 0; left -= 1) others.asksFor(20, { model: 'flat' })
  await play.hears(others, 'result', 7)
  promised.pays()
  const result = await play.hears(promised, 'result')
  expect(Number(result.chargeSats)).toBeLessThanOrEqual(Number(chargeSats))
})

// The user was a class where an instance was meant: two handlers at once shared one.
test('nostrdvm: customers of one moment are not taken for each other', async () => {
  using play = await stage('nostrdvm users')
  play.world.start()
  const customers = play.customers(6)
  for (const [at, customer] of customers.entries()) customer.writes(`/topup ${100 * (at + 1)}`)
  for (const [at, customer] of customers.entries()) {
    expect(await play.hears(customer, 'invoice')).toMatchObject({ chargeSats: 100 * (at + 1) })
  }
  for (const customer of customers) customer.pays()
  for (const [at, customer] of customers.entries()) {
    expect(await play.hears(customer, 'balance')).toMatchObject({ balanceSats: 100 * (at + 1) })
  }
  expect(await play.faults()).toEqual([])
})

// One request a second for each open invoice, or one every second and a half.
test('nostrdvm, ContextVM: sixty open invoices are one question a time', async () => {
  using play = await stage('nostrdvm polls', {
    settings: { invoiceTtlSeconds: 600, paymentPollMs: 10_000 },
  })
  const { world } = play
  world.start()
  const customers = play.customers(60)
  for (const customer of customers) customer.asksFor(20)
  await play.until('sixty invoices', () => world.incoming.all().length === 60)
  await play.later(5_000)
  const questions = () =>
    world.trace.lines().filter((line) => / lnbits (list|look|read)/.test(line))
  const before = questions().length
  await play.later(60_000)
  expect(questions().length - before).toBeLessThanOrEqual(7)
})

// An expired invoice stayed "pending" at LNbits, and with it whatever waited for its end.
test('LNbits #3490: an invoice that is called pending for ever expires', async () => {
  using play = await stage('lnbits pending', { settings: { invoiceTtlSeconds: 20 } })
  play.world.start()
  const customer = await play.customer()
  customer.asksFor(30)
  await play.hears(customer, 'invoice')
  await play.hears(customer, 'expired')
  expect(await play.faults()).toEqual([])
  expect((await play.jobs()).map(({ state }) => state)).toEqual(['expired'])
})

// The balance was read after the payment, and when that failed the payment was said to have failed.
test.each(['answer-lost', 'late'] as const)(
  'LightningTipBot: a pay-out whose answer never came (%s) is not called failed',
  async (fate) => {
    using play = await stage(`tipbot ${fate}`)
    play.world.start()
    const customer = await play.customer()
    await play.topUp(customer, 1_000)
    const { bolt11, paymentHash } = play.world.outgoing.outside(400, fate)
    customer.writes(`/withdraw ${bolt11}`)
    await play.until('it was paid', () => play.world.outgoing.payouts(paymentHash).count === 1)
    expect(await play.faults()).toEqual([])
    expect(customer.last('withdrawal')?.reply.state).toBe('done')
  },
)

// A pay-out that failed was never asked about again, and nothing else could be tried.
test('Mostro: after a pay-out that failed the next one is paid', async () => {
  using play = await stage('mostro next')
  play.world.start()
  const customer = await play.customer()
  await play.topUp(customer, 1_000)
  const withdrawal = async (fate: 'failed' | 'paid', state: string) => {
    const { bolt11, paymentHash } = play.world.outgoing.outside(400, fate)
    customer.writes(`/withdraw ${bolt11}`)
    await play.until(state, () => customer.last('withdrawal')?.reply.state === state)
    return play.world.outgoing.payouts(paymentHash).count
  }
  expect(await withdrawal('failed', 'failed')).toBe(0)
  expect(await withdrawal('paid', 'done')).toBe(1)
  expect(await play.faults()).toEqual([])
})
