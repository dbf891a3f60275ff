import type { LibraryHandle } from 'koffi'
import { type Bolt11Sign, signByWasm } from '../lightning/bolt11-encode.ts'

/** SIGN: what libraries before 0.2 need; later ones take it as "no flags". */
const CONTEXT_FLAGS = 0x0201
const RECOVERABLE_BYTES = 65

/**
 * How the play-money node signs its invoices: by the system's libsecp256k1 where that signs what WebAssembly
 * signs, at a sixth of the cost. The nonce follows from key and message (RFC 6979), so that both give the same.
 */
export async function loadNodeSignature(): Promise<Bolt11Sign> {
  const [digest, secret] = [Buffer.alloc(32, 0x5a), Buffer.alloc(32, 0x17)]
  try {
    const { openLibrary } = await import('../nostr/curve-native.ts')
    const native = bind(openLibrary())
    const [one, other] = [native(digest, secret), signByWasm(digest, secret)]
    const same =
      one.recoveryId === other.recoveryId && Buffer.from(one.signature).equals(other.signature)
    return same ? native : signByWasm
  } catch {
    return signByWasm
  }
}

type Call<Arguments extends unknown[]> = (...given: Arguments) => number

function bind(lib: LibraryHandle): Bolt11Sign {
  const context: unknown = lib.func('secp256k1_context_create', 'void *', ['uint'])(CONTEXT_FLAGS)
  const bytes = 'uint8_t *'
  const sign: Call<[unknown, Uint8Array, Uint8Array, Uint8Array, null, null]> = lib.func(
    ...(['secp256k1_ecdsa_sign_recoverable', 'int'] as const),
    ['void *', bytes, bytes, bytes, 'void *', 'void *'],
  )
  const serialize: Call<[unknown, Uint8Array, Int32Array, Uint8Array]> = lib.func(
    ...(['secp256k1_ecdsa_recoverable_signature_serialize_compact', 'int'] as const),
    ['void *', bytes, 'int32_t *', bytes],
  )
  const made = Buffer.alloc(RECOVERABLE_BYTES)
  const id = new Int32Array(1)
  return (digest, secret) => {
    if (digest.length !== 32 || secret.length !== 32) throw new Error('not 32 bytes')
    const signature = Buffer.alloc(64)
    if (
      sign(context, made, digest, secret, null, null) !== 1 ||
      serialize(context, signature, id, made) !== 1
    ) {
      throw new Error('signing failed')
    }
    return { signature, recoveryId: id[0] ?? 0 }
  }
}
