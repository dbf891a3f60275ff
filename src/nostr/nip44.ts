import { isUtf8 } from 'node:buffer'
import { createCipheriv, createSecretKey, timingSafeEqual } from 'node:crypto'
import { NIP44_PLAINTEXT_BYTES } from '../limits.ts'
import { hmacInto, PAD_BYTES } from './hmac.ts'
import { freshBytes } from './random.ts'

const VERSION = 2
const NONCE_BYTES = 32
const MAC_BYTES = 32
const PREFIX_BYTES = 2
const CHUNK_BYTES = 32
const KEY_BYTES = 32
/** What SHA-256 gives. */
const BLOCK_BYTES = 32
const COUNTER_BYTES = 4
const SALT = Buffer.from('nip44-v2')

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
  if (x.length !== KEY_BYTES) throw new Nip44Error('key')
  extracting.set(x, PAD_BYTES)
  // Memory of its own: in Buffer's shared pool, any other small Buffer would lead to the key.
  const key = Buffer.alloc(KEY_BYTES)
  hmacInto(key, 0, SALT, extracting)
  extracting.fill(0)
  return key
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
  const end = SEALED_AT + PREFIX_BYTES + paddedLength(length)
  room.writeUInt16BE(length, SEALED_AT)
  room.write(plaintext, SEALED_AT + PREFIX_BYTES)
  room.fill(0, SEALED_AT + PREFIX_BYTES + length, end)
  expand(key, nonce)
  room.set(nonce, NONCE_AT)
  room.set(chacha20(room.subarray(SEALED_AT, end)), SEALED_AT)
  hmacInto(room, end, hmacKey, room.subarray(0, end))
  // The padded key of the MAC lay where the version belongs.
  room[VERSION_AT] = VERSION
  return room.toString('base64', VERSION_AT, end + MAC_BYTES)
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
  const bytes = room.write(payload, VERSION_AT, 'base64')
  // Buffer skips what is not base64; text that it would not write itself is foreign or cut.
  if (room.toString('base64', VERSION_AT, VERSION_AT + bytes) !== payload) {
    throw new Nip44Error('base64')
  }
  if (room[VERSION_AT] !== VERSION) throw new Nip44Error('version')
  if (bytes < PAYLOAD_BYTES_MIN) throw new Nip44Error('length')
  const end = VERSION_AT + bytes - MAC_BYTES
  expand(key, room.subarray(NONCE_AT, SEALED_AT))
  hmacInto(mac, 0, hmacKey, room.subarray(0, end))
  if (!timingSafeEqual(mac, room.subarray(end, end + MAC_BYTES))) throw new Nip44Error('mac')
  return unpad(chacha20(room.subarray(SEALED_AT, end)))
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
  chachaKey: Buffer
  chachaNonce: Buffer
  hmacKey: Buffer
}

/** Keys of one message: HKDF-expand of the conversation key with the nonce, 76 bytes. */
export function messageKeys(key: Uint8Array, nonce: Uint8Array): MessageKeys {
  expand(key, nonce)
  const copy = (view: Buffer): Buffer => Buffer.from(view)
  return {
    chachaKey: copy(chachaKey),
    chachaNonce: copy(chachaIv.subarray(COUNTER_BYTES)),
    hmacKey: copy(hmacKey),
  }
}

/*
 * Rooms that every message goes through, one after the other, in this thread: nothing here waits, so no two meet.
 * Making rooms anew for each message is dearer than the ciphers are.
 */

/** The padded key, and the x that a conversation key is extracted from. */
const extracting = Buffer.alloc(PAD_BYTES + KEY_BYTES)
/** The padded key, the block before, the nonce and the counter of HKDF-expand. */
const expanding = Buffer.alloc(PAD_BYTES + BLOCK_BYTES + NONCE_BYTES + 1)
/** The first block has none before it, and so its key lies later. */
const expandingFirst = expanding.subarray(BLOCK_BYTES)
const expanded = Buffer.alloc(3 * BLOCK_BYTES)
const chachaKey = expanded.subarray(0, 32)
const hmacKey = expanded.subarray(44, 76)
/** OpenSSL wants the block counter, zero, in front of the nonce. */
const chachaIv = Buffer.alloc(COUNTER_BYTES + 12)
const mac = Buffer.alloc(MAC_BYTES)

/** A payload whose nonce lies behind a padded key, which is what its MAC is taken over. */
const NONCE_AT = PAD_BYTES
const VERSION_AT = NONCE_AT - 1
const SEALED_AT = NONCE_AT + NONCE_BYTES
const room = Buffer.alloc(VERSION_AT + PAYLOAD_BYTES_MAX)

/** Fills `chachaKey`, `chachaIv` and `hmacKey`. */
function expand(key: Uint8Array, nonce: Uint8Array): void {
  if (key.length !== KEY_BYTES || nonce.length !== NONCE_BYTES) throw new Nip44Error('key')
  expanding.set(nonce, PAD_BYTES + BLOCK_BYTES)
  for (let block = 0; block < 3; block++) {
    const before = (block - 1) * BLOCK_BYTES
    if (block > 0) expanded.copy(expanding, PAD_BYTES, before, before + BLOCK_BYTES)
    expanding[expanding.length - 1] = block + 1
    hmacInto(expanded, block * BLOCK_BYTES, key, block === 0 ? expandingFirst : expanding)
  }
  expanded.copy(chachaIv, COUNTER_BYTES, 32, 44)
}

/** Encrypts and decrypts alike. A KeyObject: node:crypto takes five times as long for a bare Buffer. */
function chacha20(bytes: Buffer): Buffer {
  return createCipheriv('chacha20', createSecretKey(chachaKey), chachaIv).update(bytes)
}
