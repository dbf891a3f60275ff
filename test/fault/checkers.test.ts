import { expect, test } from 'vitest'
import { readBreaches } from '../../src/store/audit.ts'
import {
  brokenBooks,
  brokenReplies,
  changedTables,
  grantsWatch,
  type Heard,
  leaks,
  tableSums,
  unended,
} from '../support/checkers.ts'
import { farInvoice } from '../support/far-invoice.ts'
import { type JourneyLab, journeyLab } from '../support/journey-lab.ts'
import { jobKinds } from '../support/job-kinds.ts'
import { rawCall } from '../support/lnbits-raw.ts'
import { until } from '../support/until.ts'

/*
 * A checker that finds nothing may be one that cannot, so each is shown a breach of its own rule, on books that
 * were whole before.
 */

/** One job of each kind has ended, and nothing is broken. */
async function wholeBooks(): Promise<JourneyLab> {
  const lab = await journeyLab()
  await lab.start()
  for (const kind of jobKinds) {
    const customer = lab.customer()
    await kind.before?.(lab, customer)
    await kind.play(lab, customer)
  }
  await until('everything has ended', async () => (await lab.unended()).length === 0)
  expect(await lab.broken()).toEqual([])
  return lab
}

test('each broken invariant of the books is found and named', async () => {
  await using lab = await wholeBooks()
  const { sql, play, evidence } = lab
  const namedBy = async () =>
    new Set((await brokenBooks(evidence)).map((what) => what.split(/[ ,]/)[0]))
  await sql`update accounts set balance_sats = balance_sats + 1 where name = 'pool'`
  expect(await namedBy()).toEqual(new Set(['C1']))
  await sql`update accounts set balance_sats = balance_sats - 1 where name = 'pool'`

  await sql`update customer_days set absorbed_sats = absorbed_sats + 1 where absorbed_sats > 0`
  expect(await namedBy()).toEqual(new Set(['C5']))
  await sql`update customer_days set absorbed_sats = absorbed_sats - 1 where absorbed_sats > 0`

  await sql`update invoices set state = 'open', paid_at = null where state = 'paid'`
  expect(await namedBy()).toContain('C11')
  await sql`update invoices set state = 'paid', paid_at = now() where state = 'open'`

  const { bolt11 } = farInvoice(100)
  const body = { out: true, bolt11 }
  await rawCall(play.url, '/payments', { key: play.bot.adminKey, body })
  expect(await namedBy()).toContain('C3')
})

test('a row that lost what it belongs to is found, in each table without a foreign key', async () => {
  await using lab = await wholeBooks()
  const { sql } = lab
  const stranger = 'f'.repeat(64)
  const namedBy = async () => (await readBreaches(sql)).map(({ rule }) => rule)
  const [job] = await sql<{ id: number; customer: string }[]>`
    select id, customer from jobs where paid_from = 'invoice' limit 1`
  if (!job) throw new Error('no paid job')
  await sql`update jobs set customer = ${stranger} where id = ${job.id}`
  expect(await namedBy()).toContain('a job has its customer')
  await sql`update jobs set customer = ${job.customer} where id = ${job.id}`
  expect(await namedBy()).toEqual([])

  await sql`insert into customer_days (customer, day) values (${stranger}, now()::date)`
  expect(await namedBy()).toEqual(['a day of a key has its customer'])
  await sql`delete from customer_days where customer = ${stranger}`

  await sql`insert into job_texts (job_id, request) values (0, 'whose?')`
  expect(await namedBy()).toEqual(['a text has its job'])
  await sql`delete from job_texts where job_id = 0`

  await sql`
    update outbox set job_id = 0
    where id = (select min(id) from outbox where job_id = ${job.id})`
  expect(await namedBy()).toEqual(['a reply to a job has its job'])
  await sql`update outbox set job_id = ${job.id} where job_id = 0`

  await sql`
    insert into transfers (kind, debit, credit, sats, job_id, day)
    values ('earned', 'job:0', 'operator', 1, 0, now()::date)`
  expect(await namedBy()).toContain('a transfer has its job')
})

test('a grant that is rewritten is found, whoever rewrote it', async () => {
  await using lab = await wholeBooks()
  const { sql } = lab
  const changed = await grantsWatch(sql)
  expect(await changed()).toEqual([])
  await sql`alter table free_tier_grants disable trigger free_tier_grants_append_only`
  await sql`update free_tier_grants set absorbed_sats = absorbed_sats - 1 where absorbed_sats > 0`
  expect((await changed())[0]).toMatch(/^C4 /)
})

test('an estimate changes no table but those of mail', async () => {
  await using lab = await wholeBooks()
  const customer = lab.customer()
  await lab.grant(customer, 'trusted')
  const before = await tableSums(lab.sql)
  const id = customer.ask({ type: 'estimate', request: 'what would this cost?' })
  await customer.hears(id, 'estimate')
  await until('it is delivered', async () => (await unended(lab.sql)).length === 0)
  const changed = changedTables(before, await tableSums(lab.sql))
  expect(changed.length).toBeGreaterThan(0)
  expect(changed.filter((name) => !/^(inbox|outbox)/.test(name))).toEqual([])
})

test('a message without an inbox row, a second job and a second reply are found', async () => {
  await using lab = await journeyLab()
  await lab.start()
  const customer = lab.customer()
  const id = customer.ask({ type: 'help' })
  const reply = await customer.hears(id, 'help')
  await until('it is delivered', async () => (await unended(lab.sql)).length === 0)
  const asked = { customer: customer.pubkey, rumorId: id, isJob: false }
  const heard: Heard = { customer: customer.pubkey, about: id, rumorId: 'one', reply }
  expect(await brokenReplies(lab.sql, [asked], [heard])).toEqual([])
  const twice = [heard, { ...heard, rumorId: 'two' }]
  expect(await brokenReplies(lab.sql, [asked], twice)).toEqual([
    expect.stringContaining('2 different replies'),
  ])
  const unknown = { ...asked, rumorId: 'ff' }
  expect(await brokenReplies(lab.sql, [unknown], [heard])).toEqual([
    expect.stringContaining('never taken in'),
  ])
  expect(await brokenReplies(lab.sql, [asked], [{ ...heard, about: 'other' }])).toEqual([
    expect.stringContaining('never on a relay'),
  ])
})

test('a secret in a text is found and named, and nothing is said of an empty one', () => {
  const texts = new Map([['a log', 'the key is hunter2, and so on']])
  const secrets = new Map([
    ['the key', 'hunter2'],
    ['nothing', ''],
    ['another', 'hunter3'],
  ])
  expect(leaks(texts, secrets)).toEqual(['C12 the key stands in a log'])
})
