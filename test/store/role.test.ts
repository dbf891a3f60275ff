import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { configProblemText, readConfig } from '../../src/config.ts'
import { openGround } from '../../src/ground.ts'
import { silentLog } from '../../src/log.ts'
import { openDatabase, type Sql } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { APP_ROLE, canTakeAppRole } from '../../src/store/role.ts'
import { sealLedger, verifySeals } from '../../src/store/seals.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { journeyOn, priced } from '../support/journey.ts'

const MIGRATIONS = join(import.meta.dirname, '../../migrations')

/** A second database on the same rows whose sessions work as `role`. */
const workingAs = (db: TestDatabase, role: string): Sql =>
  openDatabase({
    ...db.connection,
    max: 4,
    applicationName: 'another role',
    log: silentLog,
    settings: { role },
  })

test('the role of the daemon may do all that the way of money takes', async () => {
  await using db = await freshDatabase()
  expect(await canTakeAppRole(db.sql)).toBe(true)
  const sql = workingAs(db, APP_ROLE)
  try {
    const journey = await journeyOn(sql)
    await journey.finish(await journey.paid(priced({ estimatedSats: 100 })), 60)
    const customer = await journey.granted('trusted')
    await journey.finish(await journey.job(priced({ customer })), 10)
    expect(await sealLedger(sql)).toBeDefined()
    expect(await verifySeals(sql)).toMatchObject({ unsealedRows: 0, brokenAt: null })
    await journey.expectClean()
  } finally {
    await sql.end()
  }
})

const rewriting: ((sql: Sql) => Promise<unknown>)[] = [
  (sql) => sql`update transfers set sats = 1`,
  (sql) => sql`delete from transfers`,
  (sql) => sql`truncate transfers`,
  (sql) => sql`update free_tier_grants set absorbed_sats = 0`,
  (sql) => sql`delete from free_tier_grants`,
  (sql) => sql`truncate free_tier_grants`,
  (sql) => sql`update ledger_seals set hash = repeat('0', 64)`,
  (sql) => sql`delete from ledger_seals`,
  (sql) => sql`truncate ledger_seals`,
  (sql) => sql`alter table transfers disable trigger all`,
  (sql) => sql`drop trigger transfers_append_only on transfers`,
  (sql) => sql`set session_replication_role = replica`,
  (sql) => sql`
    create or replace function refuse_rewriting() returns trigger language plpgsql
    as 'begin return null; end'`,
  (sql) => sql`alter table transfers drop constraint transfers_sats`,
  (sql) => sql`drop index transfers_once_per_job`,
  (sql) => sql`drop table free_tier_grants`,
  (sql) => sql`update schema_migrations set sha256 = ''`,
]

test('the role of the daemon may rewrite nothing that was booked, granted or sealed', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  await journey.finish(await journey.paid(priced()), 5)
  await sealLedger(db.sql)
  const sql = workingAs(db, APP_ROLE)
  for (const statement of rewriting) {
    const refused = statement(sql)
    await expect(refused).rejects.toMatchObject({ code: '42501' })
    await expect(refused).rejects.toThrow(/permission denied|must be (able|owner)/)
  }
  await sql.end()
  expect(await verifySeals(db.sql)).toMatchObject({ seals: 1, unsealedRows: 0, brokenAt: null })
})

test('what a later migration makes is for the daemon too', async () => {
  await using db = await freshDatabase()
  await db.sql`create table notes (id bigint generated always as identity, note text)`
  expect(await canTakeAppRole(db.sql)).toBe(true)
  const sql = workingAs(db, APP_ROLE)
  await sql`insert into notes (note) values ('kept')`
  expect(await sql`select note from notes`).toEqual([{ note: 'kept' }])
  await sql.end()
})

test('a database without the rights of the role is used as its owner', async () => {
  await using db = await freshDatabase()
  await db.sql`revoke insert on jobs from tithe_app`
  expect(await canTakeAppRole(db.sql)).toBe(false)
})

test('an owner that may not make roles stays itself, and a role of others gets nothing', async () => {
  await using db = await freshDatabase({ template: 'template0' })
  const owner = `tithe_owner_${randomBytes(6).toString('hex')}`
  await db.sql`create role ${db.sql(owner)}`
  await db.sql`alter database ${db.sql(db.name)} owner to ${db.sql(owner)}`
  await db.sql`grant create on schema public to ${db.sql(owner)}`
  const sql = workingAs(db, owner)
  try {
    await migrate(sql, { dir: MIGRATIONS })
    expect(await canTakeAppRole(sql)).toBe(false)
    const [right] = await db.sql<{ granted: boolean }[]>`
      select has_table_privilege(${APP_ROLE}, 'transfers', 'select') as granted`
    expect(right?.granted).toBe(false)
    const journey = await journeyOn(sql)
    await journey.finish(await journey.paid(priced()), 5)
    await expect(sql`update transfers set sats = 1`).rejects.toMatchObject({ code: '42501' })
    await journey.expectClean()
  } finally {
    await sql.end()
    await db.sql`drop owned by ${db.sql(owner)}`
    await db.sql`alter database ${db.sql(db.name)} owner to current_user`
    await db.sql`drop role ${db.sql(owner)}`
  }
})

test('the ground hands out sessions of the role, to daemon and commands alike', async () => {
  await using db = await freshDatabase({ template: 'template0' })
  const answer = readConfig({
    DATABASE_URL: db.url,
    NOSTR_SECRET_KEY: randomBytes(32).toString('hex'),
    RELAYS: 'wss://relay.example',
    LNBITS_URL: 'https://lnbits.example',
    LNBITS_INVOICE_KEY: '0'.repeat(32),
    BACKEND: 'echo',
    MODELS: '[{"name":"echo","satsPerRequest":21}]',
  })
  if (!answer.ok) throw new Error(configProblemText(answer.problems))
  const parts = { clock: systemClock, log: silentLog, name: 'test' }
  const ground = await openGround(answer.config, parts)
  try {
    expect(await ground.sql`select current_user as who`).toEqual([{ who: APP_ROLE }])
    expect(await ground.sql`select balance_sats from accounts where name = 'pool'`).toEqual([
      { balanceSats: 10_000 },
    ])
    const again = await openGround(answer.config, parts)
    await again.stop()
  } finally {
    await ground.stop()
  }
})
