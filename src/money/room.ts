import { floorPct, floorRatio, isSats } from './sats.ts'

export interface RoomInput {
  /** Daily budget of the key's tier. */
  budgetSats: number
  /** Taken by this key today (UTC): settled grants and reservations that are still open. */
  absorbedTodaySats: number
  /**
   * For an earned tier only; leave it out for a granted one. Net paid and grants are summed over
   * the same 90 days: a longer window for what was paid would let a key spend it twice. Grants
   * include open reservations and the shortfalls of this key's kept promises.
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
}

/** What is left of each term, sats, never negative; `ratioSats` is null where the ratio does not bind. */
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
  const own = input.ownPromiseSats ?? 0
  const { breaker, ratio } = input
  const terms: RoomTerms = {
    budgetSats: left(input.budgetSats, input.absorbedTodaySats, own),
    ratioSats: ratio ? ratioLeft(ratio, own) : null,
    poolSats: left(input.poolSats, 0, 0),
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

function ratioLeft(ratio: NonNullable<RoomInput['ratio']>, own: number): number {
  const { netPaidSats90, grantsSats90, earnedGrantRatio } = ratio
  if (!isSats(netPaidSats90) || !(earnedGrantRatio >= 0 && earnedGrantRatio <= 1)) return 0
  return left(floorRatio(netPaidSats90, earnedGrantRatio), grantsSats90, own)
}

function breakerLeft({ openingSats, outflowPct, usedSats }: RoomInput['breaker']): number {
  if (!isSats(openingSats) || !(outflowPct >= 0 && outflowPct <= 100)) return 0
  return left(floorPct(openingSats, outflowPct), usedSats, 0)
}

function left(capSats: number, takenSats: number, ownSats: number): number {
  if (!isSats(capSats) || !isSats(takenSats) || !isSats(ownSats)) return 0
  return Math.max(0, capSats - takenSats - ownSats)
}
