import { expect, test } from 'vitest'
import {
  BTC_RATE_AGE_SECONDS,
  BTC_RATE_STEP_SECONDS,
  freshBtcRate,
  judgeBtcRate,
  USD_PER_BTC_MAX,
  USD_PER_BTC_MIN,
} from '../../../src/money/btc-rate.ts'

const NOW = 1_800_000_000
const held = { usdPerBtc: 100_000, atSeconds: NOW }
const judge = (usdPerBtc: number, afterSeconds = 0) =>
  judgeBtcRate({ held, usdPerBtc, nowSeconds: NOW + afterSeconds })

test('the bounds are a factor of a hundred around the market, ten minutes and a tenth', () => {
  expect([USD_PER_BTC_MIN, USD_PER_BTC_MAX]).toEqual([1_000, 10_000_000])
  expect([BTC_RATE_AGE_SECONDS, BTC_RATE_STEP_SECONDS]).toEqual([600, 600])
})

test('the first rate is taken when it is within bounds', () => {
  for (const usdPerBtc of [1_000, 97_123.45, 10_000_000]) {
    expect(judgeBtcRate({ held: null, usdPerBtc, nowSeconds: NOW })).toEqual({
      taken: true,
      rate: { usdPerBtc, atSeconds: NOW },
    })
  }
  for (const usdPerBtc of [999.99, 10_000_000.01, 0.5, 1e9]) {
    expect(judgeBtcRate({ held: null, usdPerBtc, nowSeconds: NOW })).toEqual({
      taken: false,
      reason: 'out_of_bounds',
    })
  }
})

test.each([0, -1, NaN, Infinity, 1e300])('a rate of %d is no number to price with', (usdPerBtc) => {
  expect(judge(usdPerBtc)).toEqual({ taken: false, reason: 'no_number' })
})

test('a rate may move by a tenth, measured against the smaller one', () => {
  expect(judge(110_000)).toMatchObject({ taken: true })
  expect(judge(110_000.01)).toEqual({ taken: false, reason: 'jump' })
  expect(judge(90_909.1)).toMatchObject({ taken: true })
  expect(judge(90_909)).toEqual({ taken: false, reason: 'jump' })
  expect(judge(1_000)).toEqual({ taken: false, reason: 'jump' })
})

test('the step grows by a tenth for each ten minutes without a rate', () => {
  expect(judge(120_000, 599)).toMatchObject({ taken: false })
  expect(judge(120_000, 600)).toEqual({
    taken: true,
    rate: { usdPerBtc: 120_000, atSeconds: NOW + 600 },
  })
  expect(judge(120_000.01, 600)).toMatchObject({ taken: false })
  expect(judge(10_000_000, 600 * 988)).toMatchObject({ taken: false })
  expect(judge(10_000_000, 600 * 989)).toMatchObject({ taken: true })
})

test('a clock that went back allows the least step', () => {
  expect(judge(110_000, -6_000)).toMatchObject({ taken: true })
  expect(judge(110_001, -6_000)).toMatchObject({ taken: false })
})

test('a held rate that is none does not lock a good one out', () => {
  const broken = { usdPerBtc: NaN, atSeconds: NOW }
  expect(judgeBtcRate({ held: broken, usdPerBtc: 100_000, nowSeconds: NOW })).toMatchObject({
    taken: true,
  })
})

test('a rate prices for ten minutes', () => {
  expect(freshBtcRate({ held, nowSeconds: NOW })).toBe(held)
  expect(freshBtcRate({ held, nowSeconds: NOW + 600 })).toBe(held)
  expect(freshBtcRate({ held, nowSeconds: NOW + 601 })).toBeNull()
  expect(freshBtcRate({ held, nowSeconds: NaN })).toBeNull()
  expect(freshBtcRate({ held: null, nowSeconds: NOW })).toBeNull()
})
