import type { MoneyRules } from '../money/rules.ts'
import { dailyBudgets, type PoolFacts, type PoolToday } from '../store/pool.ts'

export type PoolState = 'open' | 'paused' | 'empty'

export function poolState(pool: Pick<PoolFacts, 'paused' | 'balanceSats'>): PoolState {
  if (pool.paused) return 'paused'
  return pool.balanceSats === 0 ? 'empty' : 'open'
}

/** The `pool` reply of the JSON door. */
export function poolReply(pool: PoolFacts, today: PoolToday, rules: MoneyRules) {
  const { free, partial, paid, absorbedSats, creditedSats } = today
  return {
    type: 'pool' as const,
    balanceSats: pool.balanceSats,
    state: poolState(pool),
    dailyBudgets: dailyBudgets(pool, rules),
    today: { free, partial, paid, absorbedSats, creditedSats },
  }
}
