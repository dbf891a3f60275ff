import { hash } from 'node:crypto'

/** What HMAC-SHA-256 writes the padded key to: the first bytes of whatever it hashes. */
export const PAD_BYTES = 64
const DIGEST_BYTES = 32

/**
 * HMAC-SHA-256 (RFC 2104) of what lies in `input` behind its first `PAD_BYTES`, written to `target` at `at`. The
 * key, at most 64 bytes, is padded into those first bytes, which are the caller's to spare.
 *
 * By two hashes in one call each, which cost half a microsecond: node:crypto's HMAC makes an object of JavaScript
 * and one of OpenSSL for each, and opening one wrap and answering it needs eighteen. Nothing here waits, so that one
 * buffer serves all callers.
 */
export function hmacInto(target: Buffer, at: number, key: Uint8Array, input: Buffer): void {
  if (key.length > PAD_BYTES || input.length < PAD_BYTES) throw new RangeError('no room for a key')
  writePad(input, key, 0x36)
  writePad(outer, key, 0x5c)
  outer.write(hash('sha256', input, 'binary'), PAD_BYTES, 'latin1')
  target.write(hash('sha256', outer, 'binary'), at, 'latin1')
}

const outer = Buffer.alloc(PAD_BYTES + DIGEST_BYTES)

function writePad(room: Buffer, key: Uint8Array, byte: number): void {
  for (let at = 0; at < key.length; at++) room[at] = (key[at] ?? 0) ^ byte
  room.fill(byte, key.length, PAD_BYTES)
}
