import type { MoneyRules } from '../money/rules.ts'
import { type Tier, tiers } from '../money/tiers.ts'
import type { AnySql, Tx } from './database.ts'
import { lockPool, post } from './ledger.ts'

/** What a decision needs to know of the pool, read inside its transaction. */
export interface PoolFacts {
  balanceSats: number
  /** UTC day and Unix seconds of the database clock, one for the whole transaction. */
  day: string
  nowSeconds: number
  /** The breaker's base: the pool's balance when the day's first movement came. */
  openingSats: number
  absorbedTodaySats: number
  openPromisesSats: number
  paused: boolean
  /** LNbits and the ledger disagree: nothing is sold for new payments. */
  lightningStopped: boolean
  /** The operator's run-time word on daily budgets, by tier. */
  budgetOverrides: Partial<Record<Tier, number>>
}

/** True while LNbits and the ledger disagree: nothing new is sold and nothing paid out. */
export const lightningStopped = (sql: AnySql) => sql`coalesce((
  select value -> 'stopped' = 'true'::jsonb from timmy_config where key = 'solvency'
), false)`

/** Reads the pool without locking it; inside an accept or a payment, `lockPool` comes first. */
export async function readPool(sql: AnySql): Promise<PoolFacts> {
  const [row] = await sql<
    (Omit<PoolFacts, 'budgetOverrides'> & { budgets: Partial<Record<Tier, number>> | null })[]
  >`
    select
      a.balance_sats,
      to_char(now() at time zone 'utc', 'YYYY-MM-DD') as day,
      floor(extract(epoch from now()))::bigint as now_seconds,
      coalesce(d.opening_sats, a.balance_sats) as opening_sats,
      coalesce(d.absorbed_sats, 0) as absorbed_today_sats,
      coalesce((
        select sum(promised_sats) from jobs
        where promised_sats > 0 and state in ('accepted', 'awaiting_payment')
      ), 0)::bigint as open_promises_sats,
      coalesce((select value = 'true'::jsonb from timmy_config where key = 'pool_paused'), false)
        as paused,
      ${lightningStopped(sql)} as lightning_stopped,
      (select value from timmy_config where key = 'budgets') as budgets
    from accounts a
    left join pool_days d on d.day = (now() at time zone 'utc')::date
    where a.name = 'pool'`.execute()
  if (!row) throw new Error('the pool account is missing: the database was not migrated')
  const { budgets, ...facts } = row
  return { ...facts, budgetOverrides: budgets ?? {} }
}

export interface PoolDayChange {
  day: string
  /** Used when this is the day's first movement. */
  openingSats: number
  absorbedSats?: number
  creditedSats?: number
  shortfallSats?: number
  free?: number
  partial?: number
  paid?: number
}

/** Adds to a day's counters. Call it under the pool lock. */
export function countPoolDay(tx: Tx, change: PoolDayChange): Promise<unknown> {
  const { day, openingSats } = change
  const absorbed = change.absorbedSats ?? 0
  const credited = change.creditedSats ?? 0
  const shortfall = change.shortfallSats ?? 0
  const free = change.free ?? 0
  const partial = change.partial ?? 0
  const paid = change.paid ?? 0
  // Two statements, because the CHECKs look at the row proposed for insertion too, and that one may be
  // negative when a reservation of today comes back.
  return Promise.all([
    tx`
      insert into pool_days (day, opening_sats) values (${day}::text::date, ${openingSats})
      on conflict (day) do nothing`.execute(),
    tx`
      update pool_days set
        absorbed_sats = absorbed_sats + ${absorbed},
        credited_sats = credited_sats + ${credited},
        shortfall_sats = shortfall_sats + ${shortfall},
        free_count = free_count + ${free},
        partial_count = partial_count + ${partial},
        paid_count = paid_count + ${paid}
      where day = ${day}::text::date`.execute(),
  ])
}

/** Seeds the pool on the first boot, once however many daemons boot at the same instant. */
export async function seedPool(tx: Tx, rules: MoneyRules): Promise<boolean> {
  await lockPool(tx)
  const seeded = await tx`
    insert into timmy_config (key, value)
    values ('pool_seeded', jsonb_build_object('at', now(), 'sats', ${rules.poolSeedSats}::bigint))
    on conflict (key) do nothing
    returning key`.execute()
  if (seeded.length === 0) return false
  const { day } = await readPool(tx)
  await post(tx, [
    { kind: 'seed', debit: 'operator', credit: 'pool', sats: rules.poolSeedSats, ref: 'boot', day },
  ])
  await countPoolDay(tx, { day, openingSats: rules.poolSeedSats })
  return true
}

/** Budgets in force: the settings, overridden by what the operator switched at run time. */
export function dailyBudgets(pool: PoolFacts, rules: MoneyRules): Record<Tier, number> {
  const budgets = { ...rules.budgets }
  for (const tier of tiers) budgets[tier] = pool.budgetOverrides[tier] ?? budgets[tier]
  return budgets
}

/** Whether the pool gives: it is paused by the operator, or there is nothing in it. */
export function poolState(
  pool: Pick<PoolFacts, 'paused' | 'balanceSats'>,
): 'open' | 'paused' | 'empty' {
  if (pool.paused) return 'paused'
  return pool.balanceSats === 0 ? 'empty' : 'open'
}

/** The day's figures, for pool status and the `pool` reply. */
export interface PoolToday {
  free: number
  partial: number
  paid: number
  absorbedSats: number
  creditedSats: number
  shortfallSats: number
}

export async function readPoolToday(sql: AnySql): Promise<PoolToday> {
  const [row] = await sql<PoolToday[]>`
    select free_count as free, partial_count as partial, paid_count as paid,
      absorbed_sats, credited_sats, shortfall_sats
    from pool_days where day = (now() at time zone 'utc')::date`.execute()
  return row ?? { free: 0, partial: 0, paid: 0, absorbedSats: 0, creditedSats: 0, shortfallSats: 0 }
}

/** Writes what the operator switches at run time. A value that is there already changes no row. */
export async function setConfig(sql: AnySql, key: string, value: unknown): Promise<void> {
  await sql`
    insert into timmy_config (key, value) values (${key}, ${JSON.stringify(value)}::text::jsonb)
    on conflict (key) do update set value = excluded.value, updated_at = now()
    where timmy_config.value is distinct from excluded.value`.execute()
}
