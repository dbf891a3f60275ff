import { INVOICE_SATS } from '../limits.ts'
import { parseDecimal } from './decimal.ts'
import { isSats } from './sats.ts'

/**
 * A model as it stands in `MODELS`: USD per million tokens as decimals ('0.60' or 0.6), or a flat
 * price per request, which is a price and not a cost: no margin is added and no BTC rate is needed.
 */
export type ModelRate =
  | {
      name: string
      inputUsdPerMillion: string | number
      outputUsdPerMillion: string | number
      /** The cap on output handed to the backend, so that the cost cannot pass the quote. */
      maxOutputTokens: number
    }
  | { name: string; satsPerRequest: number; maxOutputTokens?: number | undefined }

/** A model whose rates were read once into whole numbers; safe to keep as JSON in the job. */
export type PricedModel =
  | {
      name: string
      inputPicoUsdPerToken: number
      outputPicoUsdPerToken: number
      maxOutputTokens: number
    }
  | { name: string; satsPerRequest: number; maxOutputTokens?: number | undefined }

/** 1 USD per million tokens is 10^6 pico-USD a token: six decimals of a rate are whole picos. */
const RATE_DECIMALS = 6
/**
 * 10,000 USD per million tokens, thirty times the dearest model on sale: above it a unit is wrong.
 */
const PICO_USD_PER_TOKEN_MAX = 10_000 * 1_000_000
/** Above the output of any model on sale; also keeps every sum of tokens far below 2^53. */
export const TOKENS_MAX = 10_000_000

/**
 * Reads a model's rates exactly, or says in one sentence what is wrong with them. The sentence
 * names the field; the caller names the setting.
 */
export function parseModelRate(rate: ModelRate): PricedModel | { problem: string } {
  const { name, maxOutputTokens } = rate
  if (name === '') return { problem: 'name is empty' }
  if (maxOutputTokens !== undefined && !isTokenCount(maxOutputTokens, 1)) {
    const rule = `it must be a whole number from 1 to ${TOKENS_MAX}`
    return { problem: `maxOutputTokens is ${maxOutputTokens}: ${rule}` }
  }
  if ('satsPerRequest' in rate) {
    const { satsPerRequest } = rate
    if (!isSats(satsPerRequest) || satsPerRequest < 1 || satsPerRequest > INVOICE_SATS) {
      const rule = `it must be a whole number from 1 to ${INVOICE_SATS}`
      return { problem: `satsPerRequest is ${satsPerRequest}: ${rule}` }
    }
    return { name, satsPerRequest, ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }) }
  }
  const inputPicoUsdPerToken = picoUsdPerToken(rate.inputUsdPerMillion)
  if (inputPicoUsdPerToken === null) return badRate('inputUsdPerMillion', rate.inputUsdPerMillion)
  const outputPicoUsdPerToken = picoUsdPerToken(rate.outputUsdPerMillion)
  if (outputPicoUsdPerToken === null) {
    return badRate('outputUsdPerMillion', rate.outputUsdPerMillion)
  }
  return {
    name,
    inputPicoUsdPerToken,
    outputPicoUsdPerToken,
    maxOutputTokens: rate.maxOutputTokens,
  }
}

/** True for a whole number of tokens from `tokensMin` to TOKENS_MAX. */
export function isTokenCount(value: unknown, tokensMin = 0): value is number {
  return (
    typeof value === 'number' &&
    Number.isInteger(value) &&
    value >= tokensMin &&
    value <= TOKENS_MAX
  )
}

function picoUsdPerToken(usdPerMillion: string | number): number | null {
  const pico = parseDecimal(usdPerMillion, { decimals: RATE_DECIMALS, cut: false })
  return pico !== null && pico <= PICO_USD_PER_TOKEN_MAX ? pico : null
}

function badRate(field: string, value: string | number): { problem: string } {
  return {
    problem: `${field} is ${value}: it must be a decimal from 0 to 10000 with at most six decimals`,
  }
}
