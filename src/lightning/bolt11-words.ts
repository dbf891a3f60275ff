import { createHash } from 'node:crypto'

/** BIP-173 currency prefixes as BOLT 11 writes them after `ln`. */
export type Bolt11Network = 'bc' | 'tb' | 'tbs' | 'bcrt' | 'sb'

/** The bech32 alphabet: a field's type is one of these letters, its value the letter's place. */
export const LETTERS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'

/** Words of the timestamp (35 bits) and of the signature with its recovery id (520 bits). */
export const TIMESTAMP_WORDS = 7
export const SIGNATURE_WORDS = 104

/** One tagged field: its letter and its 5-bit words. */
export interface Field {
  letter: string
  words: number[]
}

/**
 * Splits the words between timestamp and signature. `undefined` when a length runs past the end.
 */
export function splitFields(words: number[]): Field[] | undefined {
  const fields: Field[] = []
  let at = 0
  while (at < words.length) {
    const [type, high, low] = words.slice(at, at + 3)
    if (type === undefined || high === undefined || low === undefined) return undefined
    const end = at + 3 + high * 32 + low
    if (end > words.length) return undefined
    fields.push({ letter: LETTERS.charAt(type), words: words.slice(at + 3, end) })
    at = end
  }
  return fields
}

/** Big-endian number of at most ten words (50 bits, so it stays a safe integer). */
export function wordsToNumber(words: number[]): number | undefined {
  if (words.length > 10) return undefined
  return words.reduce((sum, word) => sum * 32 + word, 0)
}

/**
 * Bytes of the words; left-over bits are zero-padded into a last byte, as the signature wants it.
 */
function packWords(words: number[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((words.length * 5) / 8))
  words.forEach((word, index) => {
    const bit = index * 5
    const shifted = word << (11 - (bit % 8))
    const at = bit >> 3
    bytes[at] = (bytes[at] ?? 0) | (shifted >> 8)
    if (at + 1 < bytes.length) bytes[at + 1] = (bytes[at + 1] ?? 0) | (shifted & 0xff)
  })
  return bytes
}

/**
 * Bytes of a field. `undefined` when the padding is not the shortest one of zeros: two texts that
 * mean one invoice would otherwise be two invoices to whoever compares texts.
 */
export function wordsToBytes(words: number[]): Uint8Array | undefined {
  const spareBits = (words.length * 5) % 8
  if (spareBits >= 5) return undefined
  const bytes = packWords(words)
  if (spareBits === 0) return bytes
  if (bytes.at(-1) !== 0) return undefined
  return bytes.subarray(0, -1)
}

/** Words of bytes, zero-padded to a multiple of five bits (BOLT 11, "Tagged Fields"). */
export function bytesToWords(bytes: Uint8Array): number[] {
  const words: number[] = []
  let held = 0
  let bits = 0
  for (const byte of bytes) {
    held = (held << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      words.push((held >> bits) & 31)
    }
    held &= (1 << bits) - 1
  }
  if (bits > 0) words.push((held << (5 - bits)) & 31)
  return words
}

/** Big-endian words of a number, at least `length` of them. */
export function numberToWords(value: number, length = 1): number[] {
  const words: number[] = []
  for (let rest = value; rest > 0; rest = Math.floor(rest / 32)) words.unshift(rest % 32)
  while (words.length < length) words.unshift(0)
  return words
}

/**
 * What the payee signs: SHA-256 over the human-readable part and everything up to the signature.
 */
export function signedDigest(humanPart: string, words: number[]): Uint8Array {
  return createHash('sha256').update(humanPart, 'utf8').update(packWords(words)).digest()
}
