import { isSats } from './sats.ts'

/** From no trust to most. The order is the rank: `higherTier` reads it. */
export const tiers = ['new', 'established', 'trusted', 'elite'] as const

export type Tier = (typeof tiers)[number]

/**
 * Where a tier comes from. A granted one is the operator's gift, so the earned-grant ratio spares
 * it.
 */
export type TierSource = 'earned' | 'granted'

/**
 * Net settled sats in 90 days that earn a tier. They limit the rate of grants; the ratio is the
 * safety.
 */
export const earnedThresholdSats = { established: 500, trusted: 2_000, elite: 10_000 } as const

/** Window of net paid sats, paid days and grants. One for all three: see `room`. */
export const TRUST_WINDOW_DAYS = 90
/** Age of the first settled payment that an earned tier needs, seconds (7 days). */
export const FIRST_PAID_AGE_SECONDS = 7 * 86_400
/** Distinct UTC days with a settled payment that an earned tier needs. */
export const PAID_DAYS_MIN = 3

export function higherTier(a: Tier, b: Tier): Tier {
  return tiers.indexOf(a) >= tiers.indexOf(b) ? a : b
}

export function isTier(value: unknown): value is Tier {
  return tiers.some((tier) => tier === value)
}

export interface PaidHistory {
  /**
   * Net settled sats (charged, refunds taken off) of the last 90 days. Top-ups are no settled sats.
   */
  netPaidSats90: number
  /** Unix seconds of the first settled payment ever; absent when there is none. */
  firstPaidAt?: number | null | undefined
  /** Distinct UTC days of the last 90 with a settled payment. */
  paidDays: number
  /** Unix seconds by the database's clock. */
  nowSeconds: number
}

/**
 * The tier a key has paid for. Only net settled sats, the age of the first settled payment and
 * distinct paid days count, because everything else (key age, followers, job counts, gross amounts)
 * is free to fake. A history that makes no sense earns nothing.
 */
export function earnedTier({
  netPaidSats90,
  firstPaidAt,
  paidDays,
  nowSeconds,
}: PaidHistory): Tier {
  if (!isSats(netPaidSats90) || !(paidDays >= PAID_DAYS_MIN)) return 'new'
  if (firstPaidAt === null || firstPaidAt === undefined) return 'new'
  if (!(nowSeconds - firstPaidAt >= FIRST_PAID_AGE_SECONDS)) return 'new'
  if (netPaidSats90 >= earnedThresholdSats.elite) return 'elite'
  if (netPaidSats90 >= earnedThresholdSats.trusted) return 'trusted'
  if (netPaidSats90 >= earnedThresholdSats.established) return 'established'
  return 'new'
}

/**
 * The tier that counts: the higher of earned and granted, and `new` for a banned key whatever it
 * has. Of two equal tiers the granted one is the source, because it gives the key more: its grants
 * are bound by budget, pool and breaker but not by what the key has paid.
 */
export function tierOf({
  earned,
  granted,
  banned,
}: {
  earned: Tier
  granted: Tier | null
  banned: boolean
}): { tier: Tier; source: TierSource } {
  if (banned) return { tier: 'new', source: 'earned' }
  if (granted === null || higherTier(granted, earned) !== granted) {
    return { tier: earned, source: 'earned' }
  }
  return { tier: granted, source: 'granted' }
}
