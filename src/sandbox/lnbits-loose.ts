import { bech32 } from '@scure/base'
import { parseBolt11 } from '../lightning/bolt11-parse.ts'
import {
  splitFields,
  TIMESTAMP_WORDS,
  wordsToBytes,
  wordsToNumber,
} from '../lightning/bolt11-words.ts'

/** What LNbits' own decoder makes of a bolt11. */
export interface LooseInvoice {
  currency: string
  amountMsat: number
  createdAt: number
  expirySeconds: number
  paymentHash: string
  paymentSecret: string
  description: string
  payee: string
}

const UNITS: Record<string, number> = { '': 1e11, m: 1e8, u: 1e5, n: 100, p: 0.1 }

/**
 * Reads a bolt11 as leniently as LNbits does: any network, the first of several hashes, no look at
 * expiry. The sandbox must go wrong where LNbits goes wrong, so it cannot use our strict reader.
 */
export function looseBolt11(text: string): LooseInvoice | undefined {
  const decoded = bech32.decodeUnsafe(text.toLowerCase(), 20_000)
  const human = decoded && /^ln([a-z]+?)(?:([0-9]+)([munp]?))?$/.exec(decoded.prefix)
  if (!decoded || !human || decoded.words.length < 111) return undefined
  const fields = splitFields(decoded.words.slice(TIMESTAMP_WORDS, -104))
  if (!fields) return undefined
  const first = (letter: string, length?: number) =>
    fields.find(
      (field) => field.letter === letter && (length ?? field.words.length) === field.words.length,
    )?.words
  const bytes = (letter: string, length?: number) =>
    Buffer.from(wordsToBytes(first(letter, length) ?? []) ?? [])
  const paymentHash = bytes('p', 52).toString('hex')
  if (paymentHash === '') return undefined
  const parsed = parseBolt11(text, { oddFields: 'skip' })
  return {
    currency: human[1] ?? '',
    amountMsat: Math.round(Number(human[2] ?? 0) * (UNITS[human[3] ?? ''] ?? 0)),
    createdAt: wordsToNumber(decoded.words.slice(0, TIMESTAMP_WORDS)) ?? 0,
    expirySeconds: wordsToNumber(first('x') ?? []) || 3600,
    paymentHash,
    paymentSecret: bytes('s', 52).toString('hex'),
    description: bytes('d').toString('utf8'),
    payee: parsed.ok ? parsed.invoice.payee : '',
  }
}
