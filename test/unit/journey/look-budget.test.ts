import { expect, test } from 'vitest'
import { createLookBudget } from '../../../src/journey/look-budget.ts'
import { LOOKS_AT_ONCE, LOOKS_PER_MINUTE } from '../../../src/limits.ts'

function budgetAt() {
  const at = { ms: 1_000_000 }
  const clock = { now: () => at.ms, sleep: async () => {} }
  return { at, budget: createLookBudget(clock) }
}

test('looks are given at once up to a bound, and then as time passes', () => {
  const { at, budget } = budgetAt()
  expect(budget.take(LOOKS_AT_ONCE + 5)).toBe(LOOKS_AT_ONCE)
  expect(budget.take(1)).toBe(0)
  at.ms += (2 * 60_000) / LOOKS_PER_MINUTE
  expect(budget.take(5)).toBe(2)
})

test('a minute gives no more than its share, however often it is asked', () => {
  const { at, budget } = budgetAt()
  let taken = budget.take(LOOKS_AT_ONCE)
  for (let second = 0; second < 60; second += 1) {
    at.ms += 1_000
    taken += budget.take(100)
  }
  expect(taken).toBeLessThanOrEqual(LOOKS_AT_ONCE + LOOKS_PER_MINUTE)
})

test('what was not used is there again, and never more than the bound', () => {
  const { budget } = budgetAt()
  budget.giveBack(budget.take(4))
  expect(budget.take(100)).toBe(LOOKS_AT_ONCE)
  budget.giveBack(100)
  expect(budget.take(100)).toBe(LOOKS_AT_ONCE)
})

test('a clock that is set back or far ahead gives no looks beyond the bound', () => {
  const { at, budget } = budgetAt()
  budget.take(LOOKS_AT_ONCE)
  at.ms -= 3_600_000
  expect(budget.take(1)).toBe(0)
  at.ms += 86_400_000
  expect(budget.take(100)).toBe(LOOKS_AT_ONCE)
})
