import { expect, test } from 'vitest'
import { type Settlement, settle, settleFailed } from '../../../src/money/settlement.ts'

const names = ['absorbed', 'charge', 'refund', 'returned', 'shortfall', 'credit'] as const
const row = (settlement: Settlement) => names.map((name) => settlement[`${name}Sats`])

test.each([
  // actual, reserved, paid → absorbed, charge, refund, returned, shortfall, credit
  ['gate, exact', 100, 0, 100, [0, 100, 0, 0, 0, 10]],
  ['gate, cheaper than quoted', 60, 0, 100, [0, 60, 40, 0, 0, 6]],
  ['gate, dearer than quoted', 130, 0, 100, [0, 100, 0, 0, 30, 10]],
  ['free, exact', 50, 50, 0, [50, 0, 0, 0, 0, 0]],
  ['free, cheaper', 30, 50, 0, [30, 0, 0, 20, 0, 0]],
  ['free, dearer', 70, 50, 0, [50, 0, 0, 0, 20, 0]],
  ['partial, exact', 300, 200, 100, [200, 100, 0, 0, 0, 10]],
  ['partial, the pool pays first', 250, 200, 100, [200, 50, 50, 0, 0, 5]],
  ['partial, within the grant', 150, 200, 100, [150, 0, 100, 50, 0, 0]],
  ['partial, pool drained', 300, 0, 100, [0, 100, 0, 0, 200, 10]],
  ['partial, pool half drained', 300, 80, 100, [80, 100, 0, 0, 120, 10]],
  ['partial, drained and cheap', 70, 0, 100, [0, 70, 30, 0, 0, 7]],
  ['nothing at all', 0, 0, 0, [0, 0, 0, 0, 0, 0]],
  ['one sat', 1, 0, 1, [0, 1, 0, 0, 0, 0]],
  ['nine sats credit nothing', 9, 0, 9, [0, 9, 0, 0, 0, 0]],
  ['all sats', 21e14, 0, 21e14, [0, 21e14, 0, 0, 0, 21e13]],
])('%s: %d cost, %d reserved, %d paid', (_, actualSats, reservedSats, paidSats, expected) => {
  expect(row(settle({ actualSats, reservedSats, paidSats, poolCreditPct: 10 }))).toEqual(expected)
})

test('the credit follows the percent and the net charge, not what was paid', () => {
  const credit = (poolCreditPct: number) =>
    settle({ actualSats: 199, reservedSats: 0, paidSats: 100_000, poolCreditPct }).creditSats
  expect([credit(0), credit(10), credit(50), credit(100)]).toEqual([0, 19, 99, 199])
})

test('a failed job gives everything back and credits nothing', () => {
  expect(settleFailed({ reservedSats: 200, paidSats: 100 })).toEqual({
    absorbedSats: 0,
    chargeSats: 0,
    refundSats: 100,
    returnedSats: 200,
    shortfallSats: 0,
    creditSats: 0,
  })
})

test.each([-1, 0.5, NaN, Infinity])('an amount of %d stops the settlement', (bad) => {
  const good = { actualSats: 1, reservedSats: 1, paidSats: 1, poolCreditPct: 10 }
  for (const name of ['actualSats', 'reservedSats', 'paidSats'] as const) {
    expect(() => settle({ ...good, [name]: bad })).toThrow(
      new RangeError(`${name} is ${bad}, which is no amount of sats`),
    )
  }
  expect(() => settleFailed({ reservedSats: bad, paidSats: 1 })).toThrow(RangeError)
  expect(() => settleFailed({ reservedSats: 1, paidSats: bad })).toThrow(RangeError)
})
