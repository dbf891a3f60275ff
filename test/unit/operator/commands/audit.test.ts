import { expect, test } from 'vitest'
import { audit } from '../../../../src/operator/commands/audit.ts'
import type { Sql } from '../../../../src/store/database.ts'
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

test('books whose statistics are of an early day are added up as fast as any', async () => {
  await using db = await freshDatabase()
  await journeyOn(db.sql)
  await addPaidJobs(db.sql, 20_000)
  const context = commandOn(db.url)
  const began = performance.now()
  expect(await audit(context)).toBe(0)
  // A tenth of a second, or five where each job is looked up in a table that is searched from its beginning.
  expect(performance.now() - began).toBeLessThan(2_500)
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

/** Jobs of one key that were paid with 30 sats each, as the daemon would have written them; statistics know none. */
async function addPaidJobs(sql: Sql, count: number): Promise<void> {
  for (const table of ['jobs', 'invoices', 'transfers']) {
    await sql`alter table ${sql(table)} set (autovacuum_enabled = false)`
    await sql`analyze ${sql(table)}`
  }
  const pubkey = 'ab'.repeat(32)
  await sql`insert into customers (pubkey) values (${pubkey})`
  await sql`
    with made as (
      insert into jobs (state, customer, via, form, rumor_at, rumor_id, request_hash, model, tier, tier_source,
        serve, paid_from, estimated_sats, charge_sats, paid_sats, actual_sats, input_tokens, output_tokens,
        finished_at)
      select 'done', ${pubkey}, 'nip17', 'words', n, hash, hash, 'echo', 'new', 'earned', 'gate', 'invoice',
        30, 30, 30, 30, 1, 1, now()
      from (
        select n, encode(sha256(n::text::bytea), 'hex') as hash from generate_series(1, ${count}::int) n
      ) past
      returning id, request_hash
    ), invoiced as (
      insert into invoices (payment_hash, state, purpose, customer, job_id, via, form, rumor_at, rumor_id,
        amount_sats, bolt11, expires_at, paid_at)
      select request_hash, 'paid', 'job', ${pubkey}, id, 'nip17', 'words', 1, request_hash, 30, '', now(), now()
      from made
    ), moved as (
      insert into transfers (kind, debit, credit, sats, job_id, day)
      select kind, debit, credit, 30, id, (now() at time zone 'utc')::date
      from made, lateral (values
        ('payment', 'lightning', 'job:' || id), ('earned', 'job:' || id, 'operator')
      ) entries (kind, debit, credit)
    )
    insert into customer_days (customer, day, net_paid_sats)
    values (${pubkey}, (now() at time zone 'utc')::date, ${count * 30})`
  await sql`
    update accounts set balance_sats = balance_sats + ${count * 30} where name in ('lightning', 'operator')`
}
