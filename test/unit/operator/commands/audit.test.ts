import { expect, test } from 'vitest'
import { audit } from '../../../../src/operator/commands/audit.ts'
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
