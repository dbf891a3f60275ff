import type { ReplyOf } from '../doors/protocol.ts'
import { english } from '../doors/texts-en.ts'
import type { MoneyRules } from '../money/rules.ts'
import {
  earnedThresholdSats,
  FIRST_PAID_AGE_SECONDS,
  PAID_DAYS_MIN,
  type Tier,
  tiers,
} from '../money/tiers.ts'
import type { CustomerFacts } from '../store/customers.ts'
import type { PoolFacts } from '../store/pool.ts'
import { standingOf } from './standing.ts'

/** Explains a tier term by term, with the very figures a decision would use now. */
export function whyReply(facts: CustomerFacts, pool: PoolFacts, rules: MoneyRules): ReplyOf<'why'> {
  const standing = standingOf(facts, pool, rules)
  const { terms } = standing.room
  const ageSeconds = facts.firstPaidAt === null ? undefined : pool.nowSeconds - facts.firstPaidAt
  return {
    type: 'why',
    tier: standing.tier,
    source: standing.source,
    budgetSats: standing.budgetSats,
    absorbedTodaySats: facts.absorbedTodaySats,
    roomSats: pool.paused || standing.banned ? 0 : standing.room.roomSats,
    terms: {
      budgetLeftSats: terms.budgetSats,
      ...(terms.ratioSats === null ? {} : { ratioLeftSats: terms.ratioSats }),
      poolSats: terms.poolSats,
      breakerLeftSats: terms.breakerSats,
      netPaidSats: facts.netPaidSats90,
      grantsSats: facts.grantsSats90,
      paidDays: facts.paidDays,
      ...(ageSeconds === undefined
        ? {}
        : { firstPaidDaysAgo: Math.max(0, Math.floor(ageSeconds / 86_400)) }),
    },
    next: standing.banned
      ? english.servesNot.banned
      : `${pool.paused ? `${english.servesNot.paused} ` : ''}${nextStep(standing.tier, facts, ageSeconds)}`,
  }
}

/** What would raise the tier by paying. */
function nextStep(tier: Tier, facts: CustomerFacts, ageSeconds: number | undefined): string {
  const next = tiers[tiers.indexOf(tier) + 1]
  if (next === undefined || next === 'new') {
    return english.nextTier({ next: null, missingSats: 0, missingPaidDays: 0, missingAgeDays: 0 })
  }
  const missingSeconds = FIRST_PAID_AGE_SECONDS - (ageSeconds ?? 0)
  return english.nextTier({
    next,
    missingSats: Math.max(0, earnedThresholdSats[next] - facts.netPaidSats90),
    missingPaidDays: Math.max(0, PAID_DAYS_MIN - facts.paidDays),
    missingAgeDays: Math.max(0, Math.ceil(missingSeconds / 86_400)),
  })
}
