import { secp256k1 } from '@noble/curves/secp256k1.js'
import { bech32 } from '@scure/base'
import { describe, expect, test } from 'vitest'
import { bareBolt11, decodeBolt11 } from '../../../src/lightning/bolt11.ts'
import {
  encodeBolt11,
  featureField,
  hexField,
  signFields,
} from '../../../src/lightning/bolt11-encode.ts'
import { parseBolt11 } from '../../../src/lightning/bolt11-parse.ts'
import { bytesToWords, type Field, numberToWords } from '../../../src/lightning/bolt11-words.ts'
import { BOLT11_CHARS } from '../../../src/limits.ts'

const KEY = new Uint8Array(32).fill(7)
const PAYEE = Buffer.from(secp256k1.getPublicKey(KEY, true)).toString('hex')
const HASH = 'ab'.repeat(32)
const OTHER_HASH = 'cd'.repeat(32)
const NOW = 1_790_000_000

const draft = {
  amountMsat: 21_000n,
  paymentHash: HASH,
  paymentSecret: '11'.repeat(32),
  createdAt: NOW,
  expirySeconds: 600,
  description: 'a job',
}
const plain: Field[] = [
  hexField('p', HASH),
  hexField('s', '11'.repeat(32)),
  { letter: 'd', words: bytesToWords(Buffer.from('a job')) },
  featureField([8, 14]),
]
const sign = (fields: Field[], humanPart = 'lnbc210n') => signFields(humanPart, NOW, fields, KEY)
const reasonOf = (text: string) => {
  const answer = decodeBolt11(text)
  return answer.ok ? 'ok' : answer.reason
}

describe('a signed invoice', () => {
  test('is read back as it was written', () => {
    const text = encodeBolt11(draft, KEY)
    expect(decodeBolt11(text)).toEqual({
      ok: true,
      invoice: {
        text,
        network: 'bc',
        amountSats: 21,
        amountMsat: 21_000n,
        paymentHash: HASH,
        payee: PAYEE,
        createdAt: NOW,
        expiresAt: NOW + 600,
        description: 'a job',
      },
    })
  })

  test.for([1n, 10n, 1_000n, 1_500n, 21_000n, 100_000n, 12_345_678_000n, 21n * 10n ** 17n])(
    'keeps an amount of %s msat through every multiplier',
    (amountMsat) => {
      const answer = parseBolt11(encodeBolt11({ ...draft, amountMsat }, KEY))
      expect(answer).toMatchObject({ ok: true, invoice: { amountMsat } })
    },
  )

  test('recovers the same payee as an independent curve', () => {
    for (let round = 0; round < 20; round++) {
      const secret = new Uint8Array(32).fill(round + 1)
      const text = encodeBolt11({ ...draft, createdAt: NOW + round }, secret)
      const payee = Buffer.from(secp256k1.getPublicKey(secret, true)).toString('hex')
      expect(decodeBolt11(text)).toMatchObject({ ok: true, invoice: { payee } })
    }
  })

  test('may name its payee', () => {
    expect(decodeBolt11(sign([...plain, hexField('n', PAYEE)]))).toMatchObject({
      ok: true,
      invoice: { payee: PAYEE },
    })
  })

  test('is read only on its own network', () => {
    const text = encodeBolt11({ ...draft, network: 'bcrt' }, KEY)
    expect(reasonOf(text)).toBe('wrong-network')
    expect(decodeBolt11(text, { network: 'bcrt' })).toMatchObject({ ok: true })
  })

  test('is found inside what people paste', () => {
    const text = encodeBolt11(draft, KEY)
    expect(bareBolt11(` lightning:${text}\n`)).toBe(text)
    expect(bareBolt11(`LIGHTNING:${text.toUpperCase()}`)).toBe(text)
    expect(reasonOf(`lightning:${text}`)).toBe('not-bech32')
  })
})

describe('an invoice is refused', () => {
  // Trap 7: one decoder reads the first hash, another the last; the payer and the watcher then
  // speak of different payments.
  test('with two payment hashes, in either order (trap 7)', () => {
    expect(reasonOf(sign([...plain, hexField('p', OTHER_HASH)]))).toBe('repeated-field')
    expect(reasonOf(sign([hexField('p', OTHER_HASH), ...plain]))).toBe('repeated-field')
    expect(reasonOf(sign([...plain, hexField('p', HASH)]))).toBe('repeated-field')
  })

  test.for<[string, Field]>([
    ['s', hexField('s', '22'.repeat(32))],
    ['d', { letter: 'd', words: bytesToWords(Buffer.from('another')) }],
    ['9', featureField([8, 14])],
  ])('with a second %s (trap 7)', ([, field]) => {
    expect(reasonOf(sign([...plain, field]))).toBe('repeated-field')
  })

  test.for<[string, Field]>([
    ['x', { letter: 'x', words: numberToWords(60) }],
    ['c', { letter: 'c', words: numberToWords(40) }],
    ['n', hexField('n', PAYEE)],
    ['m', { letter: 'm', words: [1] }],
  ])('with two of %s (trap 7)', ([, field]) => {
    expect(reasonOf(sign([...plain, field]))).toBe('ok')
    expect(reasonOf(sign([...plain, field, field]))).toBe('repeated-field')
  })

  test.for([
    ['no hash', plain.filter((field) => field.letter !== 'p'), 'no-hash'],
    ['no secret', plain.filter((field) => field.letter !== 's'), 'no-secret'],
    ['no description', plain.filter((field) => field.letter !== 'd'), 'no-description'],
    ['both descriptions', [...plain, hexField('h', HASH)], 'no-description'],
    ['a hash of 51 words', [...plain, { letter: 'p', words: Array<number>(51).fill(0) }], 'field'],
    [
      'a secret of 53 words',
      [...plain, { letter: 's', words: Array<number>(53).fill(0) }],
      'field',
    ],
    ['a payee of 52 words', [...plain, { letter: 'n', words: Array<number>(52).fill(0) }], 'field'],
    ['a payee who did not sign', [...plain, hexField('n', `02${HASH}`)], 'signature'],
    ['a description that is no UTF-8', swapDescription([0xff, 0xfe]), 'field'],
    [
      'an expiry beyond every calendar',
      [...plain, { letter: 'x', words: Array<number>(8).fill(31) }],
      'expiry',
    ],
    [
      'an expiry of a hundred words',
      [...plain, { letter: 'x', words: Array<number>(100).fill(0) }],
      'expiry',
    ],
    ['an unknown required feature', swapFeatures([8, 14, 20]), 'feature'],
    ['parts that need no secret', swapFeatures([9, 17]), 'feature'],
  ] as const)('with %s', ([, fields, reason]) => {
    expect(reasonOf(sign([...fields]))).toBe(reason)
  })

  test.for([
    ['no amount', 'lnbc', 'amountless'],
    ['a fraction of a sat', 'lnbc15n', 'sub-sat'],
    ['a fraction of a millisat', 'lnbc15p', 'amount'],
    ['a leading zero', 'lnbc0210n', 'amount'],
    ['zero', 'lnbc0', 'amount'],
    ['more than all sats', 'lnbc21000001', 'amount'],
    ['a multiplier nobody knows', 'lnbc21k', 'amount'],
    ['a prefix nobody knows', 'lnxy21u', 'prefix'],
    ['another bech32 thing', 'bc', 'prefix'],
  ] as const)('with %s', ([, humanPart, reason]) => {
    expect(reasonOf(sign(plain, humanPart))).toBe(reason)
  })

  test('with padding that is not zero', () => {
    const words = hexField('p', HASH).words.with(51, (hexField('p', HASH).words[51] ?? 0) | 1)
    expect(reasonOf(sign([{ letter: 'p', words }, ...plain.slice(1)]))).toBe('field')
  })

  test('with a large S beside its payee, as BOLT 11 asks', () => {
    const text = sign([...plain, hexField('n', PAYEE)])
    expect(reasonOf(text)).toBe('ok')
    expect(reasonOf(withLargeS(text))).toBe('signature')
    expect(reasonOf(withLargeS(sign(plain)))).toBe('ok')
  })

  test('when one letter differs, mixed in case or too long', () => {
    const text = encodeBolt11(draft, KEY)
    const wrong = text.endsWith('q') ? 'p' : 'q'
    expect(reasonOf(text.slice(0, -1) + wrong)).toBe('not-bech32')
    expect(reasonOf(`${text.slice(0, 60).toUpperCase()}${text.slice(60)}`)).toBe('not-bech32')
    const long = sign([
      ...plain,
      ...Array<Field>(12).fill({ letter: '2', words: Array<number>(700).fill(0) }),
    ])
    expect(long.length).toBeGreaterThan(BOLT11_CHARS)
    expect(reasonOf(long)).toBe('too-long')
  })

  test.for(['', '1', 'lnbc', 'lnbc1', 'ln1qqqqqq', '\u0000', 'lnbc1\ud800qqqqqq', 'é'.repeat(200)])(
    'when it is %j',
    (text) => {
      expect(reasonOf(text)).not.toBe('ok')
    },
  )
})

function swapDescription(bytes: number[]): Field[] {
  const words = bytesToWords(Uint8Array.from(bytes))
  return plain.map((field) => (field.letter === 'd' ? { letter: 'd', words } : field))
}

function swapFeatures(bits: number[]): Field[] {
  return plain.map((field) => (field.letter === '9' ? featureField(bits) : field))
}

test('an unread signature leaves the payee empty and every other field as it is', () => {
  const text = encodeBolt11(draft, KEY)
  const checked = decodeBolt11(text)
  const unread = decodeBolt11(text, { signature: 'unread' })
  if (!checked.ok || !unread.ok) throw new Error('not read')
  expect(checked.invoice.payee).toBe(PAYEE)
  expect(unread.invoice).toEqual({ ...checked.invoice, payee: '' })
})

/** The twin of a signature with the other S, and the recovery id that belongs to it. */
function withLargeS(text: string): string {
  const { prefix, words } = bech32.decode(text, BOLT11_CHARS)
  const bytes = Buffer.from(bech32.fromWords(words.slice(-104)))
  const s = BigInt(`0x${bytes.subarray(32, 64).toString('hex')}`)
  const order = secp256k1.Point.CURVE().n
  const twin = Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex')
  const id = Uint8Array.of((bytes[64] ?? 0) ^ 1)
  const signature = bytesToWords(Buffer.concat([bytes.subarray(0, 32), twin, id]))
  return bech32.encode(prefix, [...words.slice(0, -104), ...signature], BOLT11_CHARS)
}
