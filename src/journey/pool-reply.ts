import type { MoneyRules } from '../money/rules.ts'
import { dailyBudgets, poolState, type PoolFacts, type PoolToday } from '../store/pool.ts'

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
