import { hash } from 'node:crypto'
import type { Seeded } from '../support/seeded.ts'

/** A part of the randomness of one world. Each part has a stream of its own: they do not disturb each other. */
export interface Chance extends Seeded {
  /** True in `part` of all cases, 0 to 1. */
  happens(part: number): boolean
  /** Whole number, both ends included. */
  between(low: number, high: number): number
  /** 32 bytes as hex: an id or a key. */
  hex(): string
  /** Uniform in [0, 1). */
  fraction(): number
}

/** Four words of state, seeded by a hash: many times faster than a hash for each number (sfc32). */
export function chanceOf(seed: string): Chance {
  const digest = hash('sha256', seed, 'buffer')
  let [a, b, c, count] = [0, 4, 8, 12].map((at) => digest.readInt32LE(at)) as [
    number,
    number,
    number,
    number,
  ]
  const next = (): number => {
    const word = (((a + b) | 0) + count) | 0
    count = (count + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + word) | 0
    return word >>> 0
  }
  const fraction = () => next() / 2 ** 32
  const int = (below: number) => Math.floor(fraction() * below)
  return {
    seed,
    int,
    fraction,
    bytes: (length) => Uint8Array.from({ length }, () => next() & 255),
    happens: (part) => part > 0 && fraction() < part,
    between: (low, high) => low + int(high - low + 1),
    hex: () => Array.from({ length: 8 }, () => next().toString(16).padStart(8, '0')).join(''),
    pick<T>(list: readonly T[]): T {
      if (list.length === 0) throw new RangeError('nothing to pick from')
      return list[int(list.length)] as T
    },
  }
}
