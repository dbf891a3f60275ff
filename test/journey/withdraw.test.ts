import { expect, test } from 'vitest'
import type { CallFault } from '../../src/sandbox/lnbits-faults.ts'
import type { NodeBehaviour } from '../../src/sandbox/lnbits-node.ts'
import { readBreaches } from '../../src/store/audit.ts'
import { declareFirstFloat, readLightningBooks, writeVerdict } from '../../src/store/solvency.ts'
import { type BotLab, type BotOptions, botLab, someKey } from '../support/bot.ts'
import { createJumpingClock } from '../support/jumping-clock.ts'
import { until } from '../support/until.ts'

/** A customer with 2,000 sats, an invoice of 1,000 from elsewhere, and how its payment goes. */
async function scene(lab: BotLab, behaviour: NodeBehaviour, options: BotOptions = {}) {
  const bot = await lab.bot(options)
  const customer = someKey()
  await lab.topUp(bot, customer, 2_000)
  const invoice = lab.outside(1_000)
  lab.play.node.script(invoice.paymentHash, behaviour)
  const withdraw = () => bot.dm(customer, `/withdraw ${invoice.bolt11}`)
  // The top-up was paid by a POST too.
  const before = lab.play.faults.calls.pay
  const posts = () => lab.play.faults.calls.pay - before
  return { bot, customer, ...invoice, withdraw, posts }
}

/** The last word on a withdrawal; there must be exactly one, after exactly one "sent". */
async function ending(lab: BotLab, customer: string) {
  await lab.hears(customer, 'withdrawal', 2)
  const told = await lab.told(customer, 'withdrawal')
  expect(told.map(({ state }) => state).slice(0, -1)).toEqual(['sent'])
  return told.at(-1)
}

const note = (lab: BotLab, text: string) =>
  until(`a withdrawal says ${text}`, async () => {
    const [row] = await lab.sql<{ note: string | null; leased: boolean }[]>`
      select last_error as note, lease is not null as leased from withdrawals`
    return row?.note?.includes(text) && !row.leased
  })

test('a withdrawal pays once, takes the true fee and gives the rest of its reserve back', async () => {
  await using lab = await botLab()
  const { customer, paymentHash, withdraw } = await scene(lab, { kind: 'ok', feeMsat: 1_500 })
  await withdraw()
  expect(await ending(lab, customer)).toMatchObject({
    state: 'done',
    sats: 1_000,
    feeSats: 2,
    balanceSats: 998,
  })
  expect((await lab.told(customer, 'withdrawal'))[0]).toMatchObject({
    state: 'sent',
    sats: 1_000,
    balanceSats: 990,
  })
  expect(await lab.balance(customer)).toEqual({ availableSats: 998, balanceSats: 998 })
  expect(lab.payouts(paymentHash)).toBe(1)
  await lab.expectClean()
})

test('a payment that the node refuses twice is failed, and everything is back', async () => {
  await using lab = await botLab()
  const { customer, paymentHash, withdraw, posts } = await scene(lab, { kind: 'noRoute' })
  await withdraw()
  expect(await ending(lab, customer)).toMatchObject({ state: 'failed', balanceSats: 2_000 })
  // Once to pay, once to ask the node again before the hold is given back.
  expect(posts()).toBe(2)
  expect(lab.payouts(paymentHash)).toBe(0)
  await lab.expectClean()
})

// The double-spend hole of LNbits before 1.6: "failed", and the node has paid.
test('a payment called failed that was paid is done, and its hold was never given back', async () => {
  await using lab = await botLab()
  const how = { kind: 'unknownPaid', feeMsat: 3_000 } as const
  const { customer, paymentHash, withdraw } = await scene(lab, how)
  await withdraw()
  expect(await ending(lab, customer)).toMatchObject({ state: 'done', feeSats: 3 })
  expect(lab.payouts(paymentHash)).toBe(1)
  expect((await lab.balance(customer)).availableSats).toBe(997)
  await lab.expectClean()
})

test('a failure that the node does not confirm is held until it does, then parked, never released', async () => {
  await using lab = await botLab()
  const { customer, paymentHash, withdraw, posts } = await scene(lab, { kind: 'unknownPending' })
  await withdraw()
  await note(lab, 'the node does not say so')
  for (let round = 0; round < 3; round += 1) {
    const asked = posts()
    // On a busy machine a question may be over before it is answered, and is asked the next time.
    await until('LNbits was asked', async () => {
      await lab.later(200)
      return posts() > asked
    })
    expect(posts()).toBe(asked + 1)
  }
  expect(await lab.withdrawalStates()).toEqual(['sent'])
  await lab.later(86_400 + 3_600)
  expect(await ending(lab, customer)).toMatchObject({ state: 'unknown', balanceSats: 990 })
  expect((await lab.balance(customer)).availableSats).toBe(990)
  // The truth may still come: it is asked for every hour, and it ends what was parked.
  lab.play.node.finish(paymentHash, { state: 'success', feeMsat: 0 })
  await lab.later(3_600)
  expect(await lab.hears(customer, 'withdrawal', 3)).toMatchObject({ state: 'done', feeSats: 0 })
  await lab.expectClean()
})

test('a payment in flight is asked about for days, and its late success is a success (trap 5)', async () => {
  await using lab = await botLab({ payWaitMs: 5 })
  const { bot, customer, paymentHash, withdraw } = await scene(lab, { kind: 'inflight' })
  await withdraw()
  await note(lab, 'pending')
  await lab.later(7_200)
  expect(await lab.withdrawalStates()).toEqual(['sent'])
  // The customer begs for another address meanwhile: that is another withdrawal, of other sats.
  const second = lab.outside(500)
  await bot.dm(customer, `/withdraw ${second.bolt11}`)
  await until('the second is paid', () => lab.payouts(second.paymentHash) === 1)
  lab.play.node.finish(paymentHash, { state: 'success', feeMsat: 1_000 })
  await lab.later(700)
  await until('both are done', async () => {
    return (await lab.withdrawalStates()).every((state) => state === 'done')
  })
  expect([lab.payouts(paymentHash), lab.payouts(second.paymentHash)]).toEqual([1, 1])
  expect((await lab.balance(customer)).availableSats).toBe(499)
  await lab.expectClean()
})

test('a payment that is pending for ever is parked for the operator and stays held (trap 1)', async () => {
  await using lab = await botLab({ payWaitMs: 5 })
  const { customer, withdraw } = await scene(lab, { kind: 'inflight' })
  await withdraw()
  await note(lab, 'pending')
  await lab.later(3_600 + 86_000)
  expect(await lab.withdrawalStates()).toEqual(['sent'])
  await lab.later(700)
  expect(await ending(lab, customer)).toMatchObject({ state: 'unknown', sats: 1_000 })
  expect(await lab.balance(customer)).toEqual({ availableSats: 990, balanceSats: 2_000 })
})

const lostAnswers: [title: string, fault: CallFault][] = [
  ['cut', { kind: 'cut', after: true }],
  ['a 500', { kind: 'crash', after: true }],
  ["a proxy's page", { kind: 'html', after: true }],
]

test.each(lostAnswers)(
  'a payment whose answer is lost (%s) is found by its hash',
  async (_, fault) => {
    await using lab = await botLab()
    const { customer, paymentHash, withdraw, posts } = await scene(lab, { kind: 'ok' })
    lab.play.faults.add('pay', fault)
    await withdraw()
    expect(await ending(lab, customer)).toMatchObject({ state: 'done', balanceSats: 1_000 })
    expect(lab.payouts(paymentHash)).toBe(1)
    expect(posts()).toBe(1)
    await lab.expectClean()
  },
)

test('a POST that never arrived is given back after two absences a minute apart, not before', async () => {
  await using lab = await botLab()
  const { customer, withdraw, posts } = await scene(lab, { kind: 'ok' })
  lab.play.faults.add('pay', { kind: 'cut' })
  await withdraw()
  await note(lab, 'no word')
  await lab.later(20)
  await note(lab, 'perhaps not yet there')
  await lab.later(90)
  expect(await lab.sql`select absent_count as n from withdrawals`).toEqual([{ n: 1 }])
  await lab.later(58)
  expect(await lab.withdrawalStates()).toEqual(['sent'])
  await lab.later(2)
  expect(await ending(lab, customer)).toMatchObject({ state: 'failed', balanceSats: 2_000 })
  expect(posts()).toBe(1)
  await lab.expectClean()
})

// LNbits was suspended with our POST in its socket: its first answers after that prove nothing.
test('an absence is forgotten when LNbits says anything else in between', async () => {
  await using lab = await botLab()
  const { customer, paymentHash, withdraw } = await scene(lab, { kind: 'ok' })
  lab.play.faults.add('pay', { kind: 'cut' })
  await withdraw()
  await note(lab, 'no word')
  await lab.later(100)
  lab.play.faults.add('look', { kind: 'html' }, { times: 1 })
  await lab.later(70)
  await note(lab, 'no word')
  await lab.later(70)
  const [row] = await lab.sql`select state, absent_count from withdrawals`
  expect(row).toEqual({ state: 'sent', absentCount: 1 })
  expect(await lab.told(customer, 'withdrawal')).toHaveLength(1)
  expect(lab.payouts(paymentHash)).toBe(0)
})

test('an LNbits that cannot be reached has not been asked: the payment waits for it', async () => {
  await using lab = await botLab()
  const { bot, customer, paymentHash, withdraw } = await scene(lab, { kind: 'ok' })
  const real = bot.payer.pay
  let outages = 0
  bot.payer.pay = async (...args) => {
    if (outages === 0) await lab.play.outage()
    // Until the client has noticed that its connections are cut.
    if (outages === 0) await bot.payer.health()
    outages += 1
    return real(...args)
  }
  await withdraw()
  await note(lab, 'not sent')
  expect(await lab.withdrawalStates()).toEqual(['held'])
  await lab.play.recover()
  await lab.later(10)
  expect(await ending(lab, customer)).toMatchObject({ state: 'done' })
  expect(lab.payouts(paymentHash)).toBe(1)
  await lab.expectClean()
})

test('a wallet without the sats is a failed withdrawal and gives them back', async () => {
  await using lab = await botLab()
  const { customer, withdraw } = await scene(lab, { kind: 'ok' })
  const thief = lab.outside(1_500)
  await lab.drain(thief.bolt11)
  await withdraw()
  expect(await ending(lab, customer)).toMatchObject({ state: 'failed', balanceSats: 2_000 })
})

test('a fee above its reserve is paid by the operator, never by the customer (trap 19)', async () => {
  await using lab = await botLab()
  const { customer, withdraw } = await scene(lab, { kind: 'ok', feeMsat: 57_001 })
  await withdraw()
  expect(await ending(lab, customer)).toMatchObject({ feeSats: 58, balanceSats: 990 })
  const rows = await lab.sql`
    select debit, sats from transfers where kind = 'withdraw_fee' order by sats`
  expect(rows).toEqual([
    { debit: 'withdrawal:1', sats: 10 },
    { debit: 'operator', sats: 48 },
  ])
  await lab.expectClean()
})

test("a payout that took of the operator's own sats too ends, and brings them into the books", async () => {
  await using lab = await botLab({ botBalanceSats: 1_000 })
  const bot = await lab.bot()
  await declareFirstFloat(lab.sql, { floatSats: 1_000, dustMsat: 0 })
  const customer = someKey()
  await lab.topUp(bot, customer, 1_010)
  const invoice = lab.outside(1_000)
  lab.play.node.script(invoice.paymentHash, { kind: 'ok', feeMsat: 57_000 })
  await bot.dm(customer, `/withdraw ${invoice.bolt11}`)
  expect(await ending(lab, customer)).toMatchObject({ state: 'done', feeSats: 57, balanceSats: 0 })
  expect(await readLightningBooks(lab.sql)).toMatchObject({ lightningSats: 0, floatSats: 953 })
  expect(lab.play.balanceMsat(lab.play.bot.walletId)).toBe(953_000)
  const [own] = await lab.sql`select debit, credit, sats from transfers where kind = 'own_sats'`
  expect(own).toEqual({ debit: 'lightning', credit: 'operator', sats: 47 })
  await lab.expectClean()
})

test('withdrawals whose fee is their whole reserve cost the operator nothing', async () => {
  await using lab = await botLab()
  const bot = await lab.bot()
  const customer = someKey()
  await lab.topUp(bot, customer, 2_000)
  const operator = async () =>
    (
      await lab.sql<{ sats: number }[]>`
      select balance_sats as sats from accounts where name = 'operator'`
    )[0]?.sats
  const before = await operator()
  lab.play.node.behaviour = { kind: 'ok', feeMsat: 2_000 }
  for (let count = 1; count <= 5; count += 1) {
    await bot.dm(customer, `/withdraw ${lab.outside(200).bolt11}`)
    await lab.hears(customer, 'withdrawal', 2 * count)
  }
  expect(await operator()).toBe(before)
  expect((await lab.balance(customer)).availableSats).toBe(2_000 - 5 * 202)
  await lab.expectClean()
})

test('a process that slept between "sent" and the call does not make the call any more', async () => {
  await using lab = await botLab()
  const { customer, clock, withdraw, posts } = await sleepy(lab)
  clock.sleepAt('withdraw:sent', 16_000)
  await withdraw()
  await note(lab, 'woke up too late')
  expect(posts()).toBe(0)
  await lab.later(100)
  await lab.later(61)
  expect(await ending(lab, customer)).toMatchObject({ state: 'failed', balanceSats: 2_000 })
  await lab.expectClean()
})

test('a withdrawal that is called done without having left is a broken rule', async () => {
  await using lab = await botLab()
  const { customer, withdraw } = await scene(lab, { kind: 'noRoute' })
  await withdraw()
  await ending(lab, customer)
  await lab.expectClean()
  await lab.sql`update withdrawals set state = 'done'`
  expect(await readBreaches(lab.sql)).toEqual([
    {
      rule: 'what a withdrawal paid out is its amount, and only one that is done paid out',
      rows: 1,
    },
  ])
})

test('nothing is paid out while LNbits and the ledger disagree, and it goes on afterwards', async () => {
  await using lab = await botLab()
  const { bot, customer, paymentHash, withdraw } = await scene(lab, { kind: 'ok' })
  await bot.crashAt('withdraw:held', withdraw)
  await writeVerdict(lab.sql, { stopped: true, driftSats: -1 })
  const next = await lab.bot()
  await note(lab, 'payouts are stopped')
  await next.dm(customer, `/withdraw ${lab.outside(300).bolt11}`)
  expect(await lab.hears(customer, 'refused')).toMatchObject({ reason: 'paused' })
  await writeVerdict(lab.sql, { stopped: false, driftSats: 0 })
  await lab.later(20)
  expect(await ending(lab, customer)).toMatchObject({ state: 'done' })
  expect(lab.payouts(paymentHash)).toBe(1)
})

test('an invoice that has run out before it was sent is given back without a question', async () => {
  await using lab = await botLab()
  const { bot, customer, withdraw, posts } = await scene(lab, { kind: 'ok' })
  await bot.crashAt('withdraw:held', withdraw)
  await lab.sql`update withdrawals set invoice_expires_at = now() + interval '10 seconds'`
  await lab.bot()
  expect(await ending(lab, customer)).toMatchObject({ state: 'failed', balanceSats: 2_000 })
  expect(posts()).toBe(0)
})

/** A bot whose clock can be made to jump while it passes a failpoint, as after a suspended process. */
async function sleepy(lab: BotLab) {
  const clock = createJumpingClock()
  return { ...(await scene(lab, { kind: 'ok' }, { clock })), clock }
}
