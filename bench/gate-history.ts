import type { Sql } from '../src/store/database.ts'
import { type GateDatabase, identities, open } from './gate-database.ts'

/** Over how many days the past lies: each of 2,000 keys has 1.4 jobs a day then. */
const PAST_DAYS = 365
/** In parts, so that what one statement keeps in memory stays small. */
const PARTS = 20

/**
 * Gives a furnished database a past: `count` free jobs, settled, with their transfers, grants and
 * daily counters, in the order in which the daemon would have written them. Messages, texts and
 * replies are left out: their tables are only ever added to at the right edge. Indexes are made
 * afterwards, which changes what this takes and nothing of what is read or written later.
 */
export async function addHistory({ target }: GateDatabase, count: number): Promise<void> {
  const sql = open(target, 1)
  // Rows that point to each other by construction need no look at each other.
  await sql`set session_replication_role = replica`
  await sql`set synchronous_commit = off`
  await sql`set maintenance_work_mem = '256MB'`
  await sql`set work_mem = '64MB'`
  const dropped = await dropIndexes(sql)
  for (let part = 0; part < PARTS; part += 1) {
    await addPart(sql, { from: (part * count) / PARTS, to: ((part + 1) * count) / PARTS, count })
  }
  await addDays(sql)
  for (const { definition } of dropped) await sql.unsafe(definition)
  await sql`vacuum analyze`
  await sql`checkpoint`
  await sql.end()
}

async function dropIndexes(sql: Sql): Promise<{ definition: string }[]> {
  const rows = await sql<{ name: string; definition: string }[]>`
    select indexname as name, indexdef as definition from pg_indexes
    where schemaname = current_schema()
      and tablename in ('jobs', 'transfers', 'free_tier_grants')
      and indexname not in (select conname from pg_constraint)`
  for (const { name } of rows) await sql`drop index ${sql(name)}`
  return [...rows]
}

interface Part {
  from: number
  to: number
  count: number
}

const addPart = (sql: Sql, { from, to, count }: Part) => sql`
  with past as materialized (
    select n,
      (${[...identities]}::text[])[1 + abs(hashint4(n)) % ${identities.length}::int] as pubkey,
      now() - make_interval(secs => 600 + (1 - n / ${count}::float8) * ${PAST_DAYS * 86_400}) as at,
      encode(sha256(('rumor ' || n)::bytea), 'hex') as rumor_id
    from generate_series(${from}::int, ${to}::int - 1) n
  ), made as (
    insert into jobs (state, customer, via, form, rumor_at, rumor_id, request_hash, model, tier,
      tier_source, serve, paid_from, estimated_sats, charge_sats, reserved_sats, reserved_day,
      free_tier, actual_sats, absorbed_sats, usd_per_btc, input_tokens, output_tokens, created_at,
      finished_at, epoch, tries)
    select 'done', pubkey, 'nip17', 'words', floor(extract(epoch from at)), rumor_id,
      reverse(rumor_id), 'echo', 'elite', 'granted', 'free', 'pool', 3, 0, 3,
      (at at time zone 'utc')::date, true, 3, 3, 100000, 40, 500, at, at, 1, 1
    from past
    returning id, customer, reserved_day, created_at
  ), moved as (
    insert into transfers (kind, debit, credit, sats, job_id, day, at)
    select kind, case kind when 'reserve' then 'pool' else 'job:' || id end,
      case kind when 'reserve' then 'job:' || id else 'operator' end,
      3, id, reserved_day, created_at
    from made, (values ('reserve'), ('earned')) kinds (kind)
  ), granted as (
    insert into free_tier_grants
      (job_id, customer, tier, source, day, reserved_sats, absorbed_sats, at)
    select id, customer, 'elite', 'granted', reserved_day, 3, 3, created_at from made
  )
  update accounts a
  set balance_sats = balance_sats + case a.name when 'pool' then -m.sats else m.sats end
  from (select count(*) * 3 as sats from made) m
  where a.name in ('pool', 'operator')`

/** The counters of those days, in the order in which their first movements came. */
async function addDays(sql: Sql): Promise<void> {
  await sql`
    insert into customer_days (customer, day, absorbed_sats)
    select customer, reserved_day, count(*) * 3 from jobs
    where state = 'done' group by customer, reserved_day order by reserved_day, min(id)
    on conflict (customer, day) do update
    set absorbed_sats = customer_days.absorbed_sats + excluded.absorbed_sats`
  await sql`
    insert into pool_days (day, opening_sats, absorbed_sats, free_count)
    select reserved_day, 1000000000000, count(*) * 3, count(*) from jobs
    where state = 'done' group by reserved_day
    on conflict (day) do update
    set absorbed_sats = pool_days.absorbed_sats + excluded.absorbed_sats,
      free_count = pool_days.free_count + excluded.free_count`
}
