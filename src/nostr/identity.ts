import { inspect } from 'node:util'
import { decode, npubEncode } from 'nostr-tools/nip19'
import { CONVERSATION_KEYS } from '../limits.ts'
import { ORDER } from './curve-bytes.ts'
import { eventId, isHex32 } from './event.ts'
import { conversationKey } from './nip44.ts'
import { freshBytes } from './random.ts'
import type { Curve, EventTemplate, Identity, Keypair, NostrEvent } from './types.ts'

const TOO_LARGE = Buffer.from(ORDER, 'hex')
const ZERO = Buffer.alloc(32)

/**
 * The identity of a secret key (32 bytes, copied). The key lives in closures only: no property holds
 * it, so that a log line, an error or a debugger's dump of the object cannot show it. Throws an Error
 * when the secret is not a valid key.
 */
export function createIdentity(curve: Curve, secret: Uint8Array): Identity {
  const pair = curve.keypair(secret)
  const pubkey = Buffer.from(pair.publicKey).toString('hex')
  const keys = new Map<string, Buffer>()
  const sharedX = (peer: string): Uint8Array => {
    if (!isHex32(peer)) throw new Error('a public key is 64 lower-case hex digits')
    return pair.ecdhX(Buffer.from(peer, 'hex'))
  }
  const identity: Identity = {
    curve,
    pubkey,
    sign: (template) => signWith(pair, pubkey, template),
    sharedX,
    conversationKey(peer) {
      const key = keys.get(peer) ?? conversationKey(sharedX(peer))
      // Put again at the end, so that the first entry is the one unused for longest.
      keys.delete(peer)
      keys.set(peer, key)
      if (keys.size > CONVERSATION_KEYS) keys.delete(keys.keys().next().value ?? '')
      return key
    },
  }
  const shown = { pubkey }
  return Object.freeze(
    Object.defineProperties(identity, {
      toJSON: { value: () => shown },
      [inspect.custom]: { value: () => shown },
    }),
  )
}

/** A fresh event signed by `pair` (NIP-01); the template is left as it is. */
export function signWith(pair: Keypair, pubkey: string, template: EventTemplate): NostrEvent {
  const { kind, created_at, content } = template
  const unsigned = { pubkey, created_at, kind, tags: template.tags.map((tag) => [...tag]), content }
  const id = eventId(unsigned)
  const sig = Buffer.from(pair.sign(Buffer.from(id, 'hex'))).toString('hex')
  return { id, ...unsigned, sig }
}

/** A fresh secret key, 32 bytes. */
export function generateSecretKey(): Uint8Array {
  while (true) {
    const secret = freshBytes(32)
    if (isSecret(secret)) return secret
  }
}

/**
 * Reads a secret key, `nsec1…` (NIP-19) or 64 hex digits, with blanks around it allowed. Throws an
 * Error that names the rule and never the text: what was pasted here may be a real key with a typo.
 */
export function parseSecretKey(text: string): Uint8Array {
  const trimmed = text.trim()
  if (/^npub1/i.test(trimmed)) {
    throw new Error('this is a public key (npub1…); a secret key begins with nsec1')
  }
  if (/^ncryptsec1/i.test(trimmed)) {
    throw new Error('this key is locked with a password (ncryptsec1…); unlock it to nsec1… first')
  }
  const hex = /^[0-9a-f]{64}$/i.test(trimmed)
  const secret = hex ? Uint8Array.from(Buffer.from(trimmed, 'hex')) : decodeNsec(trimmed)
  if (secret === undefined) {
    throw new Error('a secret key is nsec1… with a right checksum, or 64 hex digits')
  }
  if (!isSecret(secret)) throw new Error('a secret key lies between 0 and the order of the curve')
  return secret
}

/** The NIP-19 form of a public key in hex. */
export const npub = (pubkey: string): string => npubEncode(pubkey)

/** Reads a public key, `npub1…` or 64 hex digits, to lower-case hex. Throws an Error with the rule. */
export function parsePubkey(text: string): string {
  const trimmed = text.trim()
  if (/^(nsec|ncryptsec)1/i.test(trimmed)) {
    throw new Error('this is a secret key; a public key begins with npub1')
  }
  if (/^[0-9a-f]{64}$/i.test(trimmed)) return trimmed.toLowerCase()
  const decoded = decodeQuietly(trimmed)
  if (decoded?.type !== 'npub') {
    throw new Error('a public key is npub1… with a right checksum, or 64 hex digits')
  }
  return decoded.data
}

function decodeNsec(text: string): Uint8Array | undefined {
  const decoded = decodeQuietly(text)
  return decoded?.type === 'nsec' ? Uint8Array.from(decoded.data) : undefined
}

/** The decoder's own errors quote the text, which may be a secret: they end here. */
function decodeQuietly(text: string): ReturnType<typeof decode> | undefined {
  try {
    return decode(text)
  } catch {
    return undefined
  }
}

function isSecret(secret: Uint8Array): boolean {
  if (secret.length !== 32) return false
  return Buffer.compare(secret, ZERO) > 0 && Buffer.compare(secret, TOO_LARGE) < 0
}
