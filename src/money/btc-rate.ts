import { usdMicrosPerBtcRoundingDown } from './pricing.ts'

/** A BTC rate and when it was read, Unix seconds. */
export interface BtcRate {
  usdPerBtc: number
  atSeconds: number
}

export type BtcRateJudgement =
  | { taken: true; rate: BtcRate }
  | { taken: false; reason: 'no_number' | 'out_of_bounds' | 'jump' }

/** A factor of a hundred to each side of what BTC costs: beyond it a feed has lost its unit. */
export const USD_PER_BTC_MIN = 1_000
export const USD_PER_BTC_MAX = 10_000_000
/**
 * Oldest rate that still prices a request, seconds: the market moves a margin away in a day, not in
 * this.
 */
export const BTC_RATE_AGE_SECONDS = 600
/** A rate may move by a tenth, and by another tenth for each of these seconds since it was read. */
export const BTC_RATE_STEP_SECONDS = 600

const STEPS_MAX = 1_000

/**
 * Whether a newly read rate replaces the held one. A jump is refused rather than believed, because
 * one wrong reading would sell work at a hundredth of its cost; the step allowed grows with the age
 * of the held rate, so that a real move, or a night without a feed, needs nobody's hand.
 */
export function judgeBtcRate({
  held,
  usdPerBtc,
  nowSeconds,
}: {
  held: BtcRate | null
  usdPerBtc: number
  nowSeconds: number
}): BtcRateJudgement {
  const micros = usdMicrosPerBtcRoundingDown(usdPerBtc)
  if (micros === null) return { taken: false, reason: 'no_number' }
  if (usdPerBtc < USD_PER_BTC_MIN || usdPerBtc > USD_PER_BTC_MAX) {
    return { taken: false, reason: 'out_of_bounds' }
  }
  if (held !== null && isJump(held, micros, nowSeconds)) return { taken: false, reason: 'jump' }
  return { taken: true, rate: { usdPerBtc, atSeconds: nowSeconds } }
}

/** The held rate while it is young enough to price with, else null: then USD prices are refused. */
export function freshBtcRate({
  held,
  nowSeconds,
}: {
  held: BtcRate | null
  nowSeconds: number
}): BtcRate | null {
  return held !== null && nowSeconds - held.atSeconds <= BTC_RATE_AGE_SECONDS ? held : null
}

/** Measured against the smaller of the two, so that up and down are the same distance. */
function isJump(held: BtcRate, micros: number, nowSeconds: number): boolean {
  const heldMicros = usdMicrosPerBtcRoundingDown(held.usdPerBtc) ?? micros
  const elapsedSteps = Math.floor((nowSeconds - held.atSeconds) / BTC_RATE_STEP_SECONDS)
  const tenths = 1 + Math.min(STEPS_MAX, Math.max(0, elapsedSteps))
  return Math.max(micros, heldMicros) * 10 > Math.min(micros, heldMicros) * (10 + tenths)
}
