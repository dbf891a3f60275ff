import { floorPct } from '../money/sats.ts'
import type { MoneyRules } from '../money/rules.ts'
import type { Tier } from '../money/tiers.ts'
import type { AnySql } from '../store/database.ts'
import {
  dailyBudgets,
  type PoolFacts,
  type PoolToday,
  readPool,
  readPoolToday,
} from '../store/pool.ts'
import type { PoolState } from './pool-status.ts'

/** What an operator and the world are told about the pool, of one instant. */
export interface Figures {
  pool: PoolFacts
  today: PoolToday
  budgets: Record<Tier, number>
  /** The breaker: what may leave the pool in this UTC day. */
  outflowLimitSats: number
}

/** Read them in one snapshot or transaction, or they are of two instants. */
export async function figuresIn(tx: AnySql, rules: MoneyRules): Promise<Figures> {
  const [pool, today] = await Promise.all([readPool(tx), readPoolToday(tx)])
  return {
    pool,
    today,
    budgets: dailyBudgets(pool, rules),
    outflowLimitSats: floorPct(pool.openingSats, rules.poolDailyOutflowPct),
  }
}

/** Below this share of the day's outflow, per cent, free work is nearly used up. */
const NEARLY_PCT = 20

/**
 * The state of the pool as customers meet it. `degraded` is what the surroundings do: LNbits or every relay is
 * out of reach, or LNbits does not have what the books say.
 */
export function stateOf(
  { pool, outflowLimitSats }: Figures,
  { degraded = false }: { degraded?: boolean } = {},
): PoolState {
  if (degraded || pool.lightningStopped) return 'degraded'
  const leftSats = Math.min(pool.balanceSats, outflowLimitSats - pool.absorbedTodaySats)
  if (pool.paused || leftSats <= 0) return 'paid-only'
  return leftSats * 100 < outflowLimitSats * NEARLY_PCT ? 'limited' : 'open'
}
