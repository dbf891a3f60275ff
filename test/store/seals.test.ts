import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { SEAL_ROWS } from '../../src/limits.ts'
import { silentLog } from '../../src/log.ts'
import { createSealLoop } from '../../src/operator/seal-loop.ts'
import { inTransaction, openDatabase, type Sql, type Tx } from '../../src/store/database.ts'
import { lockPool, post } from '../../src/store/ledger.ts'
import { sealLedger, verifySeals } from '../../src/store/seals.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, priced } from '../support/journey.ts'
import { say, SWEEP_MS, sweepRounds } from '../support/seeded.ts'

async function sealAll(sql: Sql): Promise<number> {
  for (let made = 0; ; made += 1) if (!(await sealLedger(sql))) return made
}

/** Free, paid and refunded work, so that both tables of the books have rows. */
async function someBooks(sql: Sql) {
  const journey = await journeyOn(sql)
  const { granted } = journey
  await journey.finish(await journey.paid(priced({ estimatedSats: 100 })), 70)
  const customer = await granted('trusted')
  await journey.finish(await journey.job(priced({ customer, estimatedSats: 80 })), 30)
  return journey
}

/** What somebody who owns the tables can do. */
async function tamper(sql: Sql, edit: (tx: Tx) => Promise<unknown>): Promise<void> {
  await inTransaction(sql, async (tx) => {
    await tx`set local session_replication_role = replica`
    await edit(tx)
  })
}

test('each seal covers what was booked since the last one, and all of them verify', async () => {
  await using db = await freshDatabase()
  const journey = await someBooks(db.sql)
  const first = await sealLedger(db.sql)
  expect(await sealLedger(db.sql)).toBeUndefined()
  await journey.finish(await journey.paid(priced()), 5)
  const second = await sealLedger(db.sql)
  expect(second?.transfersTo).toBeGreaterThan(first?.transfersTo ?? 0)
  await journey.finish(await journey.paid(priced()), 5)
  const [count] = await db.sql<{ transfers: number; grants: number }[]>`
    select (select count(*) from transfers where id <= ${second?.transfersTo ?? 0}) as transfers,
      (select count(*) from free_tier_grants) as grants`
  expect(await verifySeals(db.sql)).toMatchObject({
    seals: 2,
    sealedRows: (count?.transfers ?? 0) + (count?.grants ?? 0),
    head: second?.hash,
    brokenAt: null,
  })
  expect((await verifySeals(db.sql)).unsealedRows).toBeGreaterThan(0)
})

const edits: [what: string, edit: (tx: Tx) => Promise<unknown>][] = [
  ['an amount', (tx) => tx`update transfers set sats = sats + 1 where id = 2`],
  ['an account', (tx) => tx`update transfers set credit = 'customer:x' where id = 2`],
  ['an instant', (tx) => tx`update transfers set at = at + interval '1 microsecond' where id = 2`],
  ['a day', (tx) => tx`update transfers set day = day - 1 where id = 2`],
  ['a row taken out', (tx) => tx`delete from transfers where id = 2`],
  ['a grant', (tx) => tx`update free_tier_grants set absorbed_sats = 0`],
  ['a grant taken out', (tx) => tx`delete from free_tier_grants`],
  ['the bounds of a seal', (tx) => tx`update ledger_seals set transfers_to = 2 where id = 1`],
  ['the date of a seal', (tx) => tx`update ledger_seals set at = at - interval '1 day'`],
  ['a seal taken out', (tx) => tx`delete from ledger_seals where id = 1`],
  [
    'a row slipped in',
    (tx) => tx`
      insert into transfers (id, kind, debit, credit, sats, ref, day) overriding system value
      values (0, 'pool_add', 'operator', 'pool', 5, 'operator:late', current_date)`,
  ],
]

test.each(edits)('%s that the owner changes with triggers off breaks a seal', async (_, edit) => {
  await using db = await freshDatabase()
  const journey = await someBooks(db.sql)
  await sealLedger(db.sql)
  await journey.finish(await journey.paid(priced()), 5)
  await sealLedger(db.sql)
  expect((await verifySeals(db.sql)).brokenAt).toBeNull()
  await tamper(db.sql, edit)
  const { brokenAt } = await verifySeals(db.sql)
  expect(brokenAt?.seal).toBeGreaterThan(0)
})

// Who may write anything makes the seal over its edit anew; the chain shows it all the same.
test('a seal that was made anew over changed rows breaks the one after it', async () => {
  await using db = await freshDatabase()
  const journey = await someBooks(db.sql)
  const first = await sealLedger(db.sql)
  await journey.finish(await journey.paid(priced()), 5)
  const second = await sealLedger(db.sql)
  const later = (first?.transfersTo ?? 0) + 1
  // The rows after the first seal and the second seal are put aside, and come back as they were.
  await tamper(db.sql, async (tx) => {
    await tx`create table kept_seals as select * from ledger_seals where id = ${second?.id ?? 0}`
    await tx`create table kept_rows as select * from transfers where id >= ${later}`
    await tx`delete from ledger_seals`
    await tx`delete from transfers where id >= ${later}`
    await tx`update transfers set sats = sats + 1 where id = 2`
  })
  await sealLedger(db.sql)
  expect((await verifySeals(db.sql)).brokenAt).toBeNull()
  await tamper(db.sql, async (tx) => {
    await tx`insert into transfers overriding system value select * from kept_rows`
    await tx`update kept_seals set id = 99`
    await tx`insert into ledger_seals overriding system value select * from kept_seals`
  })
  expect((await verifySeals(db.sql)).brokenAt?.seal).toBe(99)
})

test('a broken seal names the rows between which something was changed', async () => {
  await using db = await freshDatabase()
  const journey = await someBooks(db.sql)
  const first = await sealLedger(db.sql)
  await journey.finish(await journey.paid(priced()), 5)
  const second = await sealLedger(db.sql)
  const changed = (first?.transfersTo ?? 0) + 1
  await tamper(db.sql, (tx) => tx`update transfers set sats = 1 where id = ${changed}`)
  expect((await verifySeals(db.sql)).brokenAt).toMatchObject({
    seal: second?.id,
    transfers: [changed, second?.transfersTo],
  })
})

test('a seal waits for the writer in flight and covers what it wrote', async () => {
  await using db = await freshDatabase()
  await someBooks(db.sql)
  const written = Promise.withResolvers<void>()
  const mayCommit = Promise.withResolvers<void>()
  const writing = inTransaction(db.sql, async (tx) => {
    await lockPool(tx)
    const add = { kind: 'pool_add' as const, debit: 'operator', credit: 'pool', day: '2026-11-25' }
    await post(tx, [{ ...add, sats: 5, ref: 'operator:slow' }])
    written.resolve()
    await mayCommit.promise
  })
  await written.promise
  const sealing = sealLedger(db.sql)
  mayCommit.resolve()
  const [seal] = await Promise.all([sealing, writing])
  const [row] = await db.sql<{ id: number }[]>`select max(id) as id from transfers`
  expect(seal?.transfersTo).toBe(row?.id)
  expect(await verifySeals(db.sql)).toMatchObject({ unsealedRows: 0, brokenAt: null })
})

test('replicas that seal at the same instant make one chain', async () => {
  await using db = await freshDatabase({ max: 8 })
  const journey = await someBooks(db.sql)
  for (let round = 0; round < 5; round += 1) {
    await journey.finish(await journey.paid(priced()), 5)
    const seals = await Promise.all(Array.from({ length: 8 }, () => sealLedger(db.sql)))
    expect(seals.filter(Boolean)).toHaveLength(1)
  }
  expect(await verifySeals(db.sql)).toMatchObject({ seals: 5, unsealedRows: 0, brokenAt: null })
})

test('the loop seals on its turn only, and once more when it stops', async () => {
  await using db = await freshDatabase()
  const journey = await someBooks(db.sql)
  const loop = (holder: string) =>
    createSealLoop({ sql: db.sql, holder, clock: systemClock, log: silentLog })
  expect(await loop('a').runOnce()).toBe(1)
  await journey.finish(await journey.paid(priced()), 5)
  expect(await loop('b').runOnce()).toBe(0)
  const own = loop('a')
  own.start()
  await own.stop()
  expect(await verifySeals(db.sql)).toMatchObject({ unsealedRows: 0, brokenAt: null })
})

// Rows by the million verify within half a minute: TITHE_SWEEP=1 says in how long.
test('a long ledger is sealed in bounded parts and verifies in pages', {
  timeout: SWEEP_MS,
}, async () => {
  await using db = await freshDatabase()
  const rows = sweepRounds(2 * SEAL_ROWS + 500, 1_000_000)
  const sql = openDatabase({
    ...db.connection,
    max: 1,
    applicationName: 'many rows',
    log: silentLog,
    statementTimeoutMs: SWEEP_MS,
  })
  await sql`
    insert into transfers (kind, debit, credit, sats, ref, day)
    select 'pool_add', 'operator', 'pool', 1 + i % 1000, 'operator:' || i, current_date
    from generate_series(1, ${rows}) i`
  await sql.end()
  expect(await sealAll(db.sql)).toBe(Math.ceil(rows / SEAL_ROWS))
  const started = performance.now()
  expect(await verifySeals(db.sql)).toMatchObject({ sealedRows: rows, brokenAt: null })
  say(`${rows} rows verified in ${Math.round(performance.now() - started)} ms`)
})
