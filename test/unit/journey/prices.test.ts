import { expect, test } from 'vitest'
import { createPrices } from '../../../src/journey/prices.ts'

const model = {
  ...{ name: 'm', inputUsdPerMillion: 1_000, outputUsdPerMillion: 1_000 },
  maxOutputTokens: 100,
}

/** The rate is what it is when it is asked for. */
function pricesAt(rate: { usdPerBtc: number }) {
  return createPrices({
    ...{ models: [model], marginPct: 0, countTokens: (text: string) => text.length },
    rate: { current: async () => rate },
  })
}

// A refund at the rate of later would be a free option on the price of bitcoin.
test('work is settled at the rate of its quote, wherever the rate has gone since', async () => {
  const rate = { usdPerBtc: 100_000 }
  const prices = pricesAt(rate)
  const quoted = await prices.estimateRequestCost('x'.repeat(10), 'm')
  if ('refused' in quoted) throw new Error(quoted.refused)
  expect(quoted).toMatchObject({ estimatedSats: 110, usdPerBtc: 100_000 })
  rate.usdPerBtc = 50_000
  const usage = { input: 10, output: 40 }
  expect(prices.actual(quoted, usage)).toEqual({ actualSats: 50, usage })
})

test('work without usage costs its quote, and so does work of a model that is gone', async () => {
  const prices = pricesAt({ usdPerBtc: 100_000 })
  const quoted = await prices.estimateRequestCost('x'.repeat(10), undefined)
  if ('refused' in quoted) throw new Error(quoted.refused)
  expect(prices.actual(quoted, null).actualSats).toBe(110)
  const gone = { ...quoted, model: 'gone' }
  expect(prices.actual(gone, { input: 1, output: 1 }).actualSats).toBe(110)
})
