import { ALL_SATS } from '../limits.ts'

/**
 * Amounts are plain numbers that are safe integers: all sats there can be (21e14) lie below 2^53,
 * so sums stay exact. Every amount from outside passes `parseSats` or `isSats` once, at its edge.
 */

const DIGITS = /^(?:0|[1-9][0-9]*)$/
/** ALL_SATS has 16 digits; a longer text is refused before the pattern reads it. */
const DIGITS_MAX = 16

/** True for a whole number of sats from 0 to all there are. */
export function isSats(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= ALL_SATS
}

/**
 * Stops on an amount no correct caller can have. `name` says which one it was.
 * @throws RangeError when `value` is no whole number from 0 to ALL_SATS: a bug, never bad input.
 */
export function assertSats(value: number, name: string): void {
  if (!isSats(value)) throw new RangeError(`${name} is ${value}, which is no amount of sats`)
}

/**
 * Reads an amount typed by a customer or an operator: plain decimal digits, no sign, no leading
 * zero, at most ALL_SATS. Null for anything else; `Number` would take '' as 0 and '0x10' as 16.
 */
export function parseSats(text: string): number | null {
  if (text.length > DIGITS_MAX || !DIGITS.test(text)) return null
  const sats = Number(text)
  return sats <= ALL_SATS ? sats : null
}

/** `pct` % of `sats`, rounded down, exact. `pct` is a whole number from 0 to 100. */
export function floorPct(sats: number, pct: number): number {
  return floorShare(sats, pct, 100)
}

/**
 * Ratios are kept to six decimals, so that 0.29 of 100 is 29 and not the 28 of binary fractions.
 */
const RATIO_PARTS = 1_000_000

/** `ratio` × `sats`, rounded down, exact. `ratio` is 0 to 1 and read to six decimals. */
export function floorRatio(sats: number, ratio: number): number {
  return floorShare(sats, Math.round(ratio * RATIO_PARTS), RATIO_PARTS)
}

/**
 * sats × parts / whole, rounded down. The product itself could pass 2^53, so whole multiples are
 * taken out first; what remains is below `whole` squared.
 */
function floorShare(sats: number, parts: number, whole: number): number {
  const rest = sats % whole
  return ((sats - rest) / whole) * parts + Math.floor((rest * parts) / whole)
}
