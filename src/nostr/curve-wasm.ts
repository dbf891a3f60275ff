import * as tiny from 'tiny-secp256k1'
import { CONVERSATION_KEYS } from '../limits.ts'
import { schnorrSigner } from './bip340.ts'
import { isBytes } from './curve-bytes.ts'
import { freshBytes } from './random.ts'
import type { Curve, Keypair } from './types.ts'

/**
 * tiny-secp256k1, libsecp256k1 compiled to WebAssembly: needs nothing of the machine, about four
 * times the cost of native. Its point multiplication is variable time in the secret, which only a
 * stranger on the same machine could measure; native is constant time.
 */
export function loadWasmCurve(): Curve {
  return {
    name: 'wasm',
    verify(signature, message, publicKey) {
      if (!isBytes(signature, 64) || !isBytes(message, 32) || !isBytes(publicKey, 32)) return false
      try {
        return tiny.verifySchnorr(message, publicKey, signature)
      } catch {
        return false
      }
    },
    keypair,
  }
}

function keypair(secret: Uint8Array): Keypair {
  if (!isBytes(secret, 32) || !tiny.isPrivate(secret)) throw new Error('not a valid secret key')
  const own = Uint8Array.from(secret)
  const { publicKey, sign } = schnorrSigner(own, (scalar) => tiny.pointFromScalar(scalar, true))
  return {
    publicKey,
    sign(message, auxRand = freshBytes(32)) {
      if (!isBytes(message, 32) || !isBytes(auxRand, 32)) throw new Error('not 32 bytes')
      return sign(message, auxRand)
    },
    ecdhX(publicKey) {
      if (!isBytes(publicKey, 32)) throw new Error('not a public key of the curve')
      const shared = multiply(publicKey, own)
      if (shared === null) throw new Error('not a public key of the curve')
      return shared.slice(1)
    },
  }
}

/** `null` off the curve: the library throws there, and asking it first would cost a square root. */
function multiply(publicKey: Uint8Array, scalar: Uint8Array): Uint8Array | null {
  try {
    return tiny.pointMultiply(pointOf(publicKey), scalar, true)
  } catch {
    return null
  }
}

/** The points of keys met last: a customer is written to again, and finding its point costs a square root. */
const points = new Map<string, Uint8Array>()

/** Throws for a key off the curve. */
function pointOf(publicKey: Uint8Array): Uint8Array {
  const name = Buffer.from(publicKey).toString('latin1')
  const point = points.get(name) ?? lift(publicKey)
  // Put again at the end, so that the first entry is the one unused for longest.
  points.delete(name)
  points.set(name, point)
  if (points.size > CONVERSATION_KEYS) points.delete(points.keys().next().value ?? '')
  return point
}

function lift(publicKey: Uint8Array): Uint8Array {
  // x-only keys stand for the point with the even y (BIP-340); the sign does not change x.
  const compressed = new Uint8Array(33)
  compressed[0] = 2
  compressed.set(publicKey, 1)
  return tiny.pointCompress(compressed, false)
}
