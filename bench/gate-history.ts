import type { Sql } from '../src/store/database.ts'

/** Over how many days the past lies: with 2,000 keys each has about 1.4 jobs a day. */
const PAST_DAYS = 365
/** In parts, so that memory and log stay small. */
const PARTS = 20

/**
 * Gives a furnished database a past: `count` free jobs, settled and answered, with all that the daemon keeps of
 * them, in the order in which it would have written them. Indexes are made afterwards, which changes nothing
 * of what is read or written later but the time this takes.
 */
export async function addHistory(sql: Sql, count: number): Promise<void> {
  // Rows that hold by construction need no look at the row they point to.
  await sql`set session_replication_role = replica`
  const dropped = await dropIndexes(sql)
  for (let part = 0; part < PARTS; part += 1) {
    await addPart(sql, { from: (part * count) / PARTS, to: ((part + 1) * count) / PARTS, count })
  }
  await addDays(sql)
  for (const { definition } of dropped) await sql.unsafe(definition)
  await sql`set session_replication_role = default`
  await sql`vacuum analyze`
  await sql`checkpoint`
}

async function dropIndexes(sql: Sql): Promise<{ definition: string }[]> {
  const rows = await sql<{ name: string; definition: string }[]>`
    select indexname as name, indexdef as definition from pg_indexes
    where schemaname = current_schema()
      and tablename in ('jobs', 'transfers', 'outbox', 'inbox', 'customer_days')
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
    select n, k.pubkey, now() - make_interval(secs => (1 - n / ${count}::float8) * ${PAST_DAYS} * 86400.0 + 600) as at,
      encode(sha256(('rumor ' || n)::bytea), 'hex') as rumor_id,
      encode(sha256(('text ' || n)::bytea), 'hex') as request_hash
    from generate_series(${from}::int, ${to}::int - 1) n
    join (select pubkey, row_number() over (order by pubkey) - 1 as place from customers) k
      on k.place = abs(hashint4(n)) % 2000
  ), taken_in as (
    insert into inbox (rumor_at, rumor_id, sender, via, relay, proof, seen_at)
    select floor(extract(epoch from at)), rumor_id, pubkey, 'nip17', 'wss://relay.example',
      repeat(rumor_id, 12), at
    from past order by n
  ), made as (
    insert into jobs (state, customer, via, form, rumor_at, rumor_id, request_hash, model, tier,
      tier_source, serve, paid_from, estimated_sats, charge_sats, reserved_sats, reserved_day,
      free_tier, actual_sats, absorbed_sats, usd_per_btc, input_tokens, output_tokens, created_at,
      finished_at, epoch, tries)
    select 'done', pubkey, 'nip17', 'words', floor(extract(epoch from at)), rumor_id, request_hash,
      'echo', 'elite', 'granted', 'free', 'pool', 3, 0, 3, (at at time zone 'utc')::date, true, 3, 3,
      100000, 40, 500, at, at, 1, 1
    from past order by n
    returning id, customer, rumor_at, rumor_id, reserved_day, created_at
  ), asked as (
    insert into job_texts (job_id, request, result)
    select id, repeat('What is Lightning? ', 8), repeat('A network. ', 20) from made
  ), moved as (
    insert into transfers (kind, debit, credit, sats, job_id, day, at)
    select kind, case kind when 'reserve' then 'pool' else 'job:' || id end,
      case kind when 'reserve' then 'job:' || id else 'operator' end, 3, id, reserved_day, created_at
    from made, (values ('reserve'), ('earned')) kinds (kind)
  ), granted as (
    insert into free_tier_grants (job_id, customer, tier, source, day, reserved_sats, absorbed_sats, at)
    select id, customer, 'elite', 'granted', reserved_day, 3, 3, created_at from made
  ), answered as (
    insert into outbox (customer, via, form, job_id, step, rumor_at, rumor_id, reply, created_at,
      delivered_at, give_up_at, epoch, tries)
    select customer, 'nip17', 'words', id, 'end', rumor_at, rumor_id,
      jsonb_build_object('type', 'result', 'jobId', id::text), created_at, created_at, created_at, 1, 1
    from made
  )
  update accounts a set balance_sats = balance_sats + case a.name when 'pool' then -m.sats else m.sats end
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
