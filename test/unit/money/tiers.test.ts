import { expect, test } from 'vitest'
import {
  earnedThresholdSats,
  earnedTier,
  FIRST_PAID_AGE_SECONDS,
  higherTier,
  isTier,
  PAID_DAYS_MIN,
  TRUST_WINDOW_DAYS,
  type Tier,
  tierOf,
  tiers,
} from '../../../src/money/tiers.ts'

const NOW = 1_800_000_000
const week = 7 * 86_400
const earned = (part: Partial<Parameters<typeof earnedTier>[0]>) =>
  earnedTier({
    netPaidSats90: 10_000,
    firstPaidAt: NOW - week,
    paidDays: 3,
    nowSeconds: NOW,
    ...part,
  })

test('the tiers, thresholds and conditions are those of the design', () => {
  expect(tiers).toEqual(['new', 'established', 'trusted', 'elite'])
  expect(earnedThresholdSats).toEqual({ established: 500, trusted: 2_000, elite: 10_000 })
  expect([TRUST_WINDOW_DAYS, FIRST_PAID_AGE_SECONDS, PAID_DAYS_MIN]).toEqual([90, 604_800, 3])
})

test.each<[number, Tier]>([
  [0, 'new'],
  [499, 'new'],
  [500, 'established'],
  [1_999, 'established'],
  [2_000, 'trusted'],
  [9_999, 'trusted'],
  [10_000, 'elite'],
  [21e14, 'elite'],
])('%d net sats in 90 days earn %s', (netPaidSats90, tier) => {
  expect(earned({ netPaidSats90 })).toBe(tier)
})

test('a first payment one second short of seven days earns nothing', () => {
  expect(earned({ firstPaidAt: NOW - week + 1 })).toBe('new')
  expect(earned({ firstPaidAt: NOW - week })).toBe('elite')
  expect(earned({ firstPaidAt: NOW - week - 1 })).toBe('elite')
})

test('two paid days earn nothing and three do', () => {
  expect(earned({ paidDays: 2 })).toBe('new')
  expect(earned({ paidDays: 3 })).toBe('elite')
  expect(earned({ paidDays: 4 })).toBe('elite')
})

test('a key without a first payment has earned nothing', () => {
  expect(earned({ firstPaidAt: undefined })).toBe('new')
  expect(earned({ firstPaidAt: null })).toBe('new')
  expect(earnedTier({ netPaidSats90: 10_000, paidDays: 3, nowSeconds: NOW })).toBe('new')
})

test('a first payment in the future earns nothing', () => {
  expect(earned({ firstPaidAt: NOW + week })).toBe('new')
})

test('a history of garbage earns nothing', () => {
  for (const netPaidSats90 of [NaN, -1, Infinity, 10_000.5]) {
    expect(earned({ netPaidSats90 })).toBe('new')
  }
  expect(earned({ paidDays: NaN })).toBe('new')
  expect(earned({ firstPaidAt: NaN })).toBe('new')
  expect(earned({ nowSeconds: NaN })).toBe('new')
})

test('the higher of two tiers wins from either side', () => {
  for (const [low, a] of tiers.entries()) {
    for (const [high, b] of tiers.entries()) {
      expect(higherTier(a, b)).toBe(tiers[Math.max(low, high)])
    }
  }
})

test.each<[Tier, Tier | null, Tier, 'earned' | 'granted']>([
  ['new', null, 'new', 'earned'],
  ['elite', null, 'elite', 'earned'],
  ['established', 'trusted', 'trusted', 'granted'],
  ['elite', 'trusted', 'elite', 'earned'],
  ['trusted', 'trusted', 'trusted', 'granted'],
  ['established', 'new', 'established', 'earned'],
])('earned %s and granted %s is %s, %s', (earnedPart, granted, tier, source) => {
  expect(tierOf({ earned: earnedPart, granted, banned: false })).toEqual({ tier, source })
})

test('a ban beats an earned and a granted tier', () => {
  expect(tierOf({ earned: 'elite', granted: 'elite', banned: true })).toEqual({
    tier: 'new',
    source: 'earned',
  })
})

test('only the four names are tiers', () => {
  for (const tier of tiers) expect(isTier(tier)).toBe(true)
  for (const value of ['', 'Elite', 'banned', 0, null, undefined]) expect(isTier(value)).toBe(false)
})
