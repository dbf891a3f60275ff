import { type ParseRefusal, type ParsedInvoice, parseBolt11 } from './bolt11-parse.ts'
import type { Bolt11Network } from './bolt11-words.ts'

/** An invoice that tithe can pay or ask for: whole sats, one hash, a signature that holds. */
export interface Bolt11 extends Omit<ParsedInvoice, 'amountMsat' | 'paymentSecret'> {
  amountSats: number
  amountMsat: bigint
}

export type Bolt11Refusal = ParseRefusal | 'wrong-network' | 'amountless' | 'sub-sat'
export type Bolt11Answer = { ok: true; invoice: Bolt11 } | { ok: false; reason: Bolt11Refusal }

/**
 * Decodes a bare bolt11 text (BOLT 11), or says why it is refused: everything `parseBolt11`
 * refuses, another network than `network`, an invoice without an amount, and fractions of a sat,
 * because the ledger counts sats. Takes at most `BOLT11_CHARS` characters. Never throws, whatever
 * it is given.
 */
export function decodeBolt11(
  text: string,
  options: { network?: Bolt11Network; signature?: 'check' | 'unread' } = {},
): Bolt11Answer {
  const parsed = parseBolt11(text, { signature: options.signature ?? 'check' })
  if (!parsed.ok) return parsed
  const { amountMsat, paymentSecret: _, ...rest } = parsed.invoice
  if (rest.network !== (options.network ?? 'bc')) return { ok: false, reason: 'wrong-network' }
  if (amountMsat === undefined) return { ok: false, reason: 'amountless' }
  if (amountMsat % 1000n !== 0n) return { ok: false, reason: 'sub-sat' }
  return { ok: true, invoice: { ...rest, amountMsat, amountSats: Number(amountMsat / 1000n) } }
}

/**
 * The invoice inside what people paste: without blanks, a `lightning:` prefix (BOLT 11) or
 * capitals. It does not judge what is left; LNbits takes only the bare form.
 */
export function bareBolt11(text: string): string {
  const bare = text.trim().replace(/^lightning:(\/\/)?/i, '')
  return bare === bare.toUpperCase() ? bare.toLowerCase() : bare
}
