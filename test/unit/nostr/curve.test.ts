import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js'
import { describe, expect, test } from 'vitest'
import { chooseCurve, curveFault, loadCurve } from '../../../src/nostr/curve.ts'
import type { Curve, Keypair } from '../../../src/nostr/types.ts'
import { machineCurves } from '../../support/curves.ts'
import { seeded, SWEEP_MS, sweepRounds } from '../../support/seeded.ts'

const curves = await machineCurves()
const hex = (text: string): Uint8Array => Buffer.from(text, 'hex')
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

interface Row {
  index: number
  secret: string
  publicKey: string
  auxRand: string
  message: string
  signature: string
  valid: boolean
  comment: string
}

/** bip-0340/test-vectors.csv of the bitcoin/bips repository, byte for byte. */
const file = readFileSync(new URL('../../vectors/bip340-test-vectors.csv', import.meta.url))
const rows: Row[] = file
  .toString()
  .trim()
  .split(/\r?\n/)
  .slice(1)
  .map((line) => {
    const [index, secret, publicKey, auxRand, message, signature, result, ...comment] =
      line.split(',')
    return {
      index: Number(index),
      secret: secret ?? '',
      publicKey: publicKey ?? '',
      auxRand: auxRand ?? '',
      message: message ?? '',
      signature: signature ?? '',
      valid: result === 'TRUE',
      comment: comment.join(),
    }
  })
const nostrRows = rows.filter((row) => row.message.length === 64)

test('the official BIP-340 file has its 19 rows, 15 of them with messages of 32 bytes', () => {
  expect(hash('sha256', file)).toBe(
    '34c9d1d9c3a88d524bc80778540dc43f8306ec249a7485293063c376db851c2d',
  )
  expect([rows.length, nostrRows.length]).toEqual([19, 15])
})

describe.each(curves)('curve $name', (curve) => {
  test.each(nostrRows)('BIP-340 row $index verifies as $valid $comment', (row) => {
    expect(curve.verify(hex(row.signature), hex(row.message), hex(row.publicKey))).toBe(row.valid)
  })

  test.each(nostrRows.filter((row) => row.secret))('BIP-340 row $index is signed alike', (row) => {
    const pair = curve.keypair(hex(row.secret))
    expect(text(pair.publicKey)).toBe(row.publicKey.toLowerCase())
    expect(text(pair.sign(hex(row.message), hex(row.auxRand)))).toBe(row.signature.toLowerCase())
  })

  // Nostr signs ids only; a longer "message" reaching the curve is a bug of ours or an attack.
  test.each(rows.filter((row) => row.message.length !== 64))(
    'BIP-340 row $index, whose message is not 32 bytes, is refused',
    (row) => {
      expect(curve.verify(hex(row.signature), hex(row.message), hex(row.publicKey))).toBe(false)
    },
  )

  test('input of a wrong length or type is refused before it reaches the library', () => {
    const pair = curve.keypair(Buffer.alloc(32, 7))
    const message = Buffer.alloc(32, 1)
    const signature = pair.sign(message)
    const { publicKey } = pair
    expect(curve.verify(signature, message, publicKey)).toBe(true)
    for (const cut of [0, 1, 31]) {
      expect(curve.verify(signature.subarray(0, cut), message, publicKey)).toBe(false)
      expect(curve.verify(signature, message.subarray(0, cut), publicKey)).toBe(false)
      expect(curve.verify(signature, message, publicKey.subarray(0, cut))).toBe(false)
      expect(() => curve.keypair(Buffer.alloc(cut, 7))).toThrow()
      expect(() => pair.sign(Buffer.alloc(cut))).toThrow()
      expect(() => pair.sign(message, Buffer.alloc(cut))).toThrow()
      expect(() => pair.ecdhX(publicKey.subarray(0, cut))).toThrow()
    }
    expect(curve.verify(Buffer.concat([signature, signature]), message, publicKey)).toBe(false)
    expect(() => pair.ecdhX(Buffer.concat([Buffer.of(2), publicKey]))).toThrow()
    const notBytes: unknown[] = [undefined, null, 'a'.repeat(32), Array(32).fill(1), { length: 32 }]
    for (const value of notBytes) {
      expect(curve.verify(value as Uint8Array, message, publicKey)).toBe(false)
      expect(curve.verify(signature, value as Uint8Array, publicKey)).toBe(false)
      expect(curve.verify(signature, message, value as Uint8Array)).toBe(false)
      expect(() => curve.keypair(value as Uint8Array)).toThrow()
    }
  })

  test('a key that is agreed with again gives the same, and one off the curve never gives any', () => {
    const [one, two] = [7, 8].map((byte) => curve.keypair(Buffer.alloc(32, byte)))
    if (!one || !two) throw new Error('no keys')
    const first = one.ecdhX(two.publicKey)
    expect(one.ecdhX(Buffer.from(two.publicKey))).toEqual(first)
    expect(two.ecdhX(one.publicKey)).toEqual(first)
    const offCurve = Buffer.alloc(32, 0xff)
    for (const _ of [1, 2]) expect(() => one.ecdhX(offCurve)).toThrow('not a public key')
    expect(one.ecdhX(two.publicKey)).toEqual(first)
  })

  test('a keypair keeps its key when the caller wipes the bytes it came from', () => {
    const secret = Buffer.alloc(32, 9)
    const pair = curve.keypair(secret)
    const before = pair.ecdhX(curve.keypair(Buffer.alloc(32, 7)).publicKey)
    secret.fill(0)
    const message = Buffer.alloc(32, 3)
    expect(curve.verify(pair.sign(message), message, pair.publicKey)).toBe(true)
    expect(pair.ecdhX(curve.keypair(Buffer.alloc(32, 7)).publicKey)).toEqual(before)
  })

  test('two signatures of one message differ and both verify', () => {
    const pair = curve.keypair(Buffer.alloc(32, 7))
    const message = Buffer.alloc(32, 1)
    const [one, two] = [pair.sign(message), pair.sign(message)]
    expect(text(one)).not.toBe(text(two))
    expect(curve.verify(one, message, pair.publicKey)).toBe(true)
    expect(curve.verify(two, message, pair.publicKey)).toBe(true)
  })

  const random = seeded()
  const rounds = sweepRounds(40, 1_000)
  test(`agrees with noble on ${rounds} random keys and their bit flips, seed ${random.seed}`, {
    timeout: SWEEP_MS,
  }, () => {
    for (let round = 0; round < rounds; round++) {
      const [secret, message, aux] = [random.bytes(32), random.bytes(32), random.bytes(32)]
      const pair = curve.keypair(secret)
      const signature = schnorr.sign(message, secret, aux)
      expect(text(pair.publicKey)).toBe(text(schnorr.getPublicKey(secret)))
      expect(text(pair.sign(message, aux))).toBe(text(signature))
      expect(curve.verify(signature, message, pair.publicKey)).toBe(true)
      for (const part of [signature, message, pair.publicKey]) {
        const [at, bit] = [random.int(part.length), 1 << random.int(8)]
        part[at] = (part[at] ?? 0) ^ bit
        expect(curve.verify(signature, message, pair.publicKey)).toBe(false)
        part[at] = (part[at] ?? 0) ^ bit
      }
      expect(curve.verify(signature, message, pair.publicKey)).toBe(true)
      // Half of all random x are on no point: both must say so.
      const x = random.bytes(32)
      expect(sharedX(pair, x)).toBe(nobleSharedX(secret, x))
    }
  })
})

function sharedX(pair: Keypair, x: Uint8Array): string {
  try {
    return text(pair.ecdhX(x))
  } catch {
    return 'off'
  }
}

function nobleSharedX(secret: Uint8Array, x: Uint8Array): string {
  try {
    const point = secp256k1.getSharedSecret(secret, Buffer.concat([Buffer.of(2), x]), true)
    return text(point.subarray(1))
  } catch {
    return 'off'
  }
}

describe('the choice of a curve', () => {
  test('takes native where it loads and WebAssembly where not, and says what it tried', async () => {
    const { curve, tried } = await loadCurve()
    expect(tried.at(-1)).toEqual({ name: curve.name, ok: true })
    expect(tried[0]?.name).toBe('native')
    if (curve.name === 'wasm') expect(tried[0]?.reason).toBeTruthy()
  })

  test('takes WebAssembly where it is preferred', async () => {
    const { curve, tried } = await loadCurve({ prefer: 'wasm' })
    expect(curve.name).toBe('wasm')
    expect(tried).toEqual([{ name: 'wasm', ok: true }])
  })

  const [good] = curves
  if (!good) throw new Error('no curve on this machine')
  const bad = (change: Partial<Curve>): Curve => ({ ...good, name: 'native', ...change })
  const badPair = (change: Partial<Keypair>): Curve =>
    bad({ keypair: (secret) => ({ ...good.keypair(secret), ...change }) })

  test.each<[string, Curve]>([
    ['accepts every signature', bad({ verify: () => true })],
    ['refuses every signature', bad({ verify: () => false })],
    ['looks at the first half of a signature', bad({ verify: halfVerify(good) })],
    ['takes zero as a secret', bad({ keypair: (s) => good.keypair(s.some(Boolean) ? s : one()) })],
    ['has another public key', badPair({ publicKey: Buffer.alloc(32, 1) })],
    ['signs something else', badPair({ sign: () => Buffer.alloc(64, 1) })],
    ['hashes the shared point', badPair({ ecdhX: () => Buffer.alloc(32, 1) })],
    ['takes a key off the curve', bad({ keypair: laxEcdh(good) })],
  ])('passes over a stack that %s', async (_, curve) => {
    expect(curveFault(curve)).toBeTypeOf('string')
    const { curve: chosen, tried } = await chooseCurve([
      { name: 'native', load: async () => curve },
      { name: 'wasm', load: async () => good },
    ])
    expect(chosen).toBe(good)
    expect(tried).toEqual([
      { name: 'native', ok: false, reason: expect.any(String) },
      { name: 'wasm', ok: true },
    ])
  })

  test('fails with every reason when no stack is left', async () => {
    const missing = async () => Promise.reject(new Error('library is missing'))
    const lying = async () => bad({ verify: () => true })
    await expect(
      chooseCurve([
        { name: 'native', load: missing },
        { name: 'wasm', load: lying },
      ]),
    ).rejects.toThrow(/native: library is missing; wasm: forged signature/)
  })
})

function one(): Uint8Array {
  return Buffer.alloc(32).fill(1, 31)
}

function halfVerify(good: Curve): Curve['verify'] {
  const seen = new Map<string, boolean>()
  return (signature, message, publicKey) => {
    const half = text(signature.subarray(0, 32)) + text(message) + text(publicKey)
    const known = seen.get(half) ?? good.verify(signature, message, publicKey)
    seen.set(half, known)
    return known
  }
}

function laxEcdh(good: Curve): Curve['keypair'] {
  return (secret) => {
    const pair = good.keypair(secret)
    return {
      ...pair,
      ecdhX(publicKey) {
        try {
          return pair.ecdhX(publicKey)
        } catch {
          return Buffer.alloc(32)
        }
      },
    }
  }
}
