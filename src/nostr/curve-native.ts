import { randomBytes } from 'node:crypto'
import koffi, { type LibraryHandle } from 'koffi'
import { isBytes } from './curve-bytes.ts'
import { freshBytes } from './random.ts'
import type { Curve, Keypair } from './types.ts'

/**
 * Every name the system's libsecp256k1 goes by: the number is the ABI and differs by distribution.
 * A later number is tried first; the self-test in `curve.ts` has the last word on all of them.
 */
const ABIS = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
const LINUX = [...ABIS.map((abi) => `libsecp256k1.so.${abi}`), 'libsecp256k1.so']
const MAC_NAMES = ['libsecp256k1.dylib', ...ABIS.map((abi) => `libsecp256k1.${abi}.dylib`)]
const MAC_FOLDERS = ['', '/opt/homebrew/lib/', '/usr/local/lib/', '/opt/local/lib/']
const MAC = MAC_FOLDERS.flatMap((folder) => MAC_NAMES.map((name) => folder + name))

/** SIGN | VERIFY: what libraries before 0.2 need; later ones take it as "no flags". */
const CONTEXT_FLAGS = 0x0301

const COMPRESSED_BYTES = 33
const PARSED_KEY_BYTES = 64
const KEYPAIR_BYTES = 96

/**
 * The system's libsecp256k1 through koffi. Throws when no library of that name loads or one of its
 * functions is missing.
 *
 * C trusts its caller: a short buffer is a memory fault, not an exception. So each length is checked
 * here in front of each call, the binding stays at the few functions of `bind`, and only objects that the
 * library itself has parsed are handed on to it (it aborts the process on others).
 */
export function loadNativeCurve(): Curve {
  const library = bind(openLibrary())
  const { parsedKey } = library
  return {
    name: 'native',
    verify(signature, message, publicKey) {
      if (!isBytes(signature, 64) || !isBytes(message, 32) || !isBytes(publicKey, 32)) return false
      if (library.parseXOnly(library.context, parsedKey, publicKey) !== 1) return false
      return library.verify(library.context, signature, message, 32, parsedKey) === 1
    },
    keypair: (secret) => keypair(library, secret),
  }
}

function keypair(library: Library, secret: Uint8Array): Keypair {
  if (!isBytes(secret, 32)) throw new Error('not a valid secret key')
  // Memory of their own: in Buffer's shared pool, any other small Buffer would lead to the secret.
  const own = Uint8Array.from(secret)
  const pair = Buffer.alloc(KEYPAIR_BYTES)
  const publicKey = Buffer.allocUnsafe(32)
  const { context, parsedKey } = library
  if (
    library.createKeypair(context, pair, own) !== 1 ||
    library.xOnlyOfKeypair(context, parsedKey, null, pair) !== 1 ||
    library.serializeXOnly(context, publicKey, parsedKey) !== 1
  ) {
    throw new Error('not a valid secret key')
  }
  return {
    publicKey,
    sign(message, auxRand = freshBytes(32)) {
      if (!isBytes(message, 32) || !isBytes(auxRand, 32)) throw new Error('not 32 bytes')
      const signature = Buffer.allocUnsafe(64)
      if (library.sign(context, signature, message, pair, auxRand) !== 1) {
        throw new Error('signing failed')
      }
      return signature
    },
    ecdhX(other) {
      if (!isBytes(other, 32)) throw new Error('not a public key of the curve')
      return library.sharedX(other, own)
    },
  }
}

type Library = ReturnType<typeof bind>

/** Throws when no library of that name loads. */
export function openLibrary(): LibraryHandle {
  const names = process.platform === 'darwin' ? MAC : LINUX
  for (const name of names) {
    try {
      return koffi.load(name)
    } catch {
      // The next name may be the one this machine has; all of them missing is told below.
    }
  }
  throw new Error('libsecp256k1 is not installed')
}

type Bytes = Uint8Array
type Context = unknown

function bind(lib: LibraryHandle) {
  const func = (name: string, ...args: string[]) =>
    lib.func(`secp256k1_${name}`, 'int', ['void *', ...args])
  const create: (flags: number) => Context = lib.func('secp256k1_context_create', 'void *', [
    'uint',
  ])
  const randomize: (c: Context, seed: Bytes) => number = func('context_randomize', 'uint8_t *')
  const context = create(CONTEXT_FLAGS)
  // Blinds the secret scalars of this context against reading them off timing or power.
  if (!context || randomize(context, randomBytes(32)) !== 1) throw new Error('no context')
  const createKeypair: (c: Context, pair: Bytes, secret: Bytes) => number = func(
    'keypair_create',
    ...Array(2).fill('uint8_t *'),
  )
  const xOnlyOfKeypair: (c: Context, key: Bytes, parity: null, pair: Bytes) => number = func(
    'keypair_xonly_pub',
    ...Array(3).fill('uint8_t *'),
  )
  const serializeXOnly: (c: Context, out: Bytes, key: Bytes) => number = func(
    'xonly_pubkey_serialize',
    ...Array(2).fill('uint8_t *'),
  )
  const parseXOnly: (c: Context, key: Bytes, x: Bytes) => number = func(
    'xonly_pubkey_parse',
    ...Array(2).fill('uint8_t *'),
  )
  const sign: (c: Context, out: Bytes, message: Bytes, pair: Bytes, aux: Bytes) => number = func(
    'schnorrsig_sign32',
    ...Array(4).fill('uint8_t *'),
  )
  const verify: (c: Context, sig: Bytes, message: Bytes, length: number, key: Bytes) => number =
    func('schnorrsig_verify', 'uint8_t *', 'uint8_t *', 'size_t', 'uint8_t *')
  return {
    context,
    /** A parsed public key between two calls; calls do not overlap, so that one serves them all. */
    parsedKey: Buffer.alloc(PARSED_KEY_BYTES),
    createKeypair,
    xOnlyOfKeypair,
    serializeXOnly,
    parseXOnly,
    sign,
    verify,
    sharedX: bindEcdh(lib, context),
  }
}

/**
 * Constant-time ECDH. The library hashes the shared point by a function of the caller's choice; ours
 * takes x as it is, which is what NIP-44 and NIP-04 begin with. One registered callback serves all
 * calls, since they are synchronous and a thread has a binding of its own.
 */
function bindEcdh(lib: LibraryHandle, context: Context) {
  const hash = koffi.pointer(koffi.proto('int', ['void *', 'void *', 'void *', 'void *']))
  const xBytes = koffi.array('uint8_t', 32, 'Typed')
  const parsePoint: (c: Context, key: Bytes, point: Bytes, length: number) => number = lib.func(
    'secp256k1_ec_pubkey_parse',
    'int',
    ['void *', 'uint8_t *', 'uint8_t *', 'size_t'],
  )
  const ecdh: (
    c: Context,
    out: Bytes,
    key: Bytes,
    secret: Bytes,
    by: bigint,
    data: null,
  ) => number = lib.func('secp256k1_ecdh', 'int', [
    'void *',
    'uint8_t *',
    'uint8_t *',
    'uint8_t *',
    hash,
    'void *',
  ])
  let x: Uint8Array | undefined
  const takeX = koffi.register((_output: bigint, point: bigint) => {
    x = koffi.decode(point, xBytes)
    return 1
  }, hash)
  const key = Buffer.alloc(PARSED_KEY_BYTES)
  const point = Buffer.alloc(COMPRESSED_BYTES)
  const output = Buffer.alloc(32)
  return (publicKey: Bytes, secret: Bytes): Uint8Array => {
    // x-only keys stand for the point with the even y (BIP-340); the sign does not change x.
    point[0] = 2
    point.set(publicKey, 1)
    if (parsePoint(context, key, point, COMPRESSED_BYTES) !== 1) {
      throw new Error('not a public key of the curve')
    }
    x = undefined
    const agreed = ecdh(context, output, key, secret, takeX, null)
    if (agreed !== 1 || !isBytes(x, 32)) throw new Error('key agreement failed')
    return x
  }
}
