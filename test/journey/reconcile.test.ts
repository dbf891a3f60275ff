import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { reconcileBooks } from '../../src/operator/commands/reconcile.ts'
import { reconcile } from '../../src/operator/reconcile.ts'
import { createSolvency } from '../../src/operator/solvency.ts'
import { silentLog } from '../../src/log.ts'
import { type Bot, type BotLab, botLab, someKey } from '../support/bot.ts'
import { commandOn } from '../support/command.ts'
import { until } from '../support/until.ts'

const walk = ({ sql }: BotLab, bot: Bot, since = Math.floor(systemClock.now() / 1000) - 60) =>
  reconcile({ sql, lightning: bot.lnbits, clock: systemClock, since, bookingMs: 50 })

/** A bot with some history: two top-ups, a paid job, a payout, and the operator's own sats. */
async function scene(lab: BotLab) {
  const bot = await lab.bot()
  const customer = someKey()
  const clock = systemClock
  const parts = { sql: lab.sql, lightning: bot.lnbits, clock, log: silentLog, holder: 'watchdog' }
  await createSolvency(parts).runOnce()
  // Rows of LNbits are told from the operator's own by the second.
  const second = Math.floor(clock.now() / 1000)
  await until('a second has passed', () => Math.floor(clock.now() / 1000) > second + 1)
  await lab.topUp(bot, customer, 2_000)
  await bot.dm(someKey(), '/donate 500')
  await bot.dm(customer, 'work, please')
  await lab.hears(customer, 'result')
  const out = lab.outside(700)
  lab.play.node.script(out.paymentHash, { kind: 'ok', feeMsat: 2_300 })
  await bot.dm(customer, `/withdraw ${out.bolt11}`)
  await lab.hears(customer, 'withdrawal', 2)
  return { bot, customer, out }
}

test('books that agree have no difference, whatever is still open or on its way', async () => {
  await using lab = await botLab({ botBalanceSats: 3_000, payWaitMs: 5 })
  const { bot, customer } = await scene(lab)
  const flying = lab.outside(300)
  lab.play.node.script(flying.paymentHash, { kind: 'inflight' })
  await bot.dm(customer, `/withdraw ${flying.bolt11}`)
  await until('it is on its way', async () => (await lab.withdrawalStates())[1] === 'sent')
  expect(await walk(lab, bot)).toMatchObject({
    differences: [],
    inFlight: 1,
    compared: { invoices: 2, withdrawals: 2 },
    balance: { floatSats: 3_000, driftSats: 0 },
  })
})

test('each kind of difference is named, both ways', async () => {
  await using lab = await botLab({ botBalanceSats: 3_000 })
  const { bot, customer, out } = await scene(lab)
  await bot.stop()
  // Paid while no daemon runs: LNbits has it, the ledger has not.
  const asleep = await lab.bot()
  await asleep.dm(customer, '/topup 400')
  const { bolt11 } = await lab.hears(customer, 'invoice', 2)
  await asleep.stop()
  await lab.pay(bolt11)
  // Stolen with the admin key.
  await lab.drain(lab.outside(50).bolt11)
  // Booked by a forger.
  const forged = someKey()
  await lab.sql`
    insert into invoices (payment_hash, state, purpose, customer, via, form, rumor_at, rumor_id,
      amount_sats, bolt11, expires_at, paid_at)
    values (${forged}, 'paid', 'topup', ${customer}, 'nip17', 'json', 1, 'x', 90, 'lnbc1', now(), now())`
  await lab.sql`
    insert into transfers (kind, debit, credit, sats, ref, day)
    values ('top_up', 'lightning', ${`customer:${customer}`}, 90, ${`invoice:${forged}`}, now())`
  const unsent = someKey()
  await lab.sql`
    insert into withdrawals (state, customer, via, form, rumor_at, rumor_id, payment_hash, bolt11,
      amount_sats, reserve_sats, fee_sats, invoice_expires_at, finished_at)
    values ('done', ${customer}, 'nip17', 'json', 1, 'x', ${unsent}, 'lnbc1', 60, 2, 0, now(), now())`
  // Told one thing, booked another.
  await lab.sql`update withdrawals set fee_sats = 1 where payment_hash = ${out.paymentHash}`
  const reader = await lab.bot({ pollMs: 3_600_000 })
  await lab.sql`update invoices set look_at = null`
  const { differences, balance } = await walk(lab, reader)
  expect(differences.map(({ kind }) => kind).sort()).toEqual([
    'balance',
    'booked_not_received',
    'booked_not_sent',
    'received_not_booked',
    'sent_not_booked',
    'sent_otherwise',
  ])
  expect(differences).toContainEqual(
    expect.objectContaining({ kind: 'booked_not_received', paymentHash: forged, bookedSats: 90 }),
  )
  expect(differences).toContainEqual(
    expect.objectContaining({ kind: 'sent_not_booked', lnbitsSats: 50, bookedSats: null }),
  )
  expect(balance.driftSats).toBe(400 - 50)
})

test('the command says what is off and what to do, and adopts what the operator says is his', async () => {
  await using lab = await botLab({ botBalanceSats: 3_000 })
  const { bot } = await scene(lab)
  const context = commandOn(lab.db.url)
  const lightning = bot.lnbits
  expect(await reconcileBooks(context, { lightning })).toBe(0)
  expect(context.terminal.printed.at(-1)).toBe('Both books say the same.')
  await lab.drain(lab.outside(120).bolt11)
  expect(await reconcileBooks(context, { lightning })).toBe(1)
  const screen = context.terminal.printed.join('\n')
  expect(screen).toContain('left LNbits, no withdrawal says so')
  expect(screen).toContain('LNbits lacks 120 sats')
  expect(screen).toContain('tithe reconcile --adopt 2880')
  const second = Math.floor(systemClock.now() / 1000)
  await until('a second has passed', () => Math.floor(systemClock.now() / 1000) > second)
  const adopt = { lightning, adopt: '2880', reason: 'paid my rent', json: true }
  expect(await reconcileBooks(context, adopt)).toBe(0)
  expect(JSON.parse(context.terminal.printed.at(-1) ?? '')).toMatchObject({
    ok: true,
    differences: [],
    balance: { floatSats: 2_880, driftSats: 0 },
  })
  await expect(reconcileBooks(context, { lightning, since: 'monday' })).rejects.toThrow(/--since/)
  await expect(reconcileBooks(context, { lightning, adopt: '1e3' })).rejects.toThrow(/--adopt/)
  await lab.play.outage()
  await expect(reconcileBooks(context, { lightning })).rejects.toThrow(/nothing was compared/)
  await lab.play.recover()
})

test('a date leaves out what lies before it', async () => {
  await using lab = await botLab({ botBalanceSats: 3_000 })
  const { bot } = await scene(lab)
  await lab.drain(lab.outside(120).bolt11)
  const later = await walk(lab, bot, Math.floor(systemClock.now() / 1000) + 7_200 + 60)
  expect(later.compared).toEqual({ lnbits: 0, invoices: 0, withdrawals: 0 })
  expect(later.differences).toMatchObject([{ kind: 'balance' }])
})
