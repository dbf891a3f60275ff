import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  feeReserveSats,
  largestWithdrawalSats,
  settleWithdrawal,
} from '../../../src/money/withdrawal.ts'
import { holds } from '../../support/money-sweep.ts'

const sats = (max: number) => fc.integer({ min: 0, max })

test('the reserve is a hundredth, rounded up, and never below two sats', () => {
  expect([1, 200, 201, 1_000, 10_001].map(feeReserveSats)).toEqual([2, 2, 3, 10, 101])
})

test('the largest withdrawal fits its balance with its reserve, and one sat more does not', () => {
  holds(
    fc.property(sats(10_000_000), (availableSats) => {
      const largest = largestWithdrawalSats(availableSats)
      const cost = (amountSats: number) => amountSats + feeReserveSats(amountSats)
      expect(largest === 0 || cost(largest) <= availableSats).toBe(true)
      expect(cost(largest + 1)).toBeGreaterThan(availableSats)
    }),
  )
})

test('a hold is used up to the sat, and no customer pays above its reserve', () => {
  holds(
    fc.property(sats(100_000), sats(200_000), (reserveSats, feeSats) => {
      const end = settleWithdrawal({ reserveSats, feeSats })
      expect(end.heldFeeSats + end.returnedSats).toBe(reserveSats)
      expect(end.heldFeeSats + end.operatorFeeSats).toBe(feeSats)
      expect(Math.min(...Object.values(end))).toBeGreaterThanOrEqual(0)
      expect(end.operatorFeeSats === 0 || end.returnedSats === 0).toBe(true)
    }),
  )
})
