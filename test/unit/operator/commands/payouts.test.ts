import { expect, test } from 'vitest'
import { CommandError } from '../../../../src/command.ts'
import { endPayout, payouts } from '../../../../src/operator/commands/payouts.ts'
import { type BotLab, botLab, someKey } from '../../../support/bot.ts'
import { commandOn } from '../../../support/command.ts'
import { until } from '../../../support/until.ts'

/** A withdrawal of 1,000 that hung until it was parked. */
async function parked(lab: BotLab) {
  const bot = await lab.bot()
  const customer = someKey()
  await lab.topUp(bot, customer, 2_000)
  const invoice = lab.outside(1_000)
  lab.play.node.script(invoice.paymentHash, { kind: 'inflight' })
  await bot.dm(customer, `/withdraw ${invoice.bolt11}`)
  await until('it is on its way', async () => (await lab.withdrawalStates())[0] === 'sent')
  await lab.later(2 * 86_400)
  await lab.hears(customer, 'withdrawal', 2)
  return { bot, customer, ...invoice }
}

test('open withdrawals are listed, parked ones first and with status 1', async () => {
  await using lab = await botLab({ payWaitMs: 5 })
  const context = commandOn(lab.db.url)
  expect(await payouts(context)).toBe(0)
  expect(context.terminal.printed).toEqual(['No withdrawal is open.'])
  const { bot, customer, paymentHash } = await parked(lab)
  const flying = lab.outside(300)
  lab.play.node.script(flying.paymentHash, { kind: 'inflight' })
  await bot.dm(customer, `/withdraw ${flying.bolt11}`)
  await until('it is on its way', async () => (await lab.withdrawalStates())[1] === 'sent')
  expect(await payouts(context, { json: true })).toBe(1)
  expect(JSON.parse(context.terminal.printed.at(-1) ?? '')).toMatchObject([
    { id: 1, state: 'unknown', parked: true, amountSats: 1_000, reserveSats: 10, paymentHash },
    { id: 2, state: 'sent', parked: false, amountSats: 300 },
  ])
  await payouts(context)
  const screen = context.terminal.printed.join('\n')
  expect(screen).toMatch(/1 +parked +1000 +10 +npub1/)
  expect(screen).toContain('tithe payouts settle ID')
})

test("the operator's word settles a parked withdrawal, with the fee by the node's books", async () => {
  await using lab = await botLab({ payWaitMs: 5 })
  const { customer } = await parked(lab)
  const context = commandOn(lab.db.url)
  const why = { id: '1', reason: 'the node has it as paid', fee: '3' }
  expect(await endPayout(context, 'settle', why)).toBe(0)
  expect(await lab.hears(customer, 'withdrawal', 3)).toMatchObject({
    state: 'done',
    feeSats: 3,
    balanceSats: 997,
  })
  expect((await lab.balance(customer)).availableSats).toBe(997)
  const [row] = await lab.sql`select state, reason, fee_sats, held_sats from withdrawals`
  expect(row).toEqual({
    state: 'done',
    reason: 'operator: the node has it as paid',
    feeSats: 3,
    heldSats: 0,
  })
  const rows = await lab.sql`
    select kind, sats from transfers where ref = 'withdrawal:1' order by id`
  expect(rows).toEqual([
    { kind: 'withdraw_hold', sats: 1_010 },
    { kind: 'withdrawn', sats: 1_000 },
    { kind: 'withdraw_fee', sats: 3 },
    { kind: 'withdraw_returned', sats: 7 },
  ])
})

test("the operator's word returns a parked withdrawal, once, and only a parked one", async () => {
  await using lab = await botLab({ payWaitMs: 5 })
  const { customer } = await parked(lab)
  const context = commandOn(lab.db.url)
  const again = () => endPayout(context, 'return', { id: '1', reason: 'never left the node' })
  const outcomes = await Promise.allSettled([again(), again(), again()])
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(await lab.hears(customer, 'withdrawal', 3)).toMatchObject({
    state: 'failed',
    balanceSats: 2_000,
  })
  expect((await lab.balance(customer)).availableSats).toBe(2_000)
  await expect(again()).rejects.toThrow(/is failed, and only a parked one/)
  const wrong = [
    ['return', { id: '7', reason: 'x' }],
    ['return', { id: 'one', reason: 'x' }],
    ['return', { id: '1', reason: ' ' }],
    ['settle', { id: '1', reason: 'x', fee: '-1' }],
  ] as const
  for (const [how, options] of wrong) {
    await expect(endPayout(context, how, options)).rejects.toBeInstanceOf(CommandError)
  }
})

test('the lane and the operator at once end a withdrawal once', async () => {
  await using lab = await botLab({ payWaitMs: 5 })
  const { customer, paymentHash } = await parked(lab)
  lab.play.node.finish(paymentHash, { state: 'success', feeMsat: 2_000 })
  const context = commandOn(lab.db.url)
  const word = { id: '1', reason: 'the node has it as paid', fee: '2' }
  await Promise.allSettled([lab.later(3_600), endPayout(context, 'settle', word)])
  await lab.hears(customer, 'withdrawal', 3)
  expect(await lab.told(customer, 'withdrawal')).toHaveLength(3)
  expect((await lab.balance(customer)).availableSats).toBe(998)
})
