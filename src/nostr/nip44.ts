import { isUtf8 } from 'node:buffer'
import {
  createCipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto'
import { NIP44_PLAINTEXT_BYTES } from '../limits.ts'
import { freshBytes } from './random.ts'

const VERSION = 2
const NONCE_BYTES = 32
const MAC_BYTES = 32
const PREFIX_BYTES = 2
const CHUNK_BYTES = 32
const SALT = 'nip44-v2'

/** Version, nonce, the smallest padded text and the MAC. */
const PAYLOAD_BYTES_MIN = 1 + NONCE_BYTES + PREFIX_BYTES + CHUNK_BYTES + MAC_BYTES
const PAYLOAD_BYTES_MAX =
  1 + NONCE_BYTES + PREFIX_BYTES + paddedLength(NIP44_PLAINTEXT_BYTES) + MAC_BYTES
const base64Chars = (bytes: number): number => Math.ceil(bytes / 3) * 4
const PAYLOAD_CHARS_MIN = base64Chars(PAYLOAD_BYTES_MIN)
const PAYLOAD_CHARS_MAX = base64Chars(PAYLOAD_BYTES_MAX)

export type Nip44Fault =
  | 'empty'
  | 'too-long'
  | 'version'
  | 'length'
  | 'base64'
  | 'mac'
  | 'padding'
  | 'utf8'
  | 'key'

/** A text that cannot be encrypted or a payload that cannot be read; `code` says why. */
export class Nip44Error extends Error {
  readonly code: Nip44Fault
  constructor(code: Nip44Fault) {
    super(`NIP-44: ${code}`)
    this.name = 'Nip44Error'
    this.code = code
  }
}

/**
 * The conversation key of two people, 32 bytes: HKDF-extract of the unhashed x of their shared point
 * (NIP-44 v2). Both directions have the same one.
 */
export function conversationKey(x: Uint8Array): Buffer {
  return createHmac('sha256', SALT).update(x).digest()
}

/**
 * Encrypts 1 to 65,535 bytes of UTF-8 to base64 (NIP-44 v2). `nonce` is fresh randomness unless
 * given; only the official vectors give it. Throws Nip44Error `empty`, `too-long` or `utf8`.
 */
export function encrypt(
  plaintext: string,
  key: Uint8Array,
  nonce: Uint8Array = freshBytes(NONCE_BYTES),
): string {
  if (!plaintext.isWellFormed()) throw new Nip44Error('utf8')
  const length = Buffer.byteLength(plaintext)
  if (length === 0) throw new Nip44Error('empty')
  if (length > NIP44_PLAINTEXT_BYTES) throw new Nip44Error('too-long')
  const padded = Buffer.alloc(PREFIX_BYTES + paddedLength(length))
  padded.writeUInt16BE(length)
  padded.write(plaintext, PREFIX_BYTES)
  const keys = messageKeys(key, nonce)
  const sealed = chacha20(keys, padded)
  return Buffer.concat([Buffer.of(VERSION), nonce, sealed, mac(keys, nonce, sealed)]).toString(
    'base64',
  )
}

/**
 * Decrypts a payload to its text (NIP-44 v2). Throws Nip44Error. Texts above 65,535 bytes, legal
 * since June 2026, are refused by the length of the payload, before anything is decoded: each costs
 * the sender nothing and the reader time. The caller has verified the signature around the payload.
 */
export function decrypt(payload: string, key: Uint8Array): string {
  if (payload.startsWith('#')) throw new Nip44Error('version')
  if (payload.length < PAYLOAD_CHARS_MIN || payload.length > PAYLOAD_CHARS_MAX) {
    throw new Nip44Error('length')
  }
  const bytes = Buffer.from(payload, 'base64')
  // Buffer skips what is not base64; text that it would not write itself is foreign or cut.
  if (bytes.toString('base64') !== payload) throw new Nip44Error('base64')
  if (bytes[0] !== VERSION) throw new Nip44Error('version')
  if (bytes.length < PAYLOAD_BYTES_MIN) throw new Nip44Error('length')
  const nonce = bytes.subarray(1, 1 + NONCE_BYTES)
  const sealed = bytes.subarray(1 + NONCE_BYTES, -MAC_BYTES)
  const keys = messageKeys(key, nonce)
  if (!timingSafeEqual(mac(keys, nonce, sealed), bytes.subarray(-MAC_BYTES))) {
    throw new Nip44Error('mac')
  }
  return unpad(chacha20(keys, sealed))
}

/** Bytes a text of `length` bytes is padded to, prefix not counted (NIP-44 "padding"). */
export function paddedLength(length: number): number {
  if (length <= CHUNK_BYTES) return CHUNK_BYTES
  const nextPower = 2 ** (32 - Math.clz32(length - 1))
  const chunk = nextPower <= 256 ? CHUNK_BYTES : nextPower / 8
  return chunk * Math.ceil(length / chunk)
}

function unpad(padded: Buffer): string {
  const length = padded.readUInt16BE()
  const text = padded.subarray(PREFIX_BYTES, PREFIX_BYTES + length)
  // Length zero is how longer texts begin (NIP-44 since June 2026); ours end at 65,535 bytes.
  if (length === 0 || text.length !== length) throw new Nip44Error('padding')
  if (padded.length !== PREFIX_BYTES + paddedLength(length)) throw new Nip44Error('padding')
  if (!isUtf8(text)) throw new Nip44Error('utf8')
  return text.toString()
}

export interface MessageKeys {
  chachaKey: KeyObject
  chachaNonce: Buffer
  hmacKey: KeyObject
}

/**
 * Keys of one message: HKDF-expand of the conversation key with the nonce, 76 bytes. All keys are
 * KeyObjects: node:crypto takes seven times as long for an HMAC or a cipher under a bare Buffer.
 */
export function messageKeys(key: Uint8Array, nonce: Uint8Array): MessageKeys {
  if (key.length !== 32 || nonce.length !== NONCE_BYTES) throw new Nip44Error('key')
  const secret = createSecretKey(key)
  const block = (before: Uint8Array, counter: Uint8Array): Buffer =>
    createHmac('sha256', secret).update(before).update(nonce).update(counter).digest()
  const first = block(NOTHING, COUNTERS[0])
  const second = block(first, COUNTERS[1])
  const third = block(second, COUNTERS[2])
  return {
    chachaKey: createSecretKey(first),
    chachaNonce: second.subarray(0, 12),
    hmacKey: createSecretKey(Buffer.concat([second.subarray(12), third.subarray(0, 12)])),
  }
}

const NOTHING = Buffer.alloc(0)
const COUNTERS = [Buffer.of(1), Buffer.of(2), Buffer.of(3)] as const

/** Encrypts and decrypts alike. OpenSSL wants the block counter, zero, in front of the nonce. */
function chacha20({ chachaKey, chachaNonce }: MessageKeys, bytes: Buffer): Buffer {
  const iv = Buffer.concat([Buffer.alloc(4), chachaNonce])
  return createCipheriv('chacha20', chachaKey, iv).update(bytes)
}

function mac({ hmacKey }: MessageKeys, nonce: Uint8Array, sealed: Buffer): Buffer {
  return createHmac('sha256', hmacKey).update(nonce).update(sealed).digest()
}
