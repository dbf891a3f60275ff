import { expect, test } from 'vitest'
import { audit } from '../../../../src/operator/commands/audit.ts'
import { sealLedger } from '../../../../src/store/seals.ts'
import { commandOn } from '../../../support/command.ts'
import { freshDatabase } from '../../../support/database.ts'
import { journeyOn, priced } from '../../../support/journey.ts'

test('books that add up are one screen and status 0', async () => {
  await using db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  await lab.finish(await lab.paid(priced({ estimatedSats: 40 })), 30)
  const context = commandOn(db.url)
  expect(await audit(context)).toBe(0)
  const screen = context.terminal.printed
  expect(screen.length).toBeLessThan(24)
  expect(screen.join('\n')).toMatch(/on Lightning +40 sats\n= pool +10,003 sats\n/)
  expect(screen.at(-1)).toContain('drift 0 sats')
})

test('sats that no transfer brought are a drift, named with both figures, and status 1', async () => {
  await using db = await freshDatabase()
  await journeyOn(db.sql)
  await db.sql`update accounts set balance_sats = balance_sats + 7 where name = 'pool'`
  const context = commandOn(db.url)
  expect(await audit(context)).toBe(1)
  expect(context.terminal.printed.join('\n')).toContain('pool holds 10007, its transfers say 10000')
  expect(await audit(context, { json: true })).toBe(1)
  expect(JSON.parse(context.terminal.printed.at(-1) ?? '')).toMatchObject({
    ok: false,
    driftSats: 7,
    drift: [{ account: 'pool', storedSats: 10_007, bookedSats: 10_000 }],
    breaches: [],
  })
})

// The sums alone would pass: the counter is no account.
test('a counter that is not the sum of its jobs is a broken rule and status 1', async () => {
  await using db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  await lab.finish(await lab.paid(priced({ estimatedSats: 40 })), 30)
  await db.sql`update pool_days set absorbed_sats = absorbed_sats + 1`
  const context = commandOn(db.url)
  expect(await audit(context, { json: true })).toBe(1)
  expect(JSON.parse(context.terminal.printed[0] ?? '')).toMatchObject({
    ok: false,
    driftSats: 0,
    breaches: [{ rule: "the pool's daily counter is the sum of all jobs of that day", rows: 1 }],
  })
})

test('an edit by the owner is found though every sum holds, and the seal it broke is named', async () => {
  await using db = await freshDatabase({ max: 1 })
  const lab = await journeyOn(db.sql)
  await lab.finish(await lab.paid(priced({ estimatedSats: 40 })), 30)
  await sealLedger(db.sql)
  const context = commandOn(db.url)
  expect(await audit(context)).toBe(0)
  expect(context.terminal.printed.join('\n')).toMatch(/last seal [0-9a-f]{64}\n/)
  await db.sql`set session_replication_role = replica`
  await db.sql`update transfers set at = at - interval '1 day' where id = 1`
  expect(await audit(context)).toBe(1)
  expect(context.terminal.printed.join('\n')).toContain('seal 1 is broken')
})

test('many drifts are counted on one screen, and all of them are named on demand', async () => {
  await using db = await freshDatabase()
  await journeyOn(db.sql)
  await db.sql`
    insert into customers (pubkey, balance_sats)
    select encode(sha256(i::text::bytea), 'hex'), i from generate_series(1, 150) i`
  const screen = commandOn(db.url)
  expect(await audit(screen)).toBe(1)
  expect(screen.terminal.printed.length).toBeLessThan(24)
  expect(screen.terminal.printed.join('\n')).toContain('and at least 90 more')
  const whole = commandOn(db.url)
  expect(await audit(whole, { all: true })).toBe(1)
  const named = whole.terminal.printed.filter((line) => line.startsWith('customer:'))
  expect(named).toHaveLength(150)
})
