import { hash } from 'node:crypto'
import { ORDER } from './curve-bytes.ts'

const N = BigInt(`0x${ORDER}`)

/** What signing needs of the curve: a secret's point, compressed; null for no valid secret. */
export type PointOf = (secret: Uint8Array) => Uint8Array | null

/**
 * Schnorr signing (BIP-340, "Default Signing") for one key whose point is computed once: a library that is handed the
 * secret each time computes it anew for each signature, half of what that costs. Big integers take a time that depends
 * on the secret, as the point multiplication of the only caller does. Throws for what is no secret key.
 */
export function schnorrSigner(secret: Uint8Array, pointOf: PointOf) {
  const own = pointOf(secret)
  if (own === null) throw new Error('not a valid secret key')
  const publicKey = own.slice(1)
  const d = evenSecret(secret, own)
  const dBytes = bytesOf(d)

  return {
    publicKey,
    /** Both 32 bytes. */
    sign(message: Uint8Array, auxRand: Uint8Array): Uint8Array {
      const mask = tagged(AUX, auxRand)
      const t = dBytes.map((byte, place) => byte ^ (mask[place] ?? 0))
      const nonce = bytesOf(numberOf(tagged(NONCE, t, publicKey, message)) % N)
      const point = pointOf(nonce)
      if (point === null) throw new Error('the nonce is zero')
      const r = point.subarray(1)
      const e = numberOf(tagged(CHALLENGE, r, publicKey, message)) % N
      return Buffer.concat([r, bytesOf((evenSecret(nonce, point) + e * d) % N)])
    },
  }
}

/** The secret of the point with the even y. */
const evenSecret = (secret: Uint8Array, point: Uint8Array): bigint =>
  point[0] === 2 ? numberOf(secret) : N - numberOf(secret)

const numberOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
const bytesOf = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex')

const tag = (name: string): Buffer => {
  const digest = hash('sha256', `BIP0340/${name}`, 'buffer')
  return Buffer.concat([digest, digest])
}
const [AUX, NONCE, CHALLENGE] = [tag('aux'), tag('nonce'), tag('challenge')] as const

const tagged = (prefix: Buffer, ...parts: Uint8Array[]): Buffer =>
  hash('sha256', Buffer.concat([prefix, ...parts]), 'buffer')
