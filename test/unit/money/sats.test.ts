import { expect, test } from 'vitest'
import { ALL_SATS } from '../../../src/limits.ts'
import { assertSats, floorPct, floorRatio, isSats, parseSats } from '../../../src/money/sats.ts'

test.each([
  ['0', 0],
  ['1', 1],
  ['10', 10],
  ['2100000000000000', ALL_SATS],
])('%j is an amount', (text, sats) => {
  expect(parseSats(text)).toBe(sats)
})

test.each([
  '',
  ' ',
  ' 5',
  '5 ',
  '5\n',
  '-1',
  '-0',
  '+1',
  '1.5',
  '1.0',
  '.5',
  '5.',
  '1e3',
  '0x10',
  '0b1',
  '00',
  '007',
  '1_000',
  '1,000',
  'NaN',
  'Infinity',
  '٣',
  '５',
  '5sats',
  '2100000000000001',
  '9007199254740993',
  '99999999999999999999999999',
])('%j is no amount', (text) => {
  expect(parseSats(text)).toBeNull()
})

test('an amount is a whole number from 0 to all sats', () => {
  for (const value of [0, 1, ALL_SATS]) expect(isSats(value)).toBe(true)
  for (const value of [-1, 0.5, NaN, Infinity, -Infinity, ALL_SATS + 1, '1', 1n, null, undefined]) {
    expect(isSats(value)).toBe(false)
  }
})

test('a wrong amount stops the caller and names itself', () => {
  expect(() => assertSats(0, 'paidSats')).not.toThrow()
  expect(() => assertSats(ALL_SATS, 'paidSats')).not.toThrow()
  expect(() => assertSats(-1, 'paidSats')).toThrow(
    new RangeError('paidSats is -1, which is no amount of sats'),
  )
  expect(() => assertSats(Number.NaN, 'actualSats')).toThrow(
    new RangeError('actualSats is NaN, which is no amount of sats'),
  )
})

test.each([
  [0, 10, 0],
  [1, 10, 0],
  [9, 10, 0],
  [10, 10, 1],
  [19, 10, 1],
  [100, 0, 0],
  [100, 100, 100],
  [199, 50, 99],
  [1_234_567, 7, 86_419],
  [ALL_SATS, 100, ALL_SATS],
  [ALL_SATS - 1, 99, 2_078_999_999_999_999],
])('of %d sats %d %% are %d, rounded down', (sats, pct, part) => {
  expect(floorPct(sats, pct)).toBe(part)
})

// 0.29 * 100 is 28.999999999999996 in binary, and 0.07 * 100 is 7.000000000000001.
test.each([
  [100, 0.29, 29],
  [100, 0.07, 7],
  [3, 0.25, 0],
  [4, 0.25, 1],
  [400, 0.25, 100],
  [399, 0.25, 99],
  [1_000_000, 0.000001, 1],
  [999_999, 0.000001, 0],
  [10_000, 0, 0],
  [10_000, 1, 10_000],
  [ALL_SATS, 0.1, 210_000_000_000_000],
])('of %d sats the ratio %d is %d, rounded down', (sats, ratio, part) => {
  expect(floorRatio(sats, ratio)).toBe(part)
})
