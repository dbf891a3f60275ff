import { expect, test } from 'vitest'
import { createSeen } from '../../../src/nostr/seen.ts'

const id = (place: number) => place.toString(16).padStart(64, '0').split('').reverse().join('')
const [sig, forged] = ['a'.repeat(128), 'b'.repeat(128)]

test('an event is seen by its id and signature: a forged copy of it is another one', () => {
  const seen = createSeen(10)
  seen.add(id(1), sig)
  expect([seen.has(id(1), sig), seen.has(id(1), forged), seen.has(id(2), sig)]).toEqual([
    true,
    false,
    false,
  ])
})

test('the oldest are forgotten, never the last half', () => {
  const seen = createSeen(10)
  for (let place = 0; place < 100; place += 1) seen.add(id(place), sig)
  const kept = Array.from({ length: 100 }, (_, place) => place).filter((p) => seen.has(id(p), sig))
  expect(kept.length).toBeLessThanOrEqual(10)
  expect(kept.slice(-5)).toEqual([95, 96, 97, 98, 99])
})
