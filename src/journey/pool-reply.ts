import type { MoneyRules } from '../money/rules.ts'
import { type Tier, tiers } from '../money/tiers.ts'
import type { PoolFacts, PoolToday } from '../store/pool.ts'

/** Budgets in force: the settings, overridden by what the operator switched at run time. */
export function dailyBudgets(pool: PoolFacts, rules: MoneyRules): Record<Tier, number> {
  const budgets = { ...rules.budgets }
  for (const tier of tiers) budgets[tier] = pool.budgetOverrides[tier] ?? budgets[tier]
  return budgets
}

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
