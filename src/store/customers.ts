import type { Tier } from '../money/tiers.ts'
import type { AnySql, Tx } from './database.ts'
import type { Via } from './inbox.ts'

/** By which door all jobs of a key came. */
export type Door = Via | 'several'

export type GrantSource = 'granted' | 'list' | 'rank'

/** What a decision needs to know of a customer. An unknown key reads as a new one. */
export interface CustomerFacts {
  pubkey: string
  /** Spendable: what running jobs hold has left it. */
  balanceSats: number
  grantedTier: Tier | null
  grantedSource: GrantSource | null
  banned: boolean
  /** Unix seconds of the first settled net charge. */
  firstPaidAt: number | null
  paidDays: number
  netPaidSats90: number
  /** Absorbed in 90 days, reservations in flight included. */
  grantsSats90: number
  absorbedTodaySats: number
  /** Promises to this key that the operator paid for, or will when the work they are for is done. */
  shortfallTodaySats: number
  shortfallSats90: number
  /** What the key's own open discounted invoice promises; there is at most one. */
  ownPromiseSats: number
  openJobs: number
}

/** The columns of `CustomerFacts`, of a statement from `k (pubkey)` and `factSources`. */
export const factColumns = (sql: AnySql) => sql`
  k.pubkey,
  coalesce(c.balance_sats, 0) as balance_sats,
  c.granted_tier,
  c.granted_source,
  c.banned_at is not null as banned,
  floor(extract(epoch from c.first_paid_at))::bigint as first_paid_at,
  d.paid_days,
  d.net_paid_sats90,
  d.grants_sats90,
  d.absorbed_today_sats,
  d.shortfall_today_sats + j.unkept_sats as shortfall_today_sats,
  d.shortfall_sats90 + j.unkept_sats as shortfall_sats90,
  j.own_promise_sats,
  j.open_jobs`

/**
 * Each key's days and open jobs are read by their index, once: joined as sets they would be planned for small
 * tables and read whole later. Sums are of float8, exact for all sats that exist and half the cost of numeric.
 * `days` says how many days count, today among them.
 */
export const factSources = (sql: AnySql, days = sql`90`) => sql`
  left join customers c on c.pubkey = k.pubkey
  cross join (select (now() at time zone 'utc')::date as day) today
  cross join lateral (
    select
      count(*) filter (where net_paid_sats > 0) as paid_days,
      coalesce(sum(net_paid_sats::float8), 0)::bigint as net_paid_sats90,
      coalesce(sum(absorbed_sats::float8), 0)::bigint as grants_sats90,
      coalesce(sum(shortfall_sats::float8), 0)::bigint as shortfall_sats90,
      coalesce(sum(absorbed_sats::float8) filter (where day = today.day), 0)::bigint
        as absorbed_today_sats,
      coalesce(sum(shortfall_sats::float8) filter (where day = today.day), 0)::bigint
        as shortfall_today_sats
    from customer_days
    where customer = k.pubkey and day > today.day - ${days}
  ) d
  cross join lateral (
    select
      count(*) as open_jobs,
      coalesce(sum(promised_sats::float8)
        filter (where promised_sats > 0 and state <> 'working'), 0)::bigint
        as own_promise_sats,
      -- What settles as a shortfall is one from the payment on: it must not be promised again meanwhile.
      coalesce(sum(greatest(promised_sats - reserved_sats, 0)::float8)
        filter (where promised_sats > 0 and state = 'working'), 0)::bigint as unkept_sats
    from jobs
    where customer = k.pubkey and finished_at is null
  ) j`

/** One row per asked key, in one statement. */
export async function readCustomers(
  sql: AnySql,
  pubkeys: readonly string[],
): Promise<Map<string, CustomerFacts>> {
  const rows = await sql<CustomerFacts[]>`
    select ${factColumns(sql)} from unnest(${[...pubkeys]}::text[]) k (pubkey) ${factSources(sql)}`.execute()
  return new Map(rows.map((row) => [row.pubkey, row]))
}

/** Makes sure the rows exist. Keys are inserted in order, so that two batches cannot wait for each other. */
export function ensureCustomers(tx: AnySql, pubkeys: readonly string[]): Promise<unknown> {
  const keys = [...new Set(pubkeys)].sort()
  return tx`
    insert into customers (pubkey)
    select pubkey from unnest(${keys}::text[]) k (pubkey)
    on conflict (pubkey) do nothing`.execute()
}

/** Notes the doors of keys, which need not be known; in the order of keys, as `ensureCustomers`. */
export function noteDoors(tx: Tx, doors: ReadonlyMap<string, Door>): Promise<unknown> {
  const keys = [...doors.keys()].sort()
  return tx`
    insert into customers (pubkey, door)
    select * from unnest(${keys}::text[], ${keys.map((key) => doors.get(key) ?? null)}::text[])
    on conflict (pubkey) do update set door = excluded.door`.execute()
}

export interface CustomerDayChange {
  customer: string
  day: string
  absorbedSats?: number
  netPaidSats?: number
  shortfallSats?: number
}

/** Adds to the daily counters; a day's row appears with its first movement. */
export function countCustomerDays(tx: Tx, changes: readonly CustomerDayChange[]): Promise<unknown> {
  const byDay = new Map<string, Required<CustomerDayChange>>()
  for (const { customer, day, absorbedSats = 0, netPaidSats = 0, shortfallSats = 0 } of changes) {
    const key = `${customer} ${day}`
    const sum = byDay.get(key) ?? {
      customer,
      day,
      absorbedSats: 0,
      netPaidSats: 0,
      shortfallSats: 0,
    }
    sum.absorbedSats += absorbedSats
    sum.netPaidSats += netPaidSats
    sum.shortfallSats += shortfallSats
    byDay.set(key, sum)
  }
  const rows = [...byDay.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
  if (rows.length === 0) return Promise.resolve()
  const customers = rows.map((row) => row.customer)
  const days = rows.map((row) => row.day)
  return Promise.all([
    tx`
      insert into customer_days (customer, day)
      select customer, day::date from unnest(${customers}::text[], ${days}::text[]) k (customer, day)
      on conflict (customer, day) do nothing`.execute(),
    tx`
      update customer_days d set
        absorbed_sats = d.absorbed_sats + k.absorbed,
        net_paid_sats = d.net_paid_sats + k.net_paid,
        shortfall_sats = d.shortfall_sats + k.shortfall
      from unnest(
        ${customers}::text[], ${days}::text[],
        ${rows.map((row) => row.absorbedSats)}::bigint[],
        ${rows.map((row) => row.netPaidSats)}::bigint[],
        ${rows.map((row) => row.shortfallSats)}::bigint[]
      ) k (customer, day, absorbed, net_paid, shortfall)
      where d.customer = k.customer and d.day = k.day::date`.execute(),
  ])
}

/** Notes a key's first settled net charge ever. */
export function noteFirstPaid(tx: Tx, customers: readonly string[]): Promise<unknown> {
  const keys = [...new Set(customers)].sort()
  return tx`
    update customers set first_paid_at = now()
    where pubkey = any(${keys}::text[]) and first_paid_at is null`.execute()
}

/** Grants a tier to one key, or takes the grant back with null. */
export async function setGrantedTier(
  sql: AnySql,
  pubkey: string,
  tier: Tier | null,
  source: GrantSource,
): Promise<void> {
  await ensureCustomers(sql, [pubkey])
  await sql`
    update customers
    set granted_tier = ${tier}, granted_source = ${tier === null ? null : source}
    where pubkey = ${pubkey}`.execute()
}

/** Bans a key from the bot, or lifts the ban. */
export async function setBan(
  sql: AnySql,
  pubkey: string,
  ban: { reason: string } | null,
): Promise<void> {
  await ensureCustomers(sql, [pubkey])
  await sql`
    update customers
    set banned_at = ${ban === null ? null : sql`now()`}, ban_reason = ${ban?.reason ?? null}
    where pubkey = ${pubkey}`.execute()
}

export interface Balance {
  /** Spendable. */
  availableSats: number
  /** With what running jobs and withdrawals hold of it. */
  balanceSats: number
}

export async function readBalances(
  sql: AnySql,
  pubkeys: readonly string[],
): Promise<Map<string, Balance>> {
  const rows = await sql<(Balance & { pubkey: string })[]>`
    select
      k.pubkey,
      coalesce(c.balance_sats, 0) as available_sats,
      coalesce(c.balance_sats, 0)
      + coalesce((
        select sum(j.paid_sats) from jobs j
        where j.customer = k.pubkey and j.paid_from = 'balance' and j.finished_at is null
      ), 0)
      + coalesce((
        select sum(w.held_sats) from withdrawals w where w.customer = k.pubkey
      ), 0) as balance_sats
    from unnest(${[...pubkeys]}::text[]) k (pubkey)
    left join customers c on c.pubkey = k.pubkey`.execute()
  return new Map(rows.map(({ pubkey, ...balance }) => [pubkey, balance]))
}
