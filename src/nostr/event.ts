import { hash } from 'node:crypto'
import { EVENT_TAGS, RELAY_FRAME_BYTES } from '../limits.ts'
import type { Curve, NostrEvent } from './types.ts'

const HEX_32 = /^[0-9a-f]{64}$/
const HEX_64 = /^[0-9a-f]{128}$/

/** Largest kind that exists (NIP-01). */
const KIND_LAST = 65_535

/** Whether `s` is 32 bytes of lower-case hex: an event id or a public key (NIP-01). */
export const isHex32 = (s: unknown): s is string => typeof s === 'string' && HEX_32.test(s)

/** The id of an event: lower-case hex SHA-256 of its serialisation (NIP-01). */
export function eventId(e: Omit<NostrEvent, 'id' | 'sig'>): string {
  return hash('sha256', JSON.stringify([0, e.pubkey, e.created_at, e.kind, e.tags, e.content]))
}

/**
 * Reads a signed event from a parsed JSON value into a fresh object with exactly the seven fields of
 * NIP-01. `undefined` for anything else: upper-case or cut hex, fractional or negative numbers, tags
 * that are not lists of strings, NUL and lone surrogates in text. It checks no hash and no signature.
 */
export function parseEvent(value: unknown): NostrEvent | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { id, pubkey, created_at, kind, tags, content, sig } = value as Record<string, unknown>
  if (!isHex32(id) || !isHex32(pubkey)) return undefined
  if (typeof sig !== 'string' || !HEX_64.test(sig)) return undefined
  if (!isInstant(created_at) || !isKind(kind)) return undefined
  if (!isText(content) || content.length > RELAY_FRAME_BYTES) return undefined
  const parsedTags = parseTags(tags)
  if (parsedTags === undefined) return undefined
  return { id, pubkey, created_at: created_at + 0, kind: kind + 0, tags: parsedTags, content, sig }
}

/** A fresh copy of `tags`, or `undefined` when it is not a list of non-empty lists of strings. */
export function parseTags(tags: unknown): string[][] | undefined {
  if (!Array.isArray(tags) || tags.length > EVENT_TAGS) return undefined
  const parsed: string[][] = []
  for (const tag of tags as unknown[]) {
    if (!Array.isArray(tag) || tag.length === 0 || !tag.every(isText)) return undefined
    parsed.push([...tag])
  }
  return parsed
}

/** A time of NIP-01, Unix seconds: zero or above and exact in JavaScript. */
export const isInstant = (n: unknown): n is number => Number.isSafeInteger(n) && Number(n) >= 0

export const isKind = (n: unknown): n is number => isInstant(n) && n <= KIND_LAST

/** A string that has a UTF-8 form and that Postgres can store. */
export const isText = (s: unknown): s is string =>
  typeof s === 'string' && s.isWellFormed() && !s.includes('\0')

/**
 * Whether the id is the hash of the event and the signature is its author's. The answer is computed
 * each time and kept nowhere: a verdict cached on the object outlives an edit of the object. The hex
 * is checked here too, because Buffer reads "00zz" as one byte and would verify a longer text.
 */
export function verifyEvent(curve: Curve, e: NostrEvent): boolean {
  if (!isHex32(e.id) || !isHex32(e.pubkey) || !HEX_64.test(e.sig)) return false
  if (eventId(e) !== e.id) return false
  const signature = Buffer.from(e.sig, 'hex')
  return curve.verify(signature, Buffer.from(e.id, 'hex'), Buffer.from(e.pubkey, 'hex'))
}

/** First value of the first tag called `name`. */
export function tagValue(e: Pick<NostrEvent, 'tags'>, name: string): string | undefined {
  return e.tags.find((tag) => tag[0] === name)?.[1]
}

/**
 * Whether any `expiration` tag has passed (NIP-40). A value that is not a plain decimal number is no
 * expiration, so that a malformed tag cannot make a message of an honest client disappear.
 */
export function isExpired(tags: string[][], nowSeconds: number): boolean {
  return tags.some(
    ([name, value]) =>
      name === 'expiration' &&
      value !== undefined &&
      /^\d{1,16}$/.test(value) &&
      Number(value) <= nowSeconds,
  )
}
