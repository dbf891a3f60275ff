import { bech32 } from '@scure/base'
import { recover } from 'tiny-secp256k1'
import { ALL_SATS, BOLT11_CHARS } from '../limits.ts'
import {
  type Bolt11Network,
  type Field,
  SIGNATURE_WORDS,
  signedDigest,
  splitFields,
  TIMESTAMP_WORDS,
  wordsToBytes,
  wordsToNumber,
} from './bolt11-words.ts'

/** Why a text is no invoice, in the words of BOLT 11's reader requirements. */
export type ParseRefusal =
  | 'too-long'
  | 'not-bech32'
  | 'prefix'
  | 'amount'
  | 'too-short'
  | 'field'
  | 'repeated-field'
  | 'no-hash'
  | 'no-secret'
  | 'no-description'
  | 'feature'
  | 'expiry'
  | 'signature'

export interface ParsedInvoice {
  /** Lower case, bare. */
  text: string
  network: Bolt11Network
  /** Absent when the invoice leaves the amount to the payer. */
  amountMsat?: bigint
  /** Hex, 32 bytes. */
  paymentHash: string
  paymentSecret: string
  /** Compressed public key of the payee, hex; empty when the signature was not read. */
  payee: string
  /** Unix seconds. */
  createdAt: number
  expiresAt: number
  description?: string
  descriptionHash?: string
}

export type ParseAnswer = { ok: true; invoice: ParsedInvoice } | { ok: false; reason: ParseRefusal }

export interface ParseOptions {
  /**
   * What to do with a `p`, `s`, `h` or `n` of a length that is not its own. Readers were once told
   * to skip such fields; a payer that reads one all the same would pay another hash than we watch,
   * so they are refused unless a caller asks otherwise.
   */
  oddFields?: 'refuse' | 'skip'
  /**
   * `unread` for an invoice that our own LNbits has just made for us: nobody pays by it from here, its checksum
   * still guards against a broken text, and recovering the key costs more than everything else about a quote.
   */
  signature?: 'check' | 'unread'
}

/** BOLT 11: expiry when no `x` field says otherwise. */
const DEFAULT_EXPIRY_SECONDS = 3600
/**
 * Longest expiry read: the range of the timestamp itself, so that every instant stays a real date.
 */
const EXPIRY_SECONDS_MAX = 2 ** 35 - 1
const FIXED_LENGTHS: Record<string, number> = { p: 52, s: 52, h: 52, n: 53 }
const SINGLE = 'pshndxc9m'
/**
 * Even feature bits a payer may be required to know (BOLT 9, context 9): anything else is not for
 * us.
 */
const KNOWN_EVEN_BITS = new Set([8, 14, 16, 48])
/**
 * Half of the curve's order: a signature with a larger S is the malleated twin of one with a
 * smaller.
 */
const HALF_ORDER = Buffer.from(
  '7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0',
  'hex',
)
const MSAT_PER: Record<string, bigint> = { m: 100_000_000n, u: 100_000n, n: 100n }
const MSAT_PER_BTC = 100_000_000_000n

class Refused extends Error {
  readonly reason: ParseRefusal

  constructor(reason: ParseRefusal) {
    super(reason)
    this.reason = reason
  }
}

/**
 * Reads a bare bolt11 text by the reader requirements of BOLT 11, stricter where the specification
 * leaves a choice: one `p`, one `s`, no repeated single-valued field, and the signature must
 * recover to `n` when that is given. Amountless invoices are read; `decodeBolt11` refuses them.
 * Never throws.
 */
export function parseBolt11(text: string, options: ParseOptions = {}): ParseAnswer {
  try {
    return { ok: true, invoice: read(text, options) }
  } catch (error) {
    if (error instanceof Refused) return { ok: false, reason: error.reason }
    return { ok: false, reason: 'not-bech32' }
  }
}

function read(text: string, { oddFields = 'refuse', signature }: ParseOptions): ParsedInvoice {
  if (text.length > BOLT11_CHARS) throw new Refused('too-long')
  const decoded = bech32.decodeUnsafe(text, BOLT11_CHARS)
  if (!decoded) throw new Refused('not-bech32')
  const { prefix, words } = decoded
  const { network, amountMsat } = readHumanPart(prefix)
  if (words.length < TIMESTAMP_WORDS + SIGNATURE_WORDS) throw new Refused('too-short')
  const signed = words.slice(0, -SIGNATURE_WORDS)
  const createdAt = wordsToNumber(signed.slice(0, TIMESTAMP_WORDS)) ?? 0
  const fields = readFields(signed.slice(TIMESTAMP_WORDS), oddFields)
  checkFeatures(fields.get('9') ?? [])
  const payee =
    signature === 'unread'
      ? ''
      : readPayee(
          words.slice(-SIGNATURE_WORDS),
          signedDigest(prefix, signed),
          hexField(fields, 'n'),
        )
  const paymentHash = hexField(fields, 'p') ?? refuse('no-hash')
  const paymentSecret = hexField(fields, 's') ?? refuse('no-secret')
  return {
    text: text.toLowerCase(),
    network,
    ...(amountMsat === undefined ? {} : { amountMsat }),
    paymentHash,
    paymentSecret,
    payee,
    createdAt,
    expiresAt: createdAt + readExpiry(fields.get('x')),
    ...readDescription(fields),
  }
}

function refuse(reason: ParseRefusal): never {
  throw new Refused(reason)
}

function readHumanPart(prefix: string): { network: Bolt11Network; amountMsat?: bigint } {
  const [, network, amount, multiplier] =
    /^ln(bcrt|bc|tbs|tb|sb)(?:([0-9]{1,20})([a-z]?))?$/.exec(prefix) ?? refuse('prefix')
  if (!isNetwork(network)) refuse('prefix')
  if (amount === undefined) return { network }
  if (amount.startsWith('0')) refuse('amount')
  const amountMsat = readAmount(BigInt(amount), multiplier ?? '')
  if (amountMsat > BigInt(ALL_SATS) * 1000n) refuse('amount')
  return { network, amountMsat }
}

function isNetwork(text: string | undefined): text is Bolt11Network {
  return text !== undefined && ['bc', 'tb', 'tbs', 'bcrt', 'sb'].includes(text)
}

function readAmount(amount: bigint, multiplier: string): bigint {
  if (multiplier === '') return amount * MSAT_PER_BTC
  if (multiplier === 'p') return amount % 10n === 0n ? amount / 10n : refuse('amount')
  return amount * (MSAT_PER[multiplier] ?? refuse('amount'))
}

function readFields(words: number[], oddFields: 'refuse' | 'skip'): Map<string, number[]> {
  const fields = new Map<string, number[]>()
  for (const { letter, words: value } of splitFields(words) ?? refuse('field')) {
    if (!SINGLE.includes(letter)) continue
    const length = FIXED_LENGTHS[letter]
    if (length !== undefined && value.length !== length) {
      if (oddFields === 'refuse') refuse('field')
      continue
    }
    if (fields.has(letter)) refuse('repeated-field')
    fields.set(letter, value)
  }
  return fields
}

function bytesField(fields: Map<string, number[]>, letter: string): Uint8Array | undefined {
  const words = fields.get(letter)
  return words && (wordsToBytes(words) ?? refuse('field'))
}

function hexField(fields: Map<string, number[]>, letter: string): string | undefined {
  const bytes = bytesField(fields, letter)
  return bytes && Buffer.from(bytes).toString('hex')
}

function readExpiry(words: Field['words'] | undefined): number {
  if (!words) return DEFAULT_EXPIRY_SECONDS
  const seconds = wordsToNumber(words)
  if (seconds === undefined || seconds > EXPIRY_SECONDS_MAX) refuse('expiry')
  return seconds
}

function readDescription(
  fields: Map<string, number[]>,
): Pick<ParsedInvoice, 'description' | 'descriptionHash'> {
  const bytes = bytesField(fields, 'd')
  const descriptionHash = hexField(fields, 'h')
  if ((bytes === undefined) === (descriptionHash === undefined)) refuse('no-description')
  if (descriptionHash !== undefined) return { descriptionHash }
  try {
    return { description: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    return refuse('field')
  }
}

function checkFeatures(words: number[]): void {
  const set = new Set<number>()
  words.toReversed().forEach((word, index) => {
    for (let bit = 0; bit < 5; bit++) if (word & (1 << bit)) set.add(index * 5 + bit)
  })
  for (const bit of set) if (bit % 2 === 0 && !KNOWN_EVEN_BITS.has(bit)) refuse('feature')
  const offers = (even: number) => set.has(even) || set.has(even + 1)
  // BOLT 9: basic_mpp (16) rests on payment_secret (14), which rests on var_onion_optin (8).
  if (offers(16) && !offers(14)) refuse('feature')
  if (offers(14) && !offers(8)) refuse('feature')
}

/**
 * The key the signature recovers to. With an `n` field BOLT 11 wants a check against it and a low
 * S; recovery and comparison is that check, and also refuses a wrong recovery id.
 */
function readPayee(words: number[], digest: Uint8Array, named: string | undefined): string {
  const bytes = packedSignature(words)
  const recoveryId = bytes[64]
  if (recoveryId !== 0 && recoveryId !== 1 && recoveryId !== 2 && recoveryId !== 3) {
    refuse('signature')
  }
  const payee = recoverKey(digest, bytes.subarray(0, 64), recoveryId)
  if (named !== undefined) {
    if (Buffer.compare(bytes.subarray(32, 64), HALF_ORDER) > 0) refuse('signature')
    if (named !== payee) refuse('signature')
  }
  return payee
}

function packedSignature(words: number[]): Uint8Array {
  return wordsToBytes(words) ?? refuse('signature')
}

function recoverKey(digest: Uint8Array, signature: Uint8Array, id: 0 | 1 | 2 | 3): string {
  try {
    const key = recover(digest, signature, id, true)
    return key ? Buffer.from(key).toString('hex') : refuse('signature')
  } catch {
    return refuse('signature')
  }
}
