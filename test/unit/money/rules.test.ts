import { expect, test } from 'vitest'
import { checkMoneyRules, defaultMoneyRules, type MoneyRules } from '../../../src/money/rules.ts'

const check = (part: Partial<MoneyRules>) => checkMoneyRules({ ...defaultMoneyRules, ...part })

test('the defaults are those of the design, and hold', () => {
  expect(defaultMoneyRules).toEqual({
    budgets: { new: 0, established: 50, trusted: 200, elite: 1_000 },
    poolSeedSats: 10_000,
    poolCreditPct: 10,
    poolDailyOutflowPct: 10,
    earnedGrantRatio: 0.25,
    marginPct: 40,
  })
  expect(checkMoneyRules(defaultMoneyRules)).toEqual([])
})

test('the ends of each range hold', () => {
  expect(check({ poolCreditPct: 0, poolDailyOutflowPct: 0, poolSeedSats: 0 })).toEqual([])
  expect(check({ poolCreditPct: 100, poolDailyOutflowPct: 100, marginPct: 1_000 })).toEqual([])
  expect(check({ earnedGrantRatio: 0, marginPct: 0 })).toEqual([])
  expect(check({ earnedGrantRatio: 1, marginPct: 100 })).toEqual([])
  expect(check({ earnedGrantRatio: 0.4, marginPct: 40 })).toEqual([])
  expect(check({ budgets: { new: 0, established: 7, trusted: 5, elite: 0 } })).toEqual([])
})

test('a ratio above the margin is refused', () => {
  expect(check({ earnedGrantRatio: 0.400001 })).toEqual([
    'EARNED_GRANT_RATIO is 0.400001: it must not be above MARGIN_PCT (40 %)',
  ])
  expect(check({ marginPct: 24 })).toEqual([
    'EARNED_GRANT_RATIO is 0.25: it must not be above MARGIN_PCT (24 %)',
  ])
})

test.each([-0.1, 1.1, NaN, Infinity, 0.1234567])('a ratio of %d is refused', (ratio) => {
  expect(check({ earnedGrantRatio: ratio, marginPct: 1_000 })).toEqual([
    `EARNED_GRANT_RATIO is ${ratio}: it must be from 0 to 1 with at most six decimals`,
  ])
})

test.each([-1, 101, 0.5, NaN, Infinity])('a percent of %d is refused', (pct) => {
  expect(check({ poolCreditPct: pct })).toEqual([
    `POOL_CREDIT_PCT is ${pct}: it must be a whole number from 0 to 100`,
  ])
  expect(check({ poolDailyOutflowPct: pct })).toEqual([
    `POOL_DAILY_OUTFLOW_PCT is ${pct}: it must be a whole number from 0 to 100`,
  ])
})

test.each([-1, 1_001, 0.5, NaN])('a margin of %d is refused', (pct) => {
  expect(check({ marginPct: pct, earnedGrantRatio: 0 })).toContain(
    `MARGIN_PCT is ${pct}: it must be a whole number from 0 to 1000`,
  )
})

test('a budget for new keys is refused', () => {
  expect(check({ budgets: { new: 1, established: 0, trusted: 0, elite: 0 } })).toEqual([
    'BUDGET_NEW is 1: it must be 0, a new key gets nothing free',
  ])
})

test('every amount is a whole number of sats, and every problem is told', () => {
  expect(
    check({
      poolSeedSats: 1.5,
      budgets: { new: -1, established: NaN, trusted: 0.5, elite: 21e14 + 1 },
    }),
  ).toEqual([
    'BUDGET_NEW is -1: it must be a whole number of sats',
    'BUDGET_ESTABLISHED is NaN: it must be a whole number of sats',
    'BUDGET_TRUSTED is 0.5: it must be a whole number of sats',
    'BUDGET_ELITE is 2100000000000001: it must be a whole number of sats',
    'POOL_SEED_SATS is 1.5: it must be a whole number of sats',
  ])
})
