import { bech32 } from '@scure/base'
import { signRecoverable } from 'tiny-secp256k1'
import { BOLT11_CHARS } from '../limits.ts'
import {
  type Bolt11Network,
  bytesToWords,
  type Field,
  LETTERS,
  numberToWords,
  signedDigest,
  TIMESTAMP_WORDS,
} from './bolt11-words.ts'

export interface Bolt11Draft {
  network?: Bolt11Network
  /** Absent for an invoice of any amount. */
  amountMsat?: bigint
  /** Hex, 32 bytes. */
  paymentHash: string
  paymentSecret: string
  /** Unix seconds. */
  createdAt: number
  expirySeconds: number
  description: string
}

/** Signs a digest of 32 bytes by ECDSA: 64 bytes, and which of the points with that x it was (0 to 3). */
export type Bolt11Sign = (
  digest: Uint8Array,
  secretKey: Uint8Array,
) => { signature: Uint8Array; recoveryId: number }

/** By WebAssembly, which needs nothing of the machine. */
export const signByWasm: Bolt11Sign = (digest, secretKey) => signRecoverable(digest, secretKey)

/**
 * Signs an invoice (BOLT 11) as the play-money LNbits and the tests need them; real nodes sign
 * their own.
 */
export function encodeBolt11(
  draft: Bolt11Draft,
  secretKey: Uint8Array,
  sign: Bolt11Sign = signByWasm,
): string {
  const amount = draft.amountMsat === undefined ? '' : amountText(draft.amountMsat)
  return signFields(
    `ln${draft.network ?? 'bc'}${amount}`,
    draft.createdAt,
    [
      hexField('p', draft.paymentHash),
      hexField('s', draft.paymentSecret),
      { letter: 'd', words: bytesToWords(Buffer.from(draft.description, 'utf8')) },
      { letter: 'x', words: numberToWords(draft.expirySeconds) },
      { letter: 'c', words: numberToWords(18) },
      featureField([8, 14]),
    ],
    secretKey,
    sign,
  )
}

/** Signs any fields in any order under any human-readable part, also those no reader may accept. */
export function signFields(
  humanPart: string,
  createdAt: number,
  fields: Field[],
  secretKey: Uint8Array,
  sign: Bolt11Sign = signByWasm,
): string {
  const words = [...numberToWords(createdAt, TIMESTAMP_WORDS), ...fields.flatMap(fieldWords)]
  const { signature, recoveryId } = sign(signedDigest(humanPart, words), secretKey)
  const signed = bytesToWords(Buffer.concat([signature, Uint8Array.of(recoveryId)]))
  return bech32.encode(humanPart, [...words, ...signed], BOLT11_CHARS * 2)
}

export function hexField(letter: string, hex: string): Field {
  return { letter, words: bytesToWords(Buffer.from(hex, 'hex')) }
}

/** A `9` field with these bits set. */
export function featureField(bits: number[]): Field {
  const words = new Array<number>(Math.floor(Math.max(...bits) / 5) + 1).fill(0)
  for (const bit of bits) {
    const at = words.length - 1 - Math.floor(bit / 5)
    words[at] = (words[at] ?? 0) | (1 << (bit % 5))
  }
  return { letter: '9', words }
}

function fieldWords({ letter, words }: Field): number[] {
  return [LETTERS.indexOf(letter), words.length >> 5, words.length & 31, ...words]
}

/** The shortest amount: the largest multiplier that leaves a whole number. */
function amountText(amountMsat: bigint): string {
  const units: [bigint, string][] = [
    [100_000_000_000n, ''],
    [100_000_000n, 'm'],
    [100_000n, 'u'],
    [100n, 'n'],
  ]
  for (const [msat, letter] of units) {
    if (amountMsat % msat === 0n) return `${amountMsat / msat}${letter}`
  }
  return `${amountMsat * 10n}p`
}
