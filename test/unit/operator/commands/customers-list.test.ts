import { expect, test } from 'vitest'
import { npub } from '../../../../src/nostr/identity.ts'
import { ban } from '../../../../src/operator/commands/ban.ts'
import { customers } from '../../../../src/operator/commands/customers.ts'
import { setGrantedTier } from '../../../../src/store/customers.ts'
import { commandOn } from '../../../support/command.ts'
import { freshDatabase } from '../../../support/database.ts'
import { journeyOn, priced } from '../../../support/journey.ts'
import { newIdentity } from '../../../support/relay-lab.ts'

const [payer, friend, enemy] = [newIdentity().pubkey, newIdentity().pubkey, newIdentity().pubkey]

async function three() {
  const db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  await lab.finish(await lab.paid(priced({ customer: payer, estimatedSats: 600 })), 580)
  await setGrantedTier(db.sql, friend, 'trusted', 'list')
  await lab.finish(await lab.job(priced({ customer: friend, estimatedSats: 40 })), 25)
  await ban(commandOn(db.url), { key: enemy, reason: 'spam' })
  return db
}

test('who paid most comes first, with tier, source, balance and what was free', async () => {
  await using db = await three()
  const context = commandOn(db.url)
  expect(await customers(context, { json: true })).toBe(0)
  expect(JSON.parse(context.terminal.printed[0] ?? '')).toMatchObject({
    all: 3,
    banned: 1,
    customers: [
      {
        npub: npub(payer),
        tier: 'new',
        source: 'earned',
        balanceSats: 20,
        netPaidSats90: 580,
        paidDays90: 1,
        jobs: 1,
        openJobs: 0,
      },
      { npub: npub(friend), tier: 'trusted', source: 'list', netPaidSats90: 0, grantsSats90: 25 },
      { npub: npub(enemy), tier: 'new', banned: true, banReason: 'spam', jobs: 0, lastJobAt: null },
    ],
  })
})

test('an elder payer of three days is shown with the tier it earned', async () => {
  await using db = await three()
  await db.sql`update customers set first_paid_at = now() - interval '8 days' where pubkey = ${payer}`
  await db.sql`
    insert into customer_days (customer, day, net_paid_sats)
    select ${payer}, (now() at time zone 'utc')::date - n, 1 from generate_series(1, 2) n`
  const context = commandOn(db.url)
  await customers(context, { json: true, limit: '1' })
  expect(JSON.parse(context.terminal.printed[0] ?? '').customers).toMatchObject([
    { npub: npub(payer), tier: 'established', source: 'earned', netPaidSats90: 582 },
  ])
})

test('the list is a table that fits a hundred columns, and can be of banned keys alone', async () => {
  await using db = await three()
  const context = commandOn(db.url)
  await customers(context, {})
  const lines = context.terminal.printed
  expect(lines).toHaveLength(5)
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100)
  expect(lines.at(-1)).toBe('3 keys, 1 of them banned.')
  await customers(context, { banned: true })
  expect(lines).toHaveLength(8)
  expect(lines[6]).toMatch(/^npub1\w+…\w{4} {2}banned \(spam\) +0 +0 +0 +0 {2}never$/)
})
