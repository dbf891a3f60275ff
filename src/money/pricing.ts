import { INVOICE_SATS } from '../limits.ts'
import { parseDecimal } from './decimal.ts'
import { isTokenCount, type PricedModel } from './model-rate.ts'

/**
 * Prices in exact integer arithmetic. Every rounding goes up to the next sat and every reading of a
 * BTC rate down to the next micro-USD: the customer is never favoured by a rounding, and never pays
 * more than one sat for it.
 */

export interface Estimate {
  /** 1 to INVOICE_SATS. */
  estimatedSats: number
  inputTokens: number
  /** Worst case: the cap that is handed to the backend; 0 for a flat model without a cap. */
  outputTokens: number
}

/**
 * Why there is no price; the codes are those of the JSON door. `malformed` is a token count that is
 * none.
 */
export interface PriceRefusal {
  refused: 'no_rate' | 'amount_out_of_range' | 'malformed'
}

/** Token counts as the backend reports them. */
export interface Usage {
  inputTokens: number
  outputTokens: number
}

export interface Cost {
  /** What the customer's side is settled at: never above the quote, at least 1 sat. */
  actualSats: number
  /** The true cost with margin, sats; above `actualSats` where a backend broke its cap. */
  trueSats: number
  /** `estimate` where the backend reported no usage, or nonsense: such a job costs its quote. */
  from: 'usage' | 'estimate'
}

/**
 * The price of a request before the work: input tokens as counted and the whole output cap, at the
 * model's rates, plus margin, rounded up, at least 1 sat. `usdPerBtc` is a decimal above zero, null
 * when there is no trustworthy one; flat models need none. Refuses rather than guesses.
 */
export function estimateRequestCost({
  inputTokens,
  model,
  usdPerBtc,
  marginPct,
}: {
  inputTokens: number
  model: PricedModel
  usdPerBtc: number | string | null
  /** Whole percent. */
  marginPct: number
}): Estimate | PriceRefusal {
  if (!isTokenCount(inputTokens)) return { refused: 'malformed' }
  const outputTokens = model.maxOutputTokens ?? 0
  const sats = costSatsRoundingUp({ inputTokens, outputTokens, model, usdPerBtc, marginPct })
  if (sats === null) return { refused: 'no_rate' }
  if (sats > INVOICE_SATS) return { refused: 'amount_out_of_range' }
  return { estimatedSats: Number(sats), inputTokens, outputTokens }
}

/**
 * The cost of finished work at the rates stored in the job. Usage that is missing or no count
 * settles at the quote, never at zero: a backend that forgets to report would work for nothing.
 */
export function actualCost({
  usage,
  model,
  usdPerBtc,
  marginPct,
  quoteSats,
}: {
  usage: Usage | null | undefined
  model: PricedModel
  usdPerBtc: number | string | null
  marginPct: number
  /** The estimate the customer was quoted. */
  quoteSats: number
}): Cost {
  const sats =
    usage && isTokenCount(usage.inputTokens) && isTokenCount(usage.outputTokens)
      ? costSatsRoundingUp({ ...usage, model, usdPerBtc, marginPct })
      : null
  if (sats === null || sats > BigInt(Number.MAX_SAFE_INTEGER)) {
    return { actualSats: quoteSats, trueSats: quoteSats, from: 'estimate' }
  }
  const trueSats = Number(sats)
  return { actualSats: Math.min(trueSats, quoteSats), trueSats, from: 'usage' }
}

/** Micro-USD per BTC, rounded down, or null for a rate that is not above zero. */
export function usdMicrosPerBtcRoundingDown(usdPerBtc: number | string | null): number | null {
  if (usdPerBtc === null) return null
  const micros = parseDecimal(usdPerBtc, { decimals: 6, cut: true })
  return micros === null || micros === 0 ? null : micros
}

/**
 * tokens × pico-USD = picos; picos × (100 + margin) / 100 × 10^8 sats per BTC ÷ (micros per BTC ×
 * 10^6 picos per micro): the powers of ten cancel, and what is left is one division, rounded up.
 */
function costSatsRoundingUp({
  inputTokens,
  outputTokens,
  model,
  usdPerBtc,
  marginPct,
}: Usage & {
  model: PricedModel
  usdPerBtc: number | string | null
  marginPct: number
}): bigint | null {
  if ('satsPerRequest' in model) return BigInt(model.satsPerRequest)
  const usdMicrosPerBtc = usdMicrosPerBtcRoundingDown(usdPerBtc)
  if (usdMicrosPerBtc === null) return null
  const picoUsd =
    BigInt(inputTokens) * BigInt(model.inputPicoUsdPerToken) +
    BigInt(outputTokens) * BigInt(model.outputPicoUsdPerToken)
  const sats = divideRoundingUp(picoUsd * BigInt(100 + marginPct), BigInt(usdMicrosPerBtc))
  return sats < 1n ? 1n : sats
}

function divideRoundingUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor
}
