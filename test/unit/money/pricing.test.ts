import { describe, expect, test } from 'vitest'
import { parseDecimal } from '../../../src/money/decimal.ts'
import {
  isTokenCount,
  type ModelRate,
  type PricedModel,
  parseModelRate,
  TOKENS_MAX,
} from '../../../src/money/model-rate.ts'
import {
  actualCost,
  estimateRequestCost,
  usdMicrosPerBtcRoundingDown,
} from '../../../src/money/pricing.ts'

describe('decimals', () => {
  test.each<[string | number, number]>([
    ['0', 0],
    ['1', 1_000_000],
    [1, 1_000_000],
    ['0.075', 75_000],
    [0.075, 75_000],
    [0.1, 100_000],
    ['0.000001', 1],
    ['1.000000', 1_000_000],
    ['1.0000000000', 1_000_000],
    [97_123.45, 97_123_450_000],
    ['9007199254.740991', Number.MAX_SAFE_INTEGER],
  ])('%j is read exactly', (value, units) => {
    expect(parseDecimal(value, { decimals: 6, cut: false })).toBe(units)
    expect(parseDecimal(value, { decimals: 6, cut: true })).toBe(units)
  })

  test.each<string | number>([
    '',
    ' 1',
    '1 ',
    '-1',
    '+1',
    '.5',
    '5.',
    '01',
    '1e3',
    1e21,
    1e-7,
    -1,
    NaN,
    Infinity,
    '0x10',
    '1,5',
    '9007199254.740992',
    `0.${'0'.repeat(31)}`,
    '1'.repeat(33),
  ])('%j is no decimal', (value) => {
    expect(parseDecimal(value, { decimals: 6, cut: false })).toBeNull()
    expect(parseDecimal(value, { decimals: 6, cut: true })).toBeNull()
  })

  test('digits beyond the last are refused, or cut where that is asked for', () => {
    expect(parseDecimal('1.2345678', { decimals: 6, cut: false })).toBeNull()
    expect(parseDecimal('1.2345678', { decimals: 6, cut: true })).toBe(1_234_567)
    expect(parseDecimal('1.9', { decimals: 0, cut: true })).toBe(1)
    expect(parseDecimal(`0.${'0'.repeat(30)}`, { decimals: 6, cut: false })).toBe(0)
    expect(parseDecimal(`0.${'0'.repeat(6)}1`, { decimals: 6, cut: false })).toBeNull()
  })
})

const model = (part: Partial<{ in: string | number; out: string | number; cap: number }> = {}) =>
  parseModelRate({
    name: 'small',
    inputUsdPerMillion: part.in ?? '0.15',
    outputUsdPerMillion: part.out ?? 0.6,
    maxOutputTokens: part.cap ?? 1_000,
  })
const priced = (rate: ModelRate): PricedModel => {
  const read = parseModelRate(rate)
  if ('problem' in read) throw new Error(read.problem)
  return read
}

describe('model rates', () => {
  test('rates are read into whole pico-USD a token', () => {
    expect(model()).toEqual({
      name: 'small',
      inputPicoUsdPerToken: 150_000,
      outputPicoUsdPerToken: 600_000,
      maxOutputTokens: 1_000,
    })
    expect(model({ in: 0, out: '10000' })).toMatchObject({
      inputPicoUsdPerToken: 0,
      outputPicoUsdPerToken: 10_000_000_000,
    })
  })

  test('a flat price is kept as it is, with its cap where it has one', () => {
    expect(parseModelRate({ name: 'flat', satsPerRequest: 1 })).toStrictEqual({
      name: 'flat',
      satsPerRequest: 1,
    })
    expect(parseModelRate({ name: 'f', satsPerRequest: 10_000_000, maxOutputTokens: 5 })).toEqual({
      name: 'f',
      satsPerRequest: 10_000_000,
      maxOutputTokens: 5,
    })
  })

  test.each(['-1', '1e3', '', '10000.000001', '0.0000001', NaN, -0.1])(
    'a rate of %j is refused by name',
    (rate) => {
      const rule = 'it must be a decimal from 0 to 10000 with at most six decimals'
      expect(model({ in: rate })).toEqual({ problem: `inputUsdPerMillion is ${rate}: ${rule}` })
      expect(model({ out: rate })).toEqual({ problem: `outputUsdPerMillion is ${rate}: ${rule}` })
    },
  )

  test.each([0, -1, 1.5, NaN, 10_000_001])('a flat price of %d is refused', (satsPerRequest) => {
    expect(parseModelRate({ name: 'flat', satsPerRequest })).toEqual({
      problem: `satsPerRequest is ${satsPerRequest}: it must be a whole number from 1 to 10000000`,
    })
  })

  test.each([0, -1, 1.5, NaN, 10_000_001])('an output cap of %d is refused', (cap) => {
    const problem = `maxOutputTokens is ${cap}: it must be a whole number from 1 to 10000000`
    expect(model({ cap })).toEqual({ problem })
    expect(parseModelRate({ name: 'flat', satsPerRequest: 1, maxOutputTokens: cap })).toEqual({
      problem,
    })
  })

  test('a model without a name is refused', () => {
    expect(parseModelRate({ name: '', satsPerRequest: 1 })).toEqual({ problem: 'name is empty' })
  })

  test('a token count is a whole number within bounds', () => {
    expect([0, 1, TOKENS_MAX].map((value) => isTokenCount(value))).toEqual([true, true, true])
    for (const value of [-1, 0.5, NaN, Infinity, TOKENS_MAX + 1, '1', null, undefined]) {
      expect(isTokenCount(value)).toBe(false)
    }
    expect(isTokenCount(0, 1)).toBe(false)
  })
})

const small = priced({
  name: 'small',
  inputUsdPerMillion: '0.15',
  outputUsdPerMillion: '0.60',
  maxOutputTokens: 1_000,
})
const estimateOf = (part: Partial<Parameters<typeof estimateRequestCost>[0]> = {}) =>
  estimateRequestCost({
    inputTokens: 100,
    model: small,
    usdPerBtc: 100_000,
    marginPct: 40,
    ...part,
  })

describe('estimate', () => {
  // (100 × 0.15 + 1000 × 0.60) / 10^6 USD × 1.4 = 0.000861 USD; a sat is 0.001 USD at 100,000.
  test('a price is tokens × rates × margin in sats, rounded up', () => {
    expect(estimateOf()).toEqual({ estimatedSats: 1, inputTokens: 100, outputTokens: 1_000 })
    expect(estimateOf({ usdPerBtc: 86_100 })).toMatchObject({ estimatedSats: 1 })
    expect(estimateOf({ usdPerBtc: '86099.999999' })).toMatchObject({ estimatedSats: 2 })
    expect(estimateOf({ usdPerBtc: 8_610 })).toMatchObject({ estimatedSats: 10 })
    expect(estimateOf({ usdPerBtc: 8_609.99 })).toMatchObject({ estimatedSats: 11 })
    expect(estimateOf({ usdPerBtc: 6_150, marginPct: 0 })).toMatchObject({ estimatedSats: 10 })
    expect(estimateOf({ usdPerBtc: 6_150, marginPct: 1 })).toMatchObject({ estimatedSats: 11 })
  })

  test('work that costs nothing is priced at one sat', () => {
    const none = priced({
      name: 'none',
      inputUsdPerMillion: 0,
      outputUsdPerMillion: 0,
      maxOutputTokens: 1,
    })
    expect(estimateOf({ model: none })).toMatchObject({ estimatedSats: 1 })
    expect(estimateOf({ inputTokens: 0 })).toMatchObject({ inputTokens: 0, estimatedSats: 1 })
  })

  test('a flat price takes no margin and no BTC rate', () => {
    const flat = priced({ name: 'flat', satsPerRequest: 21 })
    expect(estimateOf({ model: flat, usdPerBtc: null })).toEqual({
      estimatedSats: 21,
      inputTokens: 100,
      outputTokens: 0,
    })
    const capped = priced({ name: 'flat', satsPerRequest: 21, maxOutputTokens: 9 })
    expect(estimateOf({ model: capped, usdPerBtc: null })).toMatchObject({ outputTokens: 9 })
  })

  test.each([null, 0, '0', '0.0000009', -1, NaN, Infinity, '', 'abc', '1e5'])(
    'a BTC rate of %j prices nothing',
    (usdPerBtc) => {
      expect(estimateOf({ usdPerBtc })).toEqual({ refused: 'no_rate' })
      expect(usdMicrosPerBtcRoundingDown(usdPerBtc)).toBeNull()
    },
  )

  test('digits of a BTC rate below a micro-USD are dropped, so that the price goes up', () => {
    expect(usdMicrosPerBtcRoundingDown('97123.4567899')).toBe(97_123_456_789)
    expect(usdMicrosPerBtcRoundingDown(97_123.4567899)).toBe(97_123_456_789)
    expect(usdMicrosPerBtcRoundingDown('0.0000019')).toBe(1)
  })

  test('a price above the largest invoice is refused, to the sat', () => {
    const dear = priced({
      name: 'dear',
      inputUsdPerMillion: 1_000,
      outputUsdPerMillion: 0,
      maxOutputTokens: 1,
    })
    // 10^7 tokens × 0.001 USD = 10,000 USD, which is 10^7 sats at 100,000 USD.
    const ask = { model: dear, inputTokens: 10_000_000, marginPct: 0 }
    expect(estimateOf(ask)).toMatchObject({ estimatedSats: 10_000_000 })
    expect(estimateOf({ ...ask, marginPct: 1 })).toEqual({ refused: 'amount_out_of_range' })
    expect(estimateOf({ ...ask, usdPerBtc: '0.000001' })).toEqual({
      refused: 'amount_out_of_range',
    })
  })

  test.each([-1, 0.5, NaN, Infinity, 10_000_001])('%d input tokens are refused', (inputTokens) => {
    expect(estimateOf({ inputTokens })).toEqual({ refused: 'malformed' })
  })
})

const costOf = (part: Partial<Parameters<typeof actualCost>[0]> = {}) =>
  actualCost({
    usage: { inputTokens: 100, outputTokens: 1_000 },
    model: small,
    usdPerBtc: 861,
    marginPct: 40,
    quoteSats: 100,
    ...part,
  })

describe('actual cost', () => {
  test('usage is priced at the rates of the job', () => {
    expect(costOf()).toEqual({ actualSats: 100, trueSats: 100, from: 'usage' })
    // 15 + 300 micro-USD × 1.4 at 861 USD: 51.2 sats.
    expect(costOf({ usage: { inputTokens: 100, outputTokens: 500 } })).toEqual({
      actualSats: 52,
      trueSats: 52,
      from: 'usage',
    })
    expect(costOf({ usage: { inputTokens: 0, outputTokens: 0 } })).toMatchObject({ actualSats: 1 })
  })

  test('a cost above the quote is told, and not settled with the customer', () => {
    expect(costOf({ usage: { inputTokens: 100, outputTokens: 2_000 } })).toEqual({
      actualSats: 100,
      trueSats: 198,
      from: 'usage',
    })
  })

  test.each([
    null,
    undefined,
    { inputTokens: -1, outputTokens: 5 },
    { inputTokens: 5, outputTokens: NaN },
    { inputTokens: 0.5, outputTokens: 5 },
    { inputTokens: 5, outputTokens: 10_000_001 },
  ])('usage of %j settles at the quote', (usage) => {
    expect(costOf({ usage })).toEqual({ actualSats: 100, trueSats: 100, from: 'estimate' })
  })

  test('a BTC rate that is gone settles at the quote', () => {
    expect(costOf({ usdPerBtc: null })).toMatchObject({ actualSats: 100, from: 'estimate' })
  })

  test('a cost too large for a number settles at the quote', () => {
    const dear = priced({
      name: 'dear',
      inputUsdPerMillion: 10_000,
      outputUsdPerMillion: 0,
      maxOutputTokens: 1,
    })
    const usage = { inputTokens: 10_000_000, outputTokens: 0 }
    expect(costOf({ model: dear, usage, usdPerBtc: '0.000001' })).toEqual({
      actualSats: 100,
      trueSats: 100,
      from: 'estimate',
    })
  })

  test('a flat price is the cost whatever was used', () => {
    const flat = priced({ name: 'flat', satsPerRequest: 21 })
    const usage = { inputTokens: 9, outputTokens: 9 }
    expect(costOf({ model: flat, usage, usdPerBtc: null, quoteSats: 21 })).toEqual({
      actualSats: 21,
      trueSats: 21,
      from: 'usage',
    })
  })
})
