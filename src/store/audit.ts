import type { AnySql } from './database.ts'

/** One account whose stored balance is not what its transfers add up to. */
export interface Drift {
  account: string
  storedSats: number
  bookedSats: number
}

/**
 * Replays every transfer and compares each account's sum with its stored balance, zero balances included. Run
 * it in one snapshot (`readOnly`): two statements would see two moments.
 */
export async function readDrift(sql: AnySql): Promise<Drift[]> {
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
    order by account limit 100`
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

/**
 * What must hold between the tables beside the sums: counters are what they count (C5), grants are what the
 * jobs say, an earned tier got no more than its ratio (C10), and `new` got nothing (C8).
 */
export async function readBreaches(sql: AnySql): Promise<Breach[]> {
  const rows = await sql<Breach[]>`
    select rule, rows from (
      select 'a key''s daily counter is the sum of its jobs of that day' as rule, (
        select count(*) from (
          select customer, day, absorbed_sats from customer_days
        ) d full join (
          select customer, reserved_day as day, sum(given) as sats from (
            select customer, reserved_day,
              case when finished_at is null then reserved_sats else absorbed_sats end as given
            from jobs where reserved_day is not null
          ) g group by customer, reserved_day
        ) j using (customer, day)
        where coalesce(d.absorbed_sats, 0) <> coalesce(j.sats, 0)
      ) as rows
      union all
      select 'the pool''s daily counter is the sum of all jobs of that day', (
        select count(*) from pool_days d full join (
          select reserved_day as day,
            sum(case when finished_at is null then reserved_sats else absorbed_sats end) as sats
          from jobs where reserved_day is not null group by reserved_day
        ) j using (day)
        where coalesce(d.absorbed_sats, 0) <> coalesce(j.sats, 0)
      )
      union all
      select 'each finished job with a reservation has its grant, with the same figures', (
        select count(*) from (
          select id, reserved_sats, absorbed_sats from jobs
          where reserved_sats > 0 and state in ('done', 'failed')
        ) j full join free_tier_grants g on g.job_id = j.id
        where j.id is null or g.job_id is null
          or j.reserved_sats <> g.reserved_sats or j.absorbed_sats <> g.absorbed_sats
      )
      union all
      select 'the tier new gets no grant', (
        select count(*) from free_tier_grants where tier = 'new'
      )
      union all
      select 'a settled job adds up: paid + absorbed + shortfall = actual + refund', (
        select count(*) from jobs
        where state in ('done', 'failed')
          and paid_sats + absorbed_sats + shortfall_sats <> actual_sats + refund_sats
      )
      union all
      select 'a paid invoice was booked once', (
        select count(*) from invoices i where i.state = 'paid' and not exists (
          select 1 from transfers t
          where (t.job_id = i.job_id and t.kind = 'payment')
            or (t.ref = 'invoice:' || i.payment_hash
              and t.kind in ('top_up', 'late_payment', 'donation'))
        )
      )
    ) rules where rows > 0`
  return [...rows]
}
