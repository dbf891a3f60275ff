import { isUtf8 } from 'node:buffer'
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { SEALED_CONTENT_CHARS } from '../limits.ts'
import type { Identity } from './types.ts'

const IV_BYTES = 16
const CONTENT = /^([A-Za-z0-9+/]+={0,2})\?iv=([A-Za-z0-9+/]{22}==)$/

/**
 * Encrypts a text for `peer` (hex) as the content of a kind 4 event (NIP-04, AES-256-CBC under the
 * unhashed shared x). NIP-04 is what some clients still read; it has no MAC and hides no length, so
 * tithe writes it only to who wrote it first. Throws when `peer` is not a public key.
 */
export function encryptNip04(identity: Identity, peer: string, text: string): string {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-cbc', identity.sharedX(peer), iv)
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return `${sealed.toString('base64')}?iv=${iv.toString('base64')}`
}

/**
 * The text of a kind 4 event by `peer` (hex), or `undefined` for whatever is none: foreign form, too
 * long, wrong key, no UTF-8, NUL. The caller has verified the event: its signature is the only thing
 * that protects this text. Never throws.
 */
export function decryptNip04(
  identity: Identity,
  peer: string,
  content: string,
): string | undefined {
  if (content.length > SEALED_CONTENT_CHARS) return undefined
  const [, sealed, iv] = CONTENT.exec(content) ?? []
  if (sealed === undefined || iv === undefined) return undefined
  try {
    const decipher = createDecipheriv(
      'aes-256-cbc',
      identity.sharedX(peer),
      Buffer.from(iv, 'base64'),
    )
    const bytes = Buffer.concat([decipher.update(Buffer.from(sealed, 'base64')), decipher.final()])
    return isUtf8(bytes) && !bytes.includes(0) ? bytes.toString() : undefined
  } catch {
    // A key off the curve or padding that is wrong: not a message for us.
    return undefined
  }
}
