/** A seeded source of numbers from 0 to below 1 (xorshift, 32 bits): the same on every machine. */
export function seededFractions(seed: number): () => number {
  // Zero is the one state that xorshift never leaves; neighbouring seeds are spread apart.
  let state = Math.imul(seed, 0x9e3779b1) || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 4_294_967_296
  }
}
