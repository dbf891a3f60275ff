const DECIMAL = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/
/** Longer texts are refused before the pattern reads them; no rate has more digits than this. */
const DECIMAL_CHARS = 32

/**
 * Reads a plain decimal ('0.075', 12) as whole units of 10^-`decimals`, exactly: a number is read
 * by its shortest decimal text, which is what its writer meant, not by its binary fraction. Digits
 * beyond `decimals` are dropped (rounded down) where `cut` says so and refused otherwise. Null for
 * signs, exponents, NaN, or a result above 2^53 − 1.
 */
export function parseDecimal(
  value: string | number,
  { decimals, cut }: { decimals: number; cut: boolean },
): number | null {
  const text = String(value)
  const parts = text.length <= DECIMAL_CHARS ? DECIMAL.exec(text) : null
  if (parts === null) return null
  const [, whole = '', fraction = ''] = parts
  if (!cut && /[1-9]/.test(fraction.slice(decimals))) return null
  const units = Number(whole + fraction.slice(0, decimals).padEnd(decimals, '0'))
  return Number.isSafeInteger(units) ? units : null
}
