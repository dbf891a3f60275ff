import { describe, expect, test } from 'vitest'
import { type RoomInput, room } from '../../../src/money/room.ts'

const wide: RoomInput = {
  budgetSats: 1_000,
  absorbedTodaySats: 0,
  ratio: { netPaidSats90: 100_000, grantsSats90: 0, earnedGrantRatio: 0.25 },
  poolSats: 10_000,
  breaker: { openingSats: 100_000, outflowPct: 10, usedSats: 0 },
  shortfalls: null,
}
const roomOf = (part: Partial<RoomInput>) => room({ ...wide, ...part })

test('the room is what is left of the least term', () => {
  expect(roomOf({})).toEqual({
    roomSats: 1_000,
    terms: { budgetSats: 1_000, ratioSats: 25_000, poolSats: 10_000, breakerSats: 10_000 },
  })
  expect(roomOf({ absorbedTodaySats: 958 }).roomSats).toBe(42)
  expect(roomOf({ poolSats: 41 }).roomSats).toBe(41)
  expect(roomOf({ breaker: { openingSats: 10_009, outflowPct: 10, usedSats: 960 } }).roomSats).toBe(
    40,
  )
  expect(
    roomOf({ ratio: { netPaidSats90: 401, grantsSats90: 61, earnedGrantRatio: 0.25 } }).roomSats,
  ).toBe(39)
})

test('a granted tier is not bound by what the key has paid', () => {
  const { roomSats, terms } = roomOf({ ratio: undefined })
  expect(terms.ratioSats).toBeNull()
  expect(roomSats).toBe(1_000)
  expect(roomOf({ ratio: null }).terms.ratioSats).toBeNull()
})

test('a term that is used up or overdrawn closes the room and is never negative', () => {
  const { roomSats, terms } = room({
    budgetSats: 50,
    absorbedTodaySats: 51,
    ratio: { netPaidSats90: 400, grantsSats90: 101, earnedGrantRatio: 0.25 },
    poolSats: 0,
    breaker: { openingSats: 100, outflowPct: 10, usedSats: 11 },
    shortfalls: null,
  })
  expect(terms).toEqual({ budgetSats: 0, ratioSats: 0, poolSats: 0, breakerSats: 0 })
  expect(roomSats).toBe(0)
})

test('an own open promise counts against budget and ratio, not against pool and breaker', () => {
  expect(roomOf({ ownPromiseSats: 300 })).toEqual({
    roomSats: 700,
    terms: { budgetSats: 700, ratioSats: 24_700, poolSats: 10_000, breakerSats: 10_000 },
  })
  expect(roomOf({ ownPromiseSats: 1_001 }).roomSats).toBe(0)
})

test("the operator's shortfall for a key counts like a grant to it", () => {
  expect(roomOf({ shortfalls: { todaySats: 100, sats90: 24_500 } })).toEqual({
    roomSats: 500,
    terms: { budgetSats: 900, ratioSats: 500, poolSats: 10_000, breakerSats: 10_000 },
  })
  const granted = roomOf({ ratio: null, shortfalls: { todaySats: 400, sats90: 99_999 } })
  expect(granted.terms).toMatchObject({ budgetSats: 600, ratioSats: null })
  expect(roomOf({ shortfalls: { todaySats: 1_001, sats90: 0 } }).roomSats).toBe(0)
})

describe('a number that is no amount of sats closes its term', () => {
  test.each([NaN, -1, 0.5, Infinity, -Infinity, 21e14 + 1])('%d', (bad) => {
    expect(roomOf({ budgetSats: bad }).terms.budgetSats).toBe(0)
    expect(roomOf({ absorbedTodaySats: bad }).terms.budgetSats).toBe(0)
    expect(roomOf({ poolSats: bad }).terms.poolSats).toBe(0)
    expect(roomOf({ ownPromiseSats: bad }).terms).toMatchObject({ budgetSats: 0, ratioSats: 0 })
    const short = { todaySats: 0, sats90: 0 }
    expect(roomOf({ shortfalls: { ...short, todaySats: bad } }).terms.budgetSats).toBe(0)
    expect(roomOf({ shortfalls: { ...short, sats90: bad } }).terms.ratioSats).toBe(0)
    const ratio = { netPaidSats90: 100_000, grantsSats90: 0, earnedGrantRatio: 0.25 }
    expect(roomOf({ ratio: { ...ratio, netPaidSats90: bad } }).terms.ratioSats).toBe(0)
    expect(roomOf({ ratio: { ...ratio, grantsSats90: bad } }).terms.ratioSats).toBe(0)
    const breaker = { openingSats: 100_000, outflowPct: 10, usedSats: 0 }
    expect(roomOf({ breaker: { ...breaker, openingSats: bad } }).terms.breakerSats).toBe(0)
    expect(roomOf({ breaker: { ...breaker, usedSats: bad } }).terms.breakerSats).toBe(0)
    expect(roomOf({ poolSats: bad }).roomSats).toBe(0)
  })
})

test('a ratio or a percent out of range closes its term', () => {
  for (const earnedGrantRatio of [NaN, -0.1, 1.1, Infinity]) {
    const ratio = { netPaidSats90: 100_000, grantsSats90: 0, earnedGrantRatio }
    expect(roomOf({ ratio }).terms.ratioSats).toBe(0)
  }
  for (const outflowPct of [NaN, -1, 101, Infinity]) {
    const breaker = { openingSats: 100_000, outflowPct, usedSats: 0 }
    expect(roomOf({ breaker }).terms.breakerSats).toBe(0)
  }
})

test('the ends of ratio and percent are open in full', () => {
  const ratio = { netPaidSats90: 700, grantsSats90: 0, earnedGrantRatio: 1 }
  expect(roomOf({ ratio }).terms.ratioSats).toBe(700)
  expect(roomOf({ ratio: { ...ratio, earnedGrantRatio: 0 } }).terms.ratioSats).toBe(0)
  const breaker = { openingSats: 700, outflowPct: 100, usedSats: 0 }
  expect(roomOf({ breaker }).terms.breakerSats).toBe(700)
  expect(roomOf({ breaker: { ...breaker, outflowPct: 0 } }).terms.breakerSats).toBe(0)
})
