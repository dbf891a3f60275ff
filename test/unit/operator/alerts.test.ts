import { expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { alertText, type Alert } from '../../../src/doors/alerts.ts'
import { createEnvelope } from '../../../src/journey/envelope.ts'
import { silentLog } from '../../../src/log.ts'
import { defaultMoneyRules } from '../../../src/money/rules.ts'
import { openGiftWrap } from '../../../src/nostr/giftwrap.ts'
import { parseEvent } from '../../../src/nostr/event.ts'
import { createAlerts } from '../../../src/operator/alerts.ts'
import { outboxLane } from '../../../src/store/lanes.ts'
import type { Sql } from '../../../src/store/database.ts'
import { type ReplicaFacts, reportReplica } from '../../../src/store/replicas.ts'
import { freshDatabase } from '../../support/database.ts'
import { journeyOn, priced } from '../../support/journey.ts'
import { newIdentity } from '../../support/relay-lab.ts'
import { quietFacts } from '../../support/status-lab.ts'

const operators = [newIdentity(), newIdentity()]
const operator = operators[0]?.pubkey ?? ''

const alertsOf = (sql: Sql, holder = 'one') =>
  createAlerts({
    ...{ sql, rules: defaultMoneyRules, holder, clock: systemClock, log: silentLog },
    operators: operators.map(({ pubkey }) => pubkey),
  })

/** What the first operator was told since, oldest first. */
async function told(sql: Sql): Promise<Alert[]> {
  const rows = await sql<{ reply: Alert }[]>`
    delete from outbox where step = 'alert' returning id, customer, reply`
  const own = rows.filter((row) => 'customer' in row && row.customer === operator)
  expect(rows.length).toBe(own.length * operators.length)
  return own.map(({ reply }) => reply)
}

const report = (sql: Sql, facts: Partial<ReplicaFacts>) =>
  reportReplica(sql, {
    ...{ holder: 'one', version: '1.0.0', upSeconds: 0 },
    facts: { ...quietFacts, ...facts },
  })

const setPool = (sql: Sql, sats: number) =>
  sql`
    with moved as (select ${sats} - balance_sats as by from accounts where name = 'pool')
    update accounts set balance_sats = balance_sats + case name when 'pool' then by else -by end
    from moved where name in ('pool', 'operator')`

test('nothing wrong, nothing told', async () => {
  await using db = await freshDatabase()
  await journeyOn(db.sql)
  await report(db.sql, {})
  expect(await alertsOf(db.sql).runOnce()).toBe(0)
})

test('a trouble is told once to each operator, and once more when it is over', async () => {
  await using db = await freshDatabase()
  await journeyOn(db.sql)
  await setPool(db.sql, 999)
  const alerts = alertsOf(db.sql)
  expect(await alerts.runOnce()).toBe(2)
  expect(await told(db.sql)).toEqual([{ type: 'alert', name: 'pool_low', balanceSats: 999 }])
  expect(await alerts.runOnce()).toBe(0)
  // It wavers about the bound: the same trouble.
  await setPool(db.sql, 1_500)
  expect(await alerts.runOnce()).toBe(0)
  await setPool(db.sql, 2_000)
  await alerts.runOnce()
  expect(await told(db.sql)).toEqual([{ type: 'alert', name: 'over', of: 'pool_low' }])
})

test('what lasts is told again after a day, by whichever replica has the turn', async () => {
  await using db = await freshDatabase()
  await journeyOn(db.sql)
  await setPool(db.sql, 0)
  await alertsOf(db.sql).runOnce()
  await told(db.sql)
  expect(await alertsOf(db.sql, 'two').runOnce()).toBe(0)
  await db.sql`delete from outbox_turns`
  expect(await alertsOf(db.sql, 'two').runOnce()).toBe(0)
  await db.sql`update outbox_alerts set told_at = now() - interval '25 hours'`
  await alertsOf(db.sql, 'two').runOnce()
  expect(await told(db.sql)).toMatchObject([{ name: 'pool_low' }])
})

test('drift, deaf relays, uncertain payouts, a failing backend and a silent LNbits are told', async () => {
  await using db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  for (let count = 0; count < 3; count += 1) await lab.fail(await lab.paid(priced()))
  const { customer } = await lab.job(priced())
  await db.sql`update accounts set balance_sats = balance_sats + 5 where name = 'lightning'`
  await db.sql`
    insert into withdrawals (state, customer, via, form, rumor_at, rumor_id, payment_hash, bolt11,
      amount_sats, reserve_sats, invoice_expires_at)
    values ('unknown', ${customer}, 'nip17', 'json', 1, 'r', ${'ab'.repeat(32)}, 'lnbc1', 500, 5,
      now())`
  await report(db.sql, {
    relays: [
      { url: 'wss://a.example', state: 'waiting', liveMs: null, deafMs: 301_000 },
      { url: 'wss://b.example', state: 'waiting', liveMs: null, deafMs: 1_000 },
      { url: 'wss://c.example', state: 'open', liveMs: 1_000, deafMs: null },
    ],
    lnbits: { up: false, events: false, balanceSats: null, downMs: 400_000 },
  })
  const alerts = alertsOf(db.sql)
  await alerts.runOnce()
  expect(await told(db.sql)).toEqual([
    { type: 'alert', name: 'drift', driftSats: 5 },
    { type: 'alert', name: 'relay_deaf', relays: 1 },
    { type: 'alert', name: 'payout_unknown', payouts: 1, amountSats: 500 },
    { type: 'alert', name: 'backend_failing', failures: 3 },
    { type: 'alert', name: 'lnbits_down', minutes: 6 },
  ])
  await lab.finish(await lab.paid(priced()), 20)
  await report(db.sql, { lnbits: { up: false, events: false, balanceSats: null, downMs: 500_000 } })
  await alerts.runOnce()
  const over = await told(db.sql)
  expect(over.map((alert) => alert.name === 'over' && alert.of).toSorted()).toEqual([
    'backend_failing',
    'relay_deaf',
  ])
})

test('an alert goes out as a DM that the operator alone can read', async () => {
  await using db = await freshDatabase()
  await journeyOn(db.sql)
  await setPool(db.sql, 12)
  await alertsOf(db.sql).runOnce()
  const { rows } = await outboxLane.claim(db.sql, 10, 'lane', 30)
  const row = rows.find(({ customer }) => customer === operator)
  if (!row) throw new Error('no alert is due')
  const bot = newIdentity()
  const { sign } = createEnvelope({
    ...{ sql: db.sql, identity: bot, clock: systemClock, fallback: 'nip65+inbound' as const },
    lookup: async () => ({
      dm: { state: 'absent', urls: [] },
      read: { state: 'absent', urls: [] },
      bot: false,
    }),
    known: () => undefined,
    checkRelay: (url) => url,
    frameBytes: () => 65_536,
    ownRelays: ['wss://own.example'],
  })
  const { events, relays } = await sign(row)
  expect(relays).toEqual(['wss://own.example'])
  const wrap = parseEvent(JSON.parse(events[0]?.json ?? ''))
  if (!wrap) throw new Error('no event')
  const opened = openGiftWrap({
    ...{ identity: operators[0] ?? bot, wrap },
    nowSeconds: wrap.created_at,
  })
  expect(opened).toMatchObject({ rumor: { pubkey: bot.pubkey } })
  expect(JSON.stringify(opened)).toContain('The pool is down to 12 sats')
})

test('each alert is a sentence or two with the command that shows more', () => {
  const alerts: Alert[] = [
    { type: 'alert', name: 'pool_low', balanceSats: 12 },
    { type: 'alert', name: 'drift', driftSats: -3 },
    { type: 'alert', name: 'relay_deaf', relays: 2 },
    { type: 'alert', name: 'payout_unknown', payouts: 1, amountSats: 500 },
    { type: 'alert', name: 'backend_failing', failures: 3 },
    { type: 'alert', name: 'lnbits_down', minutes: 6 },
  ]
  for (const alert of alerts) expect(alertText(alert)).toMatch(/^[A-Z0-9].*See: tithe [a-z]+$/)
  expect(alertText({ type: 'alert', name: 'over', of: 'pool_low' })).toBe('Over: pool low.')
  expect(alertText({ type: 'help' })).toBeUndefined()
})
