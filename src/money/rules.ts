import { isSats } from './sats.ts'
import { type Tier, tiers } from './tiers.ts'

/** The money rules an operator can set. Amounts in sats, percents are whole numbers. */
export interface MoneyRules {
  /** Most the pool absorbs for one key per UTC day, by tier. */
  budgets: Record<Tier, number>
  /** What the pool is given once, on first boot. */
  poolSeedSats: number
  /** Part of every net settled charge that the pool gets, percent, rounded down. */
  poolCreditPct: number
  /** Most of the day's opening pool that may leave per UTC day, percent. */
  poolDailyOutflowPct: number
  /** Most of its net paid sats that an earned tier gets back as grants, 0 to 1, six decimals. */
  earnedGrantRatio: number
  /** What is added to the cost of the backend, percent. */
  marginPct: number
}

export const defaultMoneyRules: MoneyRules = {
  budgets: { new: 0, established: 50, trusted: 200, elite: 1_000 },
  poolSeedSats: 10_000,
  poolCreditPct: 10,
  poolDailyOutflowPct: 10,
  earnedGrantRatio: 0.25,
  marginPct: 40,
}

/** Margins above this are a typing error: eleven times the cost. */
const MARGIN_PCT_MAX = 1_000

/**
 * What is wrong with these rules, one sentence each in the words of the settings; empty when they
 * hold. Budgets need not grow with the tier. That of `new` is 0 and stays so, because a new key
 * costs nothing to make: `decide` gates it whatever its budget, and a banned key has this tier.
 */
export function checkMoneyRules(rules: MoneyRules): string[] {
  const problems: string[] = []
  for (const tier of tiers) checkAmount(`BUDGET_${tier.toUpperCase()}`, rules.budgets[tier])
  if (rules.budgets.new > 0) {
    problems.push(`BUDGET_NEW is ${rules.budgets.new}: it must be 0, a new key gets nothing free`)
  }
  checkAmount('POOL_SEED_SATS', rules.poolSeedSats)
  checkPct('POOL_CREDIT_PCT', rules.poolCreditPct, 100)
  checkPct('POOL_DAILY_OUTFLOW_PCT', rules.poolDailyOutflowPct, 100)
  checkPct('MARGIN_PCT', rules.marginPct, MARGIN_PCT_MAX)
  checkRatio(rules.earnedGrantRatio, rules.marginPct)
  return problems

  function checkAmount(name: string, value: number): void {
    if (!isSats(value)) problems.push(`${name} is ${value}: it must be a whole number of sats`)
  }

  function checkPct(name: string, value: number, pctMax: number): void {
    if (!Number.isInteger(value) || value < 0 || value > pctMax) {
      problems.push(`${name} is ${value}: it must be a whole number from 0 to ${pctMax}`)
    }
  }

  /** A ratio above the margin would hand earned keys more than they leave with the operator. */
  function checkRatio(ratio: number, marginPct: number): void {
    if (!(ratio >= 0 && ratio <= 1) || Math.round(ratio * 1e6) / 1e6 !== ratio) {
      problems.push(
        `EARNED_GRANT_RATIO is ${ratio}: it must be from 0 to 1 with at most six decimals`,
      )
    } else if (Math.round(ratio * 1e6) > marginPct * 1e4) {
      problems.push(
        `EARNED_GRANT_RATIO is ${ratio}: it must not be above MARGIN_PCT (${marginPct} %)`,
      )
    }
  }
}
