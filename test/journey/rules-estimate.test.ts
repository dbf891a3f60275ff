import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { setBan } from '../../src/store/customers.ts'
import { openDatabase, readOnly, type Sql, type Tx } from '../../src/store/database.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, priced, someKey, stepsOn, type TestJourney } from '../support/journey.ts'

const isForMessages = (name: string) => /^(inbox|outbox)/.test(name)

/** A checksum of every table's rows and the last number of every sequence. */
async function checksums(sql: Sql): Promise<Map<string, string>> {
  const tables = await sql<{ name: string }[]>`
    select relname as name from pg_class
    where relkind = 'r' and relnamespace = 'public'::regnamespace order by relname`
  const sums = new Map<string, string>()
  for (const { name } of tables) {
    const [row] = await sql<{ sum: string }[]>`
      select md5(coalesce(string_agg(t::text || xmin::text, '|' order by t::text), '')) as sum
      from ${sql(name)} t`
    sums.set(name, row?.sum ?? '')
  }
  const numbers = await sql<{ name: string; last: number | null }[]>`
    select sequencename as name, last_value as last from pg_sequences`
  for (const { name, last } of numbers) sums.set(name, String(last))
  return sums
}

const estimateOf = (sats: number) => ({ name: 'estimate' as const, request: 'x'.repeat(sats) })

/** Keys that stand in every way a key can stand. */
async function allStandings(sql: Sql, journey: TestJourney): Promise<string[]> {
  const granted = await journey.granted('trusted')
  await journey.finish(await journey.job(priced({ customer: granted, estimatedSats: 40 })), 20)
  const promised = await journey.granted('elite')
  await journey.invoice(await journey.job(priced({ customer: promised, estimatedSats: 3_000 })))
  const banned = someKey()
  await setBan(sql, banned, { reason: 'spam' })
  const funded = someKey()
  await journey.topUp(funded, 500)
  return [someKey(), granted, promised, banned, funded]
}

test('a thousand estimates change no row but the messages and their replies', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const keys = await allStandings(db.sql, journey)
  const before = await checksums(db.sql)
  const asked = Array.from({ length: 1_000 }, async (_, place) => {
    const customer = place % 3 === 0 ? someKey() : (keys[place % keys.length] ?? '')
    const reply = await journey.ask(customer, estimateOf(1 + place))
    await journey.answers.reply.add({ incoming: priced({ customer }), reply })
    return reply.type
  })
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['estimate', 'refused']))
  const after = await checksums(db.sql)
  const changed = [...after].filter(([name, sum]) => before.get(name) !== sum)
  expect(changed.map(([name]) => name).filter((name) => !isForMessages(name))).toEqual([])
  expect(changed.map(([name]) => name)).toEqual(expect.arrayContaining(['inbox', 'outbox']))
})

test('an estimate is answered by a role that may only read', async () => {
  await using db = await freshDatabase()
  const keys = await allStandings(db.sql, await journeyOn(db.sql))
  const reader = `tithe_reader_${randomBytes(6).toString('hex')}`
  await db.sql`create role ${db.sql(reader)}`
  await db.sql`grant select on all tables in schema public to ${db.sql(reader)}`
  const settings = { role: reader, default_transaction_read_only: 'on' }
  const sql = openDatabase({
    ...db.connection,
    max: 2,
    applicationName: 'r',
    log: silentLog,
    settings,
  })
  try {
    const { ask } = stepsOn(sql)
    const replies = await Promise.all(keys.map((key) => ask(key, estimateOf(100))))
    expect(replies.map(({ type }) => type).sort()).toEqual([
      ...Array.from({ length: 4 }, () => 'estimate'),
      'refused',
    ])
    await expect(sql`insert into inbox values (1, '', '', 'nip17')`).rejects.toThrow(/read-only/)
  } finally {
    await sql.end()
    await db.sql`drop owned by ${db.sql(reader)}`
    await db.sql`drop role ${db.sql(reader)}`
  }
})

test('the transaction of an estimate refuses to write, whatever asks it to', async () => {
  await using db = await freshDatabase()
  await journeyOn(db.sql)
  const writes: ((tx: Tx) => Promise<unknown>)[] = [
    (tx) => tx`update accounts set balance_sats = 0`,
    (tx) => tx`insert into customers (pubkey) values (${someKey()})`,
    (tx) => tx`select from accounts for update`,
    (tx) => tx`select nextval('jobs_id_seq')`,
  ]
  for (const write of writes) {
    await expect(readOnly(db.sql, write)).rejects.toMatchObject({ code: '25006' })
  }
})

test.each([
  ['new' as const, 100],
  ['trusted' as const, 150],
  ['trusted' as const, 350],
  ['elite' as const, 1_000],
  ['elite' as const, 1_001],
])(
  'what an estimate tells a key of tier %s over %d sats is what its job gets',
  async (tier, sats) => {
    await using db = await freshDatabase()
    const journey = await journeyOn(db.sql)
    const customer = await journey.granted(tier)
    const told = await journey.ask(customer, estimateOf(sats))
    if (told.type !== 'estimate') throw new Error(`told ${told.type}`)
    const job = await journey.job(priced({ customer, estimatedSats: sats }))
    expect(told.identity).toEqual({
      tier: job.tier,
      free_tier: {
        serve: job.serve,
        absorbSats: job.reservedSats + job.promisedSats,
        chargeSats: job.chargeSats,
      },
    })
  },
)
