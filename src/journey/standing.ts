import { type Room, room } from '../money/room.ts'
import type { MoneyRules } from '../money/rules.ts'
import { earnedTier, type Tier, tierOf } from '../money/tiers.ts'
import type { CustomerFacts, GrantSource } from '../store/customers.ts'
import type { PoolFacts } from '../store/pool.ts'

/** Where a key stands at one instant: its tier, why, and what it may still get free. */
export interface Standing {
  tier: Tier
  source: 'earned' | GrantSource
  earned: Tier
  banned: boolean
  budgetSats: number
  room: Room
}

/**
 * Reads a key's standing out of what one transaction saw. The same function serves the decision, the
 * payment and `/why`, so that what is explained is what is done.
 * `paying` leaves out the key's own open promise: it is the one that is being kept.
 */
export function standingOf(
  facts: CustomerFacts,
  pool: PoolFacts,
  rules: MoneyRules,
  { paying = false }: { paying?: boolean } = {},
): Standing {
  const earned = earnedTier({
    netPaidSats90: facts.netPaidSats90,
    firstPaidAt: facts.firstPaidAt,
    paidDays: facts.paidDays,
    nowSeconds: pool.nowSeconds,
  })
  const { tier, source } = tierOf({ earned, granted: facts.grantedTier, banned: facts.banned })
  const budgetSats = pool.budgetOverrides[tier] ?? rules.budgets[tier]
  return {
    tier,
    source: source === 'earned' ? 'earned' : (facts.grantedSource ?? 'granted'),
    earned,
    banned: facts.banned,
    budgetSats,
    room: room({
      budgetSats,
      absorbedTodaySats: facts.absorbedTodaySats,
      ratio:
        source === 'earned'
          ? {
              netPaidSats90: facts.netPaidSats90,
              grantsSats90: facts.grantsSats90,
              earnedGrantRatio: rules.earnedGrantRatio,
            }
          : null,
      poolSats: pool.balanceSats,
      breaker: {
        openingSats: pool.openingSats,
        outflowPct: rules.poolDailyOutflowPct,
        usedSats: pool.absorbedTodaySats,
      },
      ownPromiseSats: paying ? 0 : facts.ownPromiseSats,
      shortfalls: { todaySats: facts.shortfallTodaySats, sats90: facts.shortfallSats90 },
    }),
  }
}
