import { floorPct, floorRatio, isSats } from './sats.ts'

export interface RoomInput {
  /** Daily budget of the key's tier. */
  budgetSats: number
  /** Taken by this key today (UTC): settled grants and reservations that are still open. */
  absorbedTodaySats: number
  /**
   * For an earned tier only; leave it out for a granted one. Net paid and grants (open reservations
   * included) are summed over the same 90 days: a longer window for what was paid would let a key
   * spend it twice.
   */
  ratio?:
    | { netPaidSats90: number; grantsSats90: number; earnedGrantRatio: number }
    | null
    | undefined
  poolSats: number
  /**
   * `openingSats` is the pool when the UTC day began (the seed, on the day of the seed), `usedSats`
   * what was reserved today less what of it came back.
   */
  breaker: { openingSats: number; outflowPct: number; usedSats: number }
  /**
   * What this key's own open invoice promises. It counts against budget and ratio, so that a key
   * cannot spend the same room once as free work and once by paying the discounted invoice.
   */
  ownPromiseSats?: number | undefined
  /**
   * What the operator paid for this key's promises when the pool did not reach: today, and in the
   * 90 days of the ratio; null where there was none. It counts like a grant. Otherwise keys that
   * empty the pool for each other between promise and payment get the ratio over and over at the
   * operator's cost.
   */
  shortfalls: { todaySats: number; sats90: number } | null
}

/**
 * What is left of each term, sats, never negative; `ratioSats` is null where the ratio does not
 * bind.
 */
export interface RoomTerms {
  budgetSats: number
  ratioSats: number | null
  poolSats: number
  breakerSats: number
}

export interface Room {
  /** What the key may still get free now: the least of the terms. */
  roomSats: number
  terms: RoomTerms
}

/**
 * The room of a key: the least of its budget, its ratio, the pool and the breaker. Never negative,
 * never above a term. A number that is no amount of sats closes its term, so that a bug upstream
 * gives nothing away.
 */
export function room(input: RoomInput): Room {
  const { breaker, ratio, ownPromiseSats = 0, shortfalls } = input
  const terms: RoomTerms = {
    budgetSats: left(
      input.budgetSats,
      input.absorbedTodaySats,
      ownPromiseSats,
      shortfalls?.todaySats ?? 0,
    ),
    ratioSats: ratio ? ratioLeft(ratio, ownPromiseSats, shortfalls?.sats90 ?? 0) : null,
    poolSats: left(input.poolSats, 0, 0, 0),
    breakerSats: breakerLeft(breaker),
  }
  return {
    roomSats: Math.min(
      terms.budgetSats,
      terms.ratioSats ?? terms.budgetSats,
      terms.poolSats,
      terms.breakerSats,
    ),
    terms,
  }
}

function ratioLeft(
  { netPaidSats90, grantsSats90, earnedGrantRatio }: NonNullable<RoomInput['ratio']>,
  ownPromiseSats: number,
  shortfallSats: number,
): number {
  if (!isSats(netPaidSats90) || !(earnedGrantRatio >= 0 && earnedGrantRatio <= 1)) return 0
  const capSats = floorRatio(netPaidSats90, earnedGrantRatio)
  return left(capSats, grantsSats90, ownPromiseSats, shortfallSats)
}

function breakerLeft({ openingSats, outflowPct, usedSats }: RoomInput['breaker']): number {
  if (!isSats(openingSats) || !(outflowPct >= 0 && outflowPct <= 100)) return 0
  return left(floorPct(openingSats, outflowPct), usedSats, 0, 0)
}

function left(capSats: number, takenSats: number, promisedSats: number, shortSats: number): number {
  const sound = isSats(capSats) && isSats(takenSats) && isSats(promisedSats) && isSats(shortSats)
  return sound ? Math.max(0, capSats - takenSats - promisedSats - shortSats) : 0
}
