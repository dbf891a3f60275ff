import { createCipheriv, createHmac, hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { v2 as theirs } from 'nostr-tools/nip44'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { NIP44_PLAINTEXT_BYTES } from '../../../src/limits.ts'
import {
  conversationKey,
  decrypt,
  encrypt,
  messageKeys,
  Nip44Error,
  type Nip44Fault,
  paddedLength,
} from '../../../src/nostr/nip44.ts'
import { machineCurves } from '../../support/curves.ts'
import { seeded, sweepRounds } from '../../support/seeded.ts'

/** nip44.vectors.json of the paulmillr/nip44 repository, byte for byte. */
const file = readFileSync(new URL('../../vectors/nip44.vectors.json', import.meta.url))
const s = z.string()
const n = z.number()
const { valid, invalid } = z
  .object({
    v2: z.object({
      valid: z.object({
        get_conversation_key: z.array(z.object({ sec1: s, pub2: s, conversation_key: s })),
        get_message_keys: z.object({
          conversation_key: s,
          keys: z.array(z.object({ nonce: s, chacha_key: s, chacha_nonce: s, hmac_key: s })),
        }),
        calc_padded_len: z.array(z.tuple([n, n])),
        encrypt_decrypt: z.array(
          z.object({
            sec1: s,
            sec2: s,
            conversation_key: s,
            nonce: s,
            plaintext: s,
            payload: s,
          }),
        ),
        encrypt_decrypt_long_msg: z.array(
          z.object({
            conversation_key: s,
            nonce: s,
            pattern: s,
            repeat: n,
            plaintext_sha256: s,
            payload_sha256: s,
          }),
        ),
      }),
      invalid: z.object({
        encrypt_msg_lengths: z.array(n),
        get_conversation_key: z.array(z.object({ sec1: s, pub2: s, note: s })),
        decrypt: z.array(z.object({ conversation_key: s, payload: s, note: s })),
      }),
    }),
  })
  .parse(JSON.parse(file.toString())).v2

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function fault(call: () => unknown): Nip44Fault | 'none' {
  try {
    call()
    return 'none'
  } catch (error) {
    if (error instanceof Nip44Error) return error.code
    throw error
  }
}

describe('the official NIP-44 file', () => {
  test('is the one whose checksum NIP-44 prints, with 104 valid and 24 invalid cases', () => {
    expect(hash('sha256', file)).toBe(
      '269ed0f69e4c192512cc779e78c555090cebc7c785b609e338a62afc3ce25040',
    )
    const good = { ...valid, get_message_keys: valid.get_message_keys.keys }
    const count = (lists: Record<string, unknown[]>) => Object.values(lists).flat(1).length
    expect([count(good), count(invalid)]).toEqual([104, 24])
  })

  test.each(valid.get_message_keys.keys)('message keys of nonce $nonce', (row) => {
    const keys = messageKeys(hex(valid.get_message_keys.conversation_key), hex(row.nonce))
    expect(text(keys.chachaKey)).toBe(row.chacha_key)
    expect(text(keys.chachaNonce)).toBe(row.chacha_nonce)
    expect(text(keys.hmacKey)).toBe(row.hmac_key)
  })

  test.each(valid.calc_padded_len)('%i bytes are padded to %i', (length, padded) => {
    expect(paddedLength(length)).toBe(padded)
  })

  test.each(valid.encrypt_decrypt)('encrypts and decrypts $plaintext', (row) => {
    const key = hex(row.conversation_key)
    expect(encrypt(row.plaintext, key, hex(row.nonce))).toBe(row.payload)
    expect(decrypt(row.payload, key)).toBe(row.plaintext)
  })

  test.each(valid.encrypt_decrypt_long_msg)('encrypts $pattern × $repeat', (row) => {
    const plaintext = row.pattern.repeat(row.repeat)
    expect(hash('sha256', plaintext)).toBe(row.plaintext_sha256)
    const payload = encrypt(plaintext, hex(row.conversation_key), hex(row.nonce))
    expect(hash('sha256', payload)).toBe(row.payload_sha256)
    expect(decrypt(payload, hex(row.conversation_key))).toBe(plaintext)
  })

  // Three of the four lengths are legal since June 2026; our cap refuses them all the same.
  test.each(invalid.encrypt_msg_lengths)('a text of %i bytes is refused', (length) => {
    const refused = fault(() => encrypt('x'.repeat(length), Buffer.alloc(32, 1)))
    expect(refused).toBe(length === 0 ? 'empty' : 'too-long')
  })

  test.each(invalid.decrypt)('$note is refused: $payload', (row) => {
    const codes: Record<string, Nip44Fault> = {
      'unknown encryption version': 'version',
      'unknown encryption version 0': 'version',
      'invalid base64': 'base64',
      'invalid MAC': 'mac',
      'invalid padding': 'padding',
    }
    expect(fault(() => decrypt(row.payload, hex(row.conversation_key)))).toBe(
      codes[row.note] ?? 'length',
    )
  })
})

describe.each(await machineCurves())('conversation keys on curve $name', (curve) => {
  test.each(valid.get_conversation_key)('of secret $sec1 with $pub2', (row) => {
    const x = curve.keypair(hex(row.sec1)).ecdhX(hex(row.pub2))
    expect(text(conversationKey(x))).toBe(row.conversation_key)
  })

  test.each(valid.encrypt_decrypt)('are the same from both sides for $sec1, $sec2', (row) => {
    const [one, two] = [curve.keypair(hex(row.sec1)), curve.keypair(hex(row.sec2))]
    expect(text(conversationKey(one.ecdhX(two.publicKey)))).toBe(row.conversation_key)
    expect(text(conversationKey(two.ecdhX(one.publicKey)))).toBe(row.conversation_key)
  })

  test.each(invalid.get_conversation_key)('do not exist: $note', (row) => {
    expect(() => curve.keypair(hex(row.sec1)).ecdhX(hex(row.pub2))).toThrow(/not a/)
  })
})

describe('payloads', () => {
  const key = Buffer.alloc(32, 7)

  test('the largest text passes, one byte more is refused on both sides', () => {
    const largest = 'é'.repeat((NIP44_PLAINTEXT_BYTES - 1) / 2).concat('x')
    expect(decrypt(encrypt(largest, key), key)).toBe(largest)
    expect(fault(() => encrypt(`${largest}x`, key))).toBe('too-long')
    // The form of June 2026: two zero bytes and a length of four.
    const longer = theirs.encrypt(`${largest}x`, key)
    expect(fault(() => decrypt(longer, key))).toBe('length')
  })

  // A bare MAC check would let a two-byte zero prefix through: that is how the longer form begins.
  test('a short text in the long form is refused', () => {
    const padded = Buffer.alloc(2 + 4 + 90)
    padded.writeUInt32BE(40, 2)
    expect(fault(() => decrypt(seal(padded, key), key))).toBe('padding')
  })

  test.each<[string, Buffer]>([
    ['a length beyond the text', prefixed(33, Buffer.alloc(32, 97))],
    ['a length of zero', prefixed(0, Buffer.alloc(32))],
    ['too much padding', prefixed(5, Buffer.alloc(64, 97))],
    ['too little padding', prefixed(33, Buffer.alloc(33, 97))],
  ])('%s is refused though its MAC is right', (_, padded) => {
    expect(fault(() => decrypt(seal(padded, key), key))).toMatch(/padding|length/)
  })

  test.each<[string, number[]]>([
    ['a cut character', [0xc3]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a byte order mark of UTF-16', [0xff, 0xfe]],
  ])('%s is refused: the text is no UTF-8', (_, bytes) => {
    const padded = prefixed(
      bytes.length,
      Buffer.alloc(32, Buffer.from(bytes)).fill(0, bytes.length),
    )
    expect(fault(() => decrypt(seal(padded, key), key))).toBe('utf8')
  })

  test('a byte order mark of UTF-8 stays in the text', () => {
    expect(decrypt(encrypt('\ufeffhi', key), key)).toBe('\ufeffhi')
  })

  test('a lone surrogate is not encrypted into something else', () => {
    expect(fault(() => encrypt('a\ud800', key))).toBe('utf8')
  })

  test.each<[string, (payload: string) => string, Nip44Fault]>([
    ['without its padding', (p) => p.replace(/=+$/, ''), 'base64'],
    ['in the URL alphabet', (p) => p.replaceAll('+', '-').replaceAll('/', '_'), 'base64'],
    ['with a line end', (p) => `${p}\n`, 'base64'],
    ['with a blank', (p) => `${p.slice(0, 40)} ${p.slice(40)}`, 'base64'],
    ['with text after it', (p) => `${p}AAAA`, 'base64'],
    ['with set bits behind its end', (p) => p.replace(/.=$/, (end) => next(end)), 'base64'],
    ['with another version', (p) => `AQ${p.slice(2)}`, 'version'],
    ['with a mark of later versions', (p) => `#${p}`, 'version'],
    ['cut in half', (p) => p.slice(0, p.length / 2), 'length'],
    ['of a megabyte', (p) => p.repeat(8_000), 'length'],
  ])('a payload %s is refused', (_, change, code) => {
    // A nonce of 0xff brings + and / into the text; 131 bytes end with one =.
    const payload = encrypt('hello'.repeat(8), key, Buffer.alloc(32, 0xff))
    expect(payload).toMatch(/^[^=]*[+/][^=]*=$/)
    expect(fault(() => decrypt(change(payload), key))).toBe(code)
  })

  test('a key or nonce of a wrong length is refused', () => {
    expect(fault(() => encrypt('a', key.subarray(1)))).toBe('key')
    expect(fault(() => encrypt('a', key, Buffer.alloc(31)))).toBe('key')
    expect(fault(() => decrypt(encrypt('a', key), Buffer.alloc(33)))).toBe('key')
  })

  const random = seeded()
  const rounds = sweepRounds(60, 2_000)
  test(`nostr-tools and we read each other, ${rounds} random texts, seed ${random.seed}`, () => {
    for (let round = 0; round < rounds; round++) {
      const own = random.bytes(32)
      const plaintext = Buffer.from(random.bytes(1 + random.int(3_000))).toString('latin1')
      expect(theirs.decrypt(encrypt(plaintext, own), own)).toBe(plaintext)
      const payload = theirs.encrypt(plaintext, own)
      expect(decrypt(payload, own)).toBe(plaintext)
      const bytes = Buffer.from(payload, 'base64')
      const at = random.int(bytes.length)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(8))
      expect(fault(() => decrypt(bytes.toString('base64'), own))).toBe(at === 0 ? 'version' : 'mac')
    }
  })
})

/** Next character of the base64 alphabet in front of the `=`: same bytes, other text. */
function next(end: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  return `${alphabet[alphabet.indexOf(end.slice(0, 1)) + 1]}=`
}

function prefixed(length: number, body: Buffer): Buffer {
  const prefix = Buffer.alloc(2)
  prefix.writeUInt16BE(length)
  return Buffer.concat([prefix, body])
}

/** A payload with a right MAC around any padded text: what a hostile sender can build. */
function seal(padded: Buffer, key: Buffer): string {
  const nonce = Buffer.alloc(32, 3)
  const keys = messageKeys(key, nonce)
  const iv = Buffer.concat([Buffer.alloc(4), keys.chachaNonce])
  const sealed = createCipheriv('chacha20', keys.chachaKey, iv).update(padded)
  const mac = createHmac('sha256', keys.hmacKey).update(nonce).update(sealed).digest()
  return Buffer.concat([Buffer.of(2), nonce, sealed, mac]).toString('base64')
}
