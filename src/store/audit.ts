import type { AnySql, Tx } from './database.ts'

/** One account whose stored balance is not what its transfers add up to. */
export interface Drift {
  account: string
  storedSats: number
  bookedSats: number
}

/**
 * Makes the statements of this transaction read whole tables side by side. A database whose statistics are
 * missing or of an early day is taken for a small one, and one table is searched through for each row of
 * another: 5 s for the books of 20,000 jobs where 0.1 s does, and a hundred times that for ten times as many.
 */
export async function planForWholeTables(tx: Tx): Promise<void> {
  await tx`set local enable_nestloop = off`
}

/** Accounts with a drift that are named; more of them are no more news. */
export const DRIFT_ROWS = 100

/**
 * Replays every transfer and compares each account's sum with its stored balance, zero balances included. Run
 * it in one snapshot (`readOnly`): two statements would see two moments.
 */
export async function readDrift(sql: AnySql, most = DRIFT_ROWS): Promise<Drift[]> {
  const rows = await sql<Drift[]>`
    with moved as (
      select account, sum(sats) as sats from (
        select debit as account, -sats as sats from transfers
        union all
        select credit, sats from transfers
      ) entries group by account
    ), booked as (
      select account, case when account = 'lightning' then -sats else sats end as sats from moved
    ), stored as (
      select name as account, balance_sats as sats from accounts
      union all
      select 'customer:' || pubkey, balance_sats from customers where balance_sats <> 0
      union all
      select 'job:' || id, held_sats from jobs where held_sats <> 0
      union all
      select 'withdrawal:' || id, held_sats from withdrawals where held_sats <> 0
    )
    select account, coalesce(s.sats, 0) as stored_sats, coalesce(b.sats, 0)::bigint as booked_sats
    from stored s full join booked b using (account)
    where coalesce(s.sats, 0) <> coalesce(b.sats, 0)
    order by account limit ${most}`
  return [...rows]
}

/** Balances of the kinds of accounts; lightning = pool + operator + customers + holds. */
export interface Balances {
  poolSats: number
  operatorSats: number
  lightningSats: number
  customersSats: number
  holdsSats: number
  withdrawalsSats: number
}

export async function readAccounts(sql: AnySql): Promise<Balances> {
  const [row] = await sql<Balances[]>`
    select
      (select balance_sats from accounts where name = 'pool') as pool_sats,
      (select balance_sats from accounts where name = 'operator') as operator_sats,
      (select balance_sats from accounts where name = 'lightning') as lightning_sats,
      coalesce((select sum(balance_sats) from customers), 0)::bigint as customers_sats,
      coalesce((select sum(held_sats) from jobs where held_sats <> 0), 0)::bigint as holds_sats,
      coalesce((select sum(held_sats) from withdrawals where held_sats <> 0), 0)::bigint
        as withdrawals_sats`
  if (!row) throw new Error('the accounts are missing: the database was not migrated')
  return row
}

/** A rule of the books that does not hold, with how many rows break it. */
export interface Breach {
  rule: string
  rows: number
}

export interface BreachOptions {
  /**
   * Most of its net paid that a key on an earned tier may have got as grants, 0 to 1. The setting may have been
   * higher before, so an audit that does not know its history asks for what holds under any.
   */
  earnedGrantRatio?: number
}

/**
 * What must hold between the tables beside the sums: counters are what they count (C5), jobs add up, grants are
 * what the jobs say, an earned tier got no more than its ratio (C10), `new` got nothing (C8), and no row has
 * lost what it belongs to.
 */
export async function readBreaches(
  sql: AnySql,
  { earnedGrantRatio = 1 }: BreachOptions = {},
): Promise<Breach[]> {
  const found = await Promise.all([
    counterBreaches(sql),
    settledBreaches(sql),
    grantBreaches(sql, earnedGrantRatio),
    withdrawalBreaches(sql),
    lostBreaches(sql),
  ])
  return found.flat().filter(({ rows }) => rows > 0)
}

/** The counters of a day are what they count. */
async function counterBreaches(sql: AnySql): Promise<Breach[]> {
  const rows = await sql<Breach[]>`
    with given as (
      select customer, reserved_day as day,
        case when finished_at is null then reserved_sats else absorbed_sats end as sats
      from jobs where reserved_day is not null
    ), ended as (
      select customer, (finished_at at time zone 'utc')::date as day, paid_sats - refund_sats as paid,
        least(shortfall_sats, greatest(promised_sats - reserved_sats, 0)) as unkept
      from jobs where state = 'done'
    )
    select 'a key''s daily counter is the sum of its jobs of that day' as rule, count(*) as rows
    from customer_days d
    full join (select customer, day, sum(sats) as sats from given group by customer, day) j
      using (customer, day)
    where coalesce(d.absorbed_sats, 0) <> coalesce(j.sats, 0)
    union all
    select 'a key''s net paid of a day is what its jobs were charged, and its shortfall what was not kept',
      count(*)
    from customer_days d
    full join (
      select customer, day, sum(paid) as paid, sum(unkept) as unkept
      from ended where paid > 0 or unkept > 0 group by customer, day
    ) j using (customer, day)
    where coalesce(d.net_paid_sats, 0) <> coalesce(j.paid, 0)
      or coalesce(d.shortfall_sats, 0) <> coalesce(j.unkept, 0)
    union all
    select 'the pool''s daily counter is the sum of all jobs of that day', count(*)
    from pool_days d
    full join (select day, sum(sats) as sats from given group by day) j using (day)
    where coalesce(d.absorbed_sats, 0) <> coalesce(j.sats, 0)
    union all
    select 'what a day credited to the pool and what its jobs fell short are its transfers', count(*)
    from pool_days d
    full join (
      select day, sum(sats) filter (where kind = 'credit') as credited,
        sum(sats) filter (where kind = 'shortfall') as shortfall
      from transfers where job_id is not null and kind in ('credit', 'shortfall') group by day
    ) t using (day)
    where coalesce(d.credited_sats, 0) <> coalesce(t.credited, 0)
      or coalesce(d.shortfall_sats, 0) <> coalesce(t.shortfall, 0)`.execute()
  return [...rows]
}

/** Each job's own figures agree, and each payment was booked. */
async function settledBreaches(sql: AnySql): Promise<Breach[]> {
  const rows = await sql<Breach[]>`
    select 'a settled job adds up: paid + absorbed + shortfall = actual + refund' as rule,
      count(*) as rows
    from jobs
    where state in ('done', 'failed')
      and paid_sats + absorbed_sats + shortfall_sats <> actual_sats + refund_sats
    union all
    select 'the pool pays first: absorbed is the lesser of actual and reserved', count(*)
    from jobs
    where state in ('done', 'failed') and absorbed_sats <> least(actual_sats, reserved_sats)
    union all
    select 'a job at work holds what was paid and reserved for it, and no other job holds anything',
      count(*)
    from jobs
    where held_sats <> case when state = 'working' then paid_sats + reserved_sats else 0 end
    union all
    select 'a paid invoice was booked once', count(*)
    from invoices i
    where i.state = 'paid' and not exists (
      select 1 from transfers t where t.job_id = i.job_id and t.kind = 'payment'
    ) and not exists (
      select 1 from transfers t
      where t.ref = 'invoice:' || i.payment_hash and t.kind in ('top_up', 'late_payment', 'donation')
    )`.execute()
  return [...rows]
}

/** A withdrawal leaves once or comes back, and until then it is held. */
async function withdrawalBreaches(sql: AnySql): Promise<Breach[]> {
  const rows = await sql<Breach[]>`
    select 'a withdrawal holds its amount and reserve until its end' as rule, count(*) as rows
    from withdrawals
    where held_sats <> case when finished_at is null then amount_sats + reserve_sats else 0 end
    union all
    select 'what a withdrawal paid out is its amount, and only one that is done paid out', count(*)
    from withdrawals w
    full join (select ref, sats from transfers where kind = 'withdrawn') t
      on t.ref = 'withdrawal:' || w.id
    where case when w.state = 'done' then w.amount_sats else 0 end <> coalesce(t.sats, 0)
      or w.id is null`.execute()
  return [...rows]
}

/** Rows that lost what they belong to. The hot tables have no foreign keys, which would cost each decision. */
async function lostBreaches(sql: AnySql): Promise<Breach[]> {
  const rows = await sql<Breach[]>`
    select 'a job has its customer' as rule, count(*) as rows
    from jobs j left join customers c on c.pubkey = j.customer where c.pubkey is null
    union all
    select 'a day of a key has its customer', count(*)
    from customer_days d left join customers c on c.pubkey = d.customer where c.pubkey is null
    union all
    select 'a text has its job', count(*)
    from job_texts t left join jobs j on j.id = t.job_id where j.id is null
    union all
    select 'a transfer has its job', count(*)
    from transfers t left join jobs j on j.id = t.job_id where t.job_id is not null and j.id is null
    union all
    select 'a reply to a job has its job', count(*)
    from outbox o left join jobs j on j.id = o.job_id where o.job_id is not null and j.id is null`.execute()
  return [...rows]
}

/** What was given was given by the rules. */
async function grantBreaches(sql: AnySql, earnedGrantRatio: number): Promise<Breach[]> {
  const rows = await sql<Breach[]>`
    select 'each finished job with a reservation has its grant, with the same figures' as rule,
      count(*) as rows
    from (
      select id, customer, tier, tier_source, reserved_day, reserved_sats, absorbed_sats from jobs
      where reserved_sats > 0 and state in ('done', 'failed')
    ) j full join free_tier_grants g on g.job_id = j.id
    where (j.customer, j.tier, j.tier_source, j.reserved_day, j.reserved_sats, j.absorbed_sats)
      is distinct from (g.customer, g.tier, g.source, g.day, g.reserved_sats, g.absorbed_sats)
    union all
    select 'the tier new gets no grant', (select count(*) from free_tier_grants where tier = 'new')
      + (select count(*) from jobs where tier = 'new' and reserved_sats > 0)
    union all
    select 'a key on an earned tier gets no more than its part of what it paid', count(*)
    from (
      select customer,
        sum(case when finished_at is null then reserved_sats else absorbed_sats end) as sats
      from jobs where reserved_sats > 0 and tier_source = 'earned' group by customer
    ) j
    where j.sats > ${earnedGrantRatio}::float8 * coalesce((
      select sum(net_paid_sats) from customer_days d where d.customer = j.customer
    ), 0)`.execute()
  return [...rows]
}
