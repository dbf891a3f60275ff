import fc from 'fast-check'
import { expect, test } from 'vitest'
import { INVOICE_SATS } from '../../../src/limits.ts'
import { type PricedModel, parseModelRate } from '../../../src/money/model-rate.ts'
import { actualCost, estimateRequestCost } from '../../../src/money/pricing.ts'
import { seededFractions } from '../../support/money-random.ts'
import { holds, sweepFactor, sweepName, sweepSeed } from '../../support/money-sweep.ts'
import { say } from '../../support/seeded.ts'

/**
 * A price by the definition, in exact rationals and in the units of the sentence: USD per million
 * tokens, percent, USD per BTC. It shares no constant and no step with the code it is compared to.
 */
interface Rational {
  top: bigint
  bottom: bigint
}
const rational = (decimal: string): Rational => {
  const [whole = '0', fraction = ''] = decimal.split('.')
  return { top: BigInt(whole + fraction), bottom: 10n ** BigInt(fraction.length) }
}
const times = (a: Rational, b: Rational) => ({ top: a.top * b.top, bottom: a.bottom * b.bottom })
const over = (a: Rational, b: Rational) => ({ top: a.top * b.bottom, bottom: a.bottom * b.top })
const plus = (a: Rational, b: Rational) => ({
  top: a.top * b.bottom + b.top * a.bottom,
  bottom: a.bottom * b.bottom,
})
const ceiling = ({ top, bottom }: Rational) => top / bottom + (top % bottom === 0n ? 0n : 1n)
const whole = (value: number): Rational => ({ top: BigInt(value), bottom: 1n })

function satsByDefinition(asked: {
  inputTokens: number
  outputTokens: number
  inputUsd: string
  outputUsd: string
  usdPerBtc: string
  marginPct: number
}): bigint {
  const tokensUsd = plus(
    times(whole(asked.inputTokens), rational(asked.inputUsd)),
    times(whole(asked.outputTokens), rational(asked.outputUsd)),
  )
  const costUsd = over(tokensUsd, whole(1_000_000))
  const margin = plus(whole(1), over(whole(asked.marginPct), whole(100)))
  const priceBtc = over(times(costUsd, margin), rational(asked.usdPerBtc))
  const sats = ceiling(times(priceBtc, whole(100_000_000)))
  return sats > 1n ? sats : 1n
}

test('prices are those of exact rationals, on random models, rates and counts', () => {
  const cases = 25_000 * sweepFactor
  say(`money pricing: ${sweepName}, ${cases} cases against exact rationals`)
  const random = seededFractions(sweepSeed)
  const below = (limit: number) => Math.floor(random() * limit)
  /** As many digits as chance gives, so that small and large numbers are equally likely. */
  const digits = (most: number) => below(10 ** (1 + below(most)))
  const decimal = (wholeDigits: number) => {
    const fraction = below(7)
    const text = String(digits(wholeDigits))
    return fraction === 0
      ? text
      : `${text}.${String(below(10 ** fraction)).padStart(fraction, '0')}`
  }
  let priced = 0
  let compared = 0
  for (let at = 0; at < cases; at++) {
    const inputUsd = decimal(4)
    const outputUsd = decimal(4)
    const maxOutputTokens = 1 + digits(6)
    const inputTokens = digits(7)
    const usdPerBtc = `${1 + digits(7)}${decimal(1).slice(1)}`
    const marginPct = digits(3)
    const usage = { inputTokens: digits(7), outputTokens: digits(7) }
    const model = parseModelRate({
      name: 'any',
      inputUsdPerMillion: at % 2 ? inputUsd : Number(inputUsd),
      outputUsdPerMillion: outputUsd,
      maxOutputTokens,
    })
    if ('problem' in model) throw new Error(`${inputUsd} ${outputUsd}: ${model.problem}`)
    const rates = { inputUsd, outputUsd, usdPerBtc, marginPct }
    const wanted = satsByDefinition({ inputTokens, outputTokens: maxOutputTokens, ...rates })
    const got = estimateRequestCost({ inputTokens, model, usdPerBtc, marginPct })
    if (wanted > BigInt(INVOICE_SATS)) {
      if (!('refused' in got)) differs(rates, wanted, got.estimatedSats)
    } else {
      priced++
      if ('refused' in got || BigInt(got.estimatedSats) !== wanted) differs(rates, wanted, got)
    }
    const quoteSats = 1 + digits(7)
    const cost = actualCost({ usage, model, usdPerBtc, marginPct, quoteSats })
    const wantedCost = satsByDefinition({ ...usage, ...rates })
    if (cost.from !== 'usage') {
      if (wantedCost <= BigInt(Number.MAX_SAFE_INTEGER)) differs(rates, wantedCost, cost)
      continue
    }
    compared++
    if (BigInt(cost.trueSats) !== wantedCost) differs(rates, wantedCost, cost)
    if (cost.actualSats !== Math.min(cost.trueSats, quoteSats)) differs(rates, wantedCost, cost)
  }
  // Most cases must be real comparisons, or the generator has drifted out of range.
  expect(priced).toBeGreaterThan(cases / 2)
  expect(compared).toBeGreaterThan(cases / 2)
})

function differs(rates: object, wanted: bigint, got: unknown): never {
  throw new Error(`${JSON.stringify(rates)} is ${wanted} sats, not ${JSON.stringify(got)}`)
}

const tokensModel = fc
  .record({
    inputUsdPerMillion: fc.nat(10_000_000).map((micros) => micros / 1e6),
    outputUsdPerMillion: fc.nat(10_000_000).map((micros) => micros / 1e6),
    maxOutputTokens: fc.integer({ min: 1, max: 5_000 }),
  })
  .map((rate) => parseModelRate({ name: 'any', ...rate }))
  .filter((model): model is PricedModel => !('problem' in model))

test('work within its cap costs no more than its quote', () => {
  holds(
    fc.property(
      tokensModel,
      fc.nat(20_000),
      fc.nat(100),
      fc.integer({ min: 1_000, max: 10_000_000 }),
      fc.nat(1_000),
      (model, inputTokens, part, usdPerBtc, marginPct) => {
        const quote = estimateRequestCost({ inputTokens, model, usdPerBtc, marginPct })
        if ('refused' in quote) throw new Error(quote.refused)
        const cost = actualCost({
          usage: { inputTokens, outputTokens: Math.floor((quote.outputTokens * part) / 100) },
          model,
          usdPerBtc,
          marginPct,
          quoteSats: quote.estimatedSats,
        })
        expect(cost.trueSats).toBeLessThanOrEqual(quote.estimatedSats)
        expect(cost.trueSats).toBe(cost.actualSats)
        expect(cost.actualSats).toBeGreaterThanOrEqual(1)
      },
    ),
  )
})

test('a dearer rate, a longer text or a cheaper BTC never lowers a price', () => {
  holds(
    fc.property(
      tokensModel,
      fc.nat(20_000),
      fc.nat(500),
      fc.integer({ min: 1_000, max: 1_000_000 }),
      fc.nat(100_000),
      (model, inputTokens, more, usdPerBtc, dearer) => {
        const price = (tokens: number, rate: number, marginPct: number) => {
          const estimate = estimateRequestCost({
            inputTokens: tokens,
            model,
            usdPerBtc: rate,
            marginPct,
          })
          return 'refused' in estimate ? Number.NaN : estimate.estimatedSats
        }
        const base = price(inputTokens, usdPerBtc + dearer, 40)
        expect(price(inputTokens + more, usdPerBtc + dearer, 40)).toBeGreaterThanOrEqual(base)
        expect(price(inputTokens, usdPerBtc, 40)).toBeGreaterThanOrEqual(base)
        expect(price(inputTokens, usdPerBtc + dearer, 40 + more)).toBeGreaterThanOrEqual(base)
      },
    ),
  )
})
