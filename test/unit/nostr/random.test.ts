import { expect, test } from 'vitest'
import { freshBytes } from '../../../src/nostr/random.ts'

test('no two draws share a byte of memory or repeat, across many stocks', () => {
  const draws = Array.from({ length: 1_000 }, () => freshBytes(32))
  expect(new Set(draws.map((bytes) => Buffer.from(bytes).toString('hex'))).size).toBe(1_000)
  expect(new Set(draws.map((bytes) => bytes.buffer)).size).toBe(1_000)
  expect(draws.every((bytes) => bytes.length === 32 && bytes.buffer.byteLength === 32)).toBe(true)
})

test('what is longer than what is left of a stock comes whole from the next', () => {
  for (let round = 0; round < 20; round += 1) {
    const bytes = freshBytes(1_000)
    expect(bytes).toHaveLength(1_000)
    expect(bytes.some((byte) => byte !== 0)).toBe(true)
    expect(bytes.subarray(-32).some((byte) => byte !== 0)).toBe(true)
  }
})
