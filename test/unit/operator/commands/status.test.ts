import { expect, test } from 'vitest'
import { status } from '../../../../src/operator/commands/status.ts'
import { addToPool, pausePool } from '../../../../src/operator/commands/pool.ts'
import { type ReplicaFacts, reportReplica } from '../../../../src/store/replicas.ts'
import { setConfig } from '../../../../src/store/pool.ts'
import { commandOn } from '../../../support/command.ts'
import { freshDatabase, type TestDatabase } from '../../../support/database.ts'
import { journeyOn, priced, someKey } from '../../../support/journey.ts'

const signal = new AbortController().signal

const well = (): ReplicaFacts => ({
  relays: [{ url: 'wss://relay.example/secret-token', state: 'open', liveMs: 4_000, deafMs: null }],
  lnbits: { up: true, events: true, balanceSats: 40, downMs: null },
  backend: 'echo',
  http: 'http://127.0.0.1:8787',
})

const running = (db: TestDatabase, facts: ReplicaFacts = well(), holder = 'one:1:aa') =>
  reportReplica(db.sql, { holder, version: '1.0.0', upSeconds: 7_300, facts })

async function seen(db: TestDatabase) {
  const context = commandOn(db.url)
  const ended = await status(context, { json: true, signal })
  return { ended, ...JSON.parse(context.terminal.printed.at(-1) ?? '') }
}

test('a bot at work is one screen of at most 24 lines and status 0', async () => {
  await using db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  await lab.invoice(await lab.job(priced({ estimatedSats: 40 })))
  await lab.job(priced({ customer: await lab.granted('trusted'), estimatedSats: 30 }))
  await running(db)
  const context = commandOn(db.url)
  expect(await status(context, { signal })).toBe(0)
  const screen = context.terminal.printed
  expect(screen.length).toBeLessThanOrEqual(24)
  expect(Math.max(...screen.map((line) => line.length))).toBeLessThanOrEqual(100)
  const text = screen.join('\n')
  expect(text).toMatch(/^state +open\npool +9,970 sats, 0 promised; out today 30 of 1,000 sats\n/)
  expect(text).toMatch(/\ntoday +1 free, 0 in part, 0 paid; /)
  expect(text).toMatch(/\nwaiting +1 invoices \(40 sats\), 1 replies, 0 withdrawals/)
  expect(text).toMatch(/ expiry +1 open, 0 at work, 0 due\n +work +1 open, 1 at work, 0 due\n/)
  expect(text).toMatch(/\nrelays +relay\.example live for 4 s\n/)
  expect(text).toMatch(/\nLNbits +up, holds 40 sats, payment events on\n/)
  expect(text).toMatch(/\nreplicas +one:1:aa, 1\.0\.0, up 2 h, http:\/\/127\.0\.0\.1:8787$/)
  expect(text).not.toContain('secret-token')
})

test('a bot that does not run says so, and how to start it, with status 1', async () => {
  await using db = await freshDatabase()
  expect(await seen(db)).toMatchObject({
    ended: 1,
    state: 'stopped',
    attention: ['nothing runs here: tithe start'],
    replicas: [],
    relays: [],
    lnbits: null,
    drift: { ledgerSats: 0, lightningSats: null, stopped: false },
  })
})

test('a replica that has been silent for a minute does not run', async () => {
  await using db = await freshDatabase()
  await running(db)
  await db.sql`update outbox_replicas set seen_at = now() - interval '61 seconds'`
  expect(await seen(db)).toMatchObject({ state: 'stopped', replicas: [] })
})

test('a replica that stopped a day ago leaves no row behind', async () => {
  await using db = await freshDatabase()
  await running(db)
  await db.sql`update outbox_replicas set seen_at = now() - interval '25 hours'`
  await running(db, well(), 'two:2:bb')
  expect(await db.sql`select holder from outbox_replicas`).toEqual([{ holder: 'two:2:bb' }])
})

// One deaf replica among several is no outage: the others hear what it does not.
test('a relay is live when one replica hears it, and deaf when none does', async () => {
  await using db = await freshDatabase()
  const deaf: ReplicaFacts = {
    ...well(),
    relays: [
      { url: 'wss://relay.example/secret-token', state: 'waiting', liveMs: null, deafMs: 60_000 },
    ],
  }
  await running(db, deaf, 'two:2:bb')
  expect(await seen(db)).toMatchObject({
    ended: 1,
    attention: ['relay.example is not heard: tithe doctor'],
  })
  await running(db)
  expect(await seen(db)).toMatchObject({ ended: 0, relays: [{ relay: 'relay.example' }] })
})

test('everything that needs a hand is named with the command that shows more', async () => {
  await using db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  for (let count = 0; count < 3; count += 1) await lab.fail(await lab.paid(priced()))
  const late = await lab.job(priced())
  await db.sql`update jobs set due_at = now() - interval '5 minutes' where id = ${late.id}`
  await db.sql`update accounts set balance_sats = balance_sats + 3 where name = 'pool'`
  await setConfig(db.sql, 'solvency', { stopped: true, driftSats: -12 })
  await db.sql`
    insert into withdrawals (state, customer, via, form, rumor_at, rumor_id, payment_hash, bolt11,
      amount_sats, reserve_sats, invoice_expires_at)
    values ('unknown', ${late.customer}, 'nip17', 'json', 1, 'r', ${someKey()}, 'lnbc1', 500, 5, now())`
  await running(db, {
    ...well(),
    lnbits: { up: false, events: false, balanceSats: null, downMs: 90_000 },
  })
  expect(await seen(db)).toMatchObject({
    ended: 1,
    state: 'degraded',
    attention: [
      'the books do not add up: tithe audit',
      'LNbits does not have what the books say: tithe reconcile',
      'withdrawals without a certain end: tithe payouts',
      'LNbits does not answer: tithe doctor',
      'the backend fails: tithe jobs --state failed',
      'the lane quote is late',
    ],
    drift: { ledgerSats: -3, lightningSats: -12, stopped: true },
    waiting: { openWithdrawals: 1, unknownWithdrawals: 1, unknownWithdrawalsSats: 500 },
  })
})

test.each([
  [0, 'open'],
  [700, 'open'],
  [850, 'limited'],
  [1_000, 'paid-only'],
])('with %i of 1,000 sats given today the state is %s', async (sats, state) => {
  await using db = await freshDatabase()
  await journeyOn(db.sql)
  await db.sql`update pool_days set absorbed_sats = ${sats}`
  await running(db)
  expect(await seen(db)).toMatchObject({ state })
})

test('a paused pool is paid-only, and no fault', async () => {
  await using db = await freshDatabase()
  await running(db)
  await pausePool(commandOn(db.url), { paused: true })
  expect(await seen(db)).toMatchObject({ ended: 0, state: 'paid-only', pool: { paused: true } })
})

test('watching looks again until it is stopped', async () => {
  await using db = await freshDatabase()
  await running(db)
  const context = commandOn(db.url)
  const stop = new AbortController()
  let looks = 0
  const clock = {
    now: () => context.clock.now(),
    async sleep() {
      // Opening the database pauses too, before the first look.
      if (context.terminal.printed.length === 0) return
      looks += 1
      if (looks === 1) await addToPool(commandOn(db.url), { amount: '500' })
      else stop.abort()
    },
  }
  expect(
    await status({ ...context, clock }, { watch: true, json: true, signal: stop.signal }),
  ).toBe(0)
  const balances = context.terminal.printed.map((line) => JSON.parse(line).pool.balanceSats)
  expect(balances).toEqual([10_000, 10_500])
})
