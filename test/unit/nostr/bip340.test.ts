import fc from 'fast-check'
import * as tiny from 'tiny-secp256k1'
import { describe, expect, test } from 'vitest'
import { schnorrSigner } from '../../../src/nostr/bip340.ts'

const pointOf = (scalar: Uint8Array) => tiny.pointFromScalar(scalar, true)
const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 })
const hex = (value: Uint8Array) => Buffer.from(value).toString('hex')
const fill = (byte: number) => new Uint8Array(32).fill(byte)

/** The smallest and the largest secret key. */
const one = Uint8Array.from(Buffer.from('1'.padStart(64, '0'), 'hex'))
const last = tiny.privateNegate(one)

describe('a signature by a point that is computed once', () => {
  test("is the library's, byte for byte", () => {
    fc.assert(
      fc.property(bytes.filter(tiny.isPrivate), bytes, bytes, (secret, message, auxRand) => {
        const { publicKey, sign } = schnorrSigner(secret, pointOf)
        expect(hex(publicKey)).toBe(hex(tiny.xOnlyPointFromScalar(secret)))
        const signature = sign(message, auxRand)
        expect(hex(signature)).toBe(hex(tiny.signSchnorr(message, secret, auxRand)))
        expect(tiny.verifySchnorr(message, publicKey, signature)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test.each([one, last])('is right at the ends of the order', (secret) => {
    const { sign } = schnorrSigner(secret, pointOf)
    for (const auxRand of [fill(0), fill(255)]) {
      for (const message of [fill(0), fill(255)]) {
        const signature = hex(sign(message, auxRand))
        expect(signature).toBe(hex(tiny.signSchnorr(message, secret, auxRand)))
      }
    }
  })

  test('has another nonce for another message, and for another secret', () => {
    const nonces = [one, last, fill(7)].flatMap((secret) =>
      [fill(1), fill(2)].map((message) => {
        const signature = schnorrSigner(secret, pointOf).sign(message, fill(0))
        return hex(signature.subarray(0, 32))
      }),
    )
    // The smallest and the largest secret have one x between them, and so one key.
    expect(new Set(nonces).size).toBe(4)
  })

  test('is not made for what is no secret key', () => {
    expect(() => schnorrSigner(fill(0), pointOf)).toThrow()
    expect(() => schnorrSigner(fill(255), pointOf)).toThrow()
  })
})
