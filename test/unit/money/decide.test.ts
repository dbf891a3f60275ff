import { expect, test } from 'vitest'
import { ALL_SATS } from '../../../src/limits.ts'
import { boundPromise, decide, reserveNow } from '../../../src/money/decide.ts'
import type { Room, RoomTerms } from '../../../src/money/room.ts'
import type { Tier } from '../../../src/money/tiers.ts'

const open: RoomTerms = { budgetSats: 200, ratioSats: 500, poolSats: 9_000, breakerSats: 1_000 }
const roomOf = (part: Partial<RoomTerms> = {}): Room => {
  const terms = { ...open, ...part }
  const { budgetSats, ratioSats, poolSats, breakerSats } = terms
  return { roomSats: Math.min(budgetSats, ratioSats ?? Infinity, poolSats, breakerSats), terms }
}
const decideOf = (part: Partial<Parameters<typeof decide>[0]>) =>
  decide({
    tier: 'trusted',
    banned: false,
    poolPaused: false,
    room: roomOf(),
    estimateSats: 100,
    ...part,
  })

test('an estimate within the room is free, to the last sat', () => {
  for (const estimateSats of [1, 199, 200]) {
    expect(decideOf({ estimateSats })).toEqual({
      serve: 'free',
      absorbSats: estimateSats,
      chargeSats: 0,
      reason: 'within_room',
    })
  }
})

test('an estimate one sat above the room is partial, with the whole room promised', () => {
  expect(decideOf({ estimateSats: 201 })).toEqual({
    serve: 'partial',
    absorbSats: 200,
    chargeSats: 1,
    reason: 'above_room',
  })
  expect(decideOf({ estimateSats: 100, room: roomOf({ budgetSats: 1 }) })).toEqual({
    serve: 'partial',
    absorbSats: 1,
    chargeSats: 99,
    reason: 'above_room',
  })
})

test.each<[string, Partial<Parameters<typeof decide>[0]>]>([
  ['tier_new', { tier: 'new' }],
  ['banned', { banned: true }],
  ['banned', { banned: true, tier: 'new', poolPaused: true }],
  ['tier_new', { tier: 'new', poolPaused: true }],
  ['pool_paused', { poolPaused: true }],
  ['pool_empty', { room: roomOf({ poolSats: 0, breakerSats: 0, budgetSats: 0, ratioSats: 0 }) }],
  ['breaker_used', { room: roomOf({ breakerSats: 0, budgetSats: 0, ratioSats: 0 }) }],
  ['ratio_used', { room: roomOf({ budgetSats: 0, ratioSats: 0 }) }],
  ['budget_used', { room: roomOf({ budgetSats: 0 }) }],
  ['budget_used', { room: roomOf({ budgetSats: 0, ratioSats: null }) }],
  ['budget_used', { room: { roomSats: NaN, terms: open } }],
  ['budget_used', { room: { roomSats: -5, terms: open } }],
])('a closed way to the pool is a gate at full price: %s', (reason, part) => {
  expect(decideOf(part)).toEqual({ serve: 'gate', absorbSats: 0, chargeSats: 100, reason })
})

test('every tier but new is served from its room', () => {
  for (const tier of ['established', 'trusted', 'elite'] satisfies Tier[]) {
    expect(decideOf({ tier }).serve).toBe('free')
  }
})

test('a tier that is none is gated like a new key', () => {
  const tier = JSON.parse('"constructor"')
  expect(decideOf({ tier })).toMatchObject({ serve: 'gate', reason: 'tier_new' })
})

test.each([0, -1, 0.5, NaN, Infinity, -Infinity, ALL_SATS + 1])(
  'an estimate of %d is gated at a price no invoice can ask for',
  (estimateSats) => {
    expect(decideOf({ estimateSats })).toEqual({
      serve: 'gate',
      absorbSats: 0,
      chargeSats: ALL_SATS,
      reason: 'bad_estimate',
    })
  },
)

const promiseOf = (part: Partial<Parameters<typeof boundPromise>[0]>) =>
  boundPromise({
    absorbSats: 200,
    estimateSats: 1_000,
    poolSats: 10_000,
    breakerSats: 10_000,
    openPromisesSats: 0,
    hasOpenDiscount: false,
    ...part,
  })

test('an invoice promises what was decided while the pool covers all open promises', () => {
  expect(promiseOf({})).toBe(200)
  expect(promiseOf({ openPromisesSats: 9_800 })).toBe(200)
  expect(promiseOf({ openPromisesSats: 9_801 })).toBe(199)
  expect(promiseOf({ openPromisesSats: 10_000 })).toBe(0)
  expect(promiseOf({ openPromisesSats: 10_001 })).toBe(0)
  expect(promiseOf({ poolSats: 0 })).toBe(0)
})

test('all open promises together stay within what the breaker lets out today', () => {
  expect(promiseOf({ breakerSats: 1_000, openPromisesSats: 900 })).toBe(100)
  expect(promiseOf({ breakerSats: 0 })).toBe(0)
  expect(promiseOf({ breakerSats: 20_000, openPromisesSats: 9_900 })).toBe(100)
})

test('a key with an open discounted invoice is promised nothing more', () => {
  expect(promiseOf({ hasOpenDiscount: true })).toBe(0)
})

test('an invoice always asks for at least one sat', () => {
  expect(promiseOf({ absorbSats: 1_000, estimateSats: 1_000 })).toBe(999)
  expect(promiseOf({ absorbSats: 1, estimateSats: 1 })).toBe(0)
  expect(promiseOf({ absorbSats: 0, estimateSats: 0 })).toBe(0)
})

test.each([NaN, -1, 0.5, Infinity])('a promise made of %d is none', (bad) => {
  const names = [
    'absorbSats',
    'estimateSats',
    'poolSats',
    'breakerSats',
    'openPromisesSats',
  ] as const
  for (const name of names) expect(promiseOf({ [name]: bad })).toBe(0)
  expect(reserveNow({ promisedSats: bad, room: roomOf() })).toBe(0)
  expect(reserveNow({ promisedSats: 5, room: { roomSats: bad, terms: open } })).toBe(0)
})

test('at payment the promise is kept as far as the room of now reaches', () => {
  expect(reserveNow({ promisedSats: 150, room: roomOf() })).toBe(150)
  expect(reserveNow({ promisedSats: 200, room: roomOf() })).toBe(200)
  expect(reserveNow({ promisedSats: 201, room: roomOf() })).toBe(200)
  expect(reserveNow({ promisedSats: 200, room: roomOf({ poolSats: 7 }) })).toBe(7)
  expect(reserveNow({ promisedSats: 200, room: roomOf({ poolSats: 0 }) })).toBe(0)
})
