import { createHash } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/clock.ts'
import { silentLog } from '../src/log.ts'
import { defaultMoneyRules, type MoneyRules } from '../src/money/rules.ts'
import { readBreaches, readDrift } from '../src/store/audit.ts'
import { inTransaction, openDatabase, readOnly, type Sql } from '../src/store/database.ts'
import type { DatabaseTarget } from '../src/store/database-target.ts'
import { startEmbedded } from '../src/store/embedded.ts'
import { lockPool, post } from '../src/store/ledger.ts'
import { migrate } from '../src/store/migrate.ts'
import { countPoolDay, readPool } from '../src/store/pool.ts'

const TMPFS = 0x01021994
const MIGRATIONS = join(import.meta.dirname, '../migrations')

/**
 * A pool and budgets that the bench cannot empty, so that every answer is `free`: the most work.
 */
const FUNDS_SATS = 1e12
export const benchRules: MoneyRules = {
  ...defaultMoneyRules,
  budgets: { new: 0, established: FUNDS_SATS, trusted: FUNDS_SATS, elite: FUNDS_SATS },
  poolDailyOutflowPct: 100,
}

/** The keys that ask, all with a granted tier. */
export const identities: readonly string[] = Array.from({ length: 2_000 }, (_, place) =>
  createHash('sha256').update(`customer ${place}`).digest('hex'),
)

export interface GateServer {
  target: DatabaseTarget
  version: string
  stop(): Promise<void>
}

/**
 * A server of our own on a disk, because without one a commit costs nothing; durable as by default.
 */
export async function startServer(url: string | undefined): Promise<GateServer> {
  if (url !== undefined) return { target: { url }, version: 'given', stop: async () => {} }
  const parent = statfsSync(tmpdir()).type === TMPFS ? '/var/tmp' : tmpdir()
  const dir = mkdtempSync(join(parent, 'tithe-bench-'))
  chmodSync(dir, 0o711)
  const embedded = await startEmbedded({ dataDir: dir, log: silentLog, clock: systemClock })
  return {
    target: embedded.connection,
    version: embedded.version,
    async stop() {
      await embedded.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

export const open = (target: DatabaseTarget, max = 4): Sql =>
  openDatabase({
    ...target,
    max,
    applicationName: 'tithe bench',
    log: silentLog,
    statementTimeoutMs: 300_000,
  })

async function onServer(target: DatabaseTarget, work: (sql: Sql) => Promise<unknown>) {
  const sql = open({ ...target, database: 'postgres' }, 1)
  try {
    await work(sql)
  } finally {
    await sql.end()
  }
}

export interface GateDatabase extends AsyncDisposable {
  target: DatabaseTarget
  /** For what is not measured. */
  sql: Sql
}

/**
 * Makes a database; from `template`, or migrated with its customers granted and the pool filled.
 */
export async function makeDatabase(
  { target }: GateServer,
  name: string,
  template?: string,
): Promise<GateDatabase> {
  await onServer(target, (sql) =>
    template === undefined
      ? sql`create database ${sql(name)}`
      : sql`create database ${sql(name)} template ${sql(template)}`,
  )
  const own = { ...target, database: name }
  const sql = open(own)
  if (template === undefined) await furnish(sql)
  return {
    target: own,
    sql,
    async [Symbol.asyncDispose]() {
      await sql.end()
      await onServer(target, (admin) => admin`drop database ${admin(name)} with (force)`)
    },
  }
}

async function furnish(sql: Sql): Promise<void> {
  await migrate(sql, { dir: MIGRATIONS })
  await sql`
    insert into customers (pubkey, granted_tier, granted_source)
    select k, 'elite', 'granted' from unnest(${[...identities]}::text[]) k`
  await fillPool(sql, FUNDS_SATS)
  await sql`vacuum analyze`
}

async function fillPool(sql: Sql, sats: number): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const { day } = await readPool(tx)
    await post(tx, [
      { kind: 'pool_add', debit: 'lightning', credit: 'pool', sats, ref: 'bench', day },
    ])
    await countPoolDay(tx, { day, openingSats: sats })
  })
}

/** Leaves so many sats in the pool; the operator takes the rest. */
export async function setPool(sql: Sql, leaveSats: number): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const sats = (await lockPool(tx)) - leaveSats
    const { day } = await readPool(tx)
    await post(tx, [
      { kind: 'pool_add', debit: 'pool', credit: 'operator', sats, ref: 'bench takes', day },
    ])
  })
}

/**
 * Ends all open jobs at their estimate and calls their replies delivered, as the daemon does it all
 * the time, so that no key meets the bound on open jobs. Not measured.
 */
export async function finishOpen(sql: Sql): Promise<void> {
  await sql`
    with ended as (
      update jobs set state = 'done', actual_sats = reserved_sats, absorbed_sats = reserved_sats,
        held_sats = 0, finished_at = now(), due_at = null, lease = null
      where finished_at is null
      returning id, customer, tier, tier_source, reserved_day, reserved_sats
    ), earned as (
      insert into transfers (kind, debit, credit, sats, job_id, day)
      select 'earned', 'job:' || id, 'operator', reserved_sats, id, reserved_day from ended
    ), granted as (
      insert into free_tier_grants
        (job_id, customer, tier, source, day, reserved_sats, absorbed_sats)
      select id, customer, tier, tier_source, reserved_day, reserved_sats, reserved_sats from ended
    ), told as (
      update outbox set delivered_at = now(), due_at = null, lease = null
      where due_at is not null and delivered_at is null
    )
    update accounts
    set balance_sats = balance_sats + (select coalesce(sum(reserved_sats), 0) from ended)
    where name = 'operator'`
  await sql`vacuum jobs`
  await sql`vacuum outbox`
}

/** Replays the ledger and throws when one sat is not where it belongs. */
export async function checkBooks(sql: Sql): Promise<void> {
  const [drift, breaches] = await readOnly(sql, (tx) =>
    Promise.all([readDrift(tx), readBreaches(tx)]),
  )
  if (drift.length > 0 || breaches.length > 0) {
    throw new Error(`the books are wrong: ${JSON.stringify({ drift, breaches })}`)
  }
}
