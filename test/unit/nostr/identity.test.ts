import { inspect } from 'node:util'
import { nsecEncode } from 'nostr-tools/nip19'
import { getConversationKey } from 'nostr-tools/nip44'
import { getPublicKey, verifyEvent as theirVerify } from 'nostr-tools/pure'
import { describe, expect, test } from 'vitest'
import { CONVERSATION_KEYS } from '../../../src/limits.ts'
import { verifyEvent } from '../../../src/nostr/event.ts'
import {
  createIdentity,
  generateSecretKey,
  npub,
  parsePubkey,
  parseSecretKey,
} from '../../../src/nostr/identity.ts'
import type { Curve } from '../../../src/nostr/types.ts'
import { machineCurves } from '../../support/curves.ts'

const curves = await machineCurves()
const secretHex = '67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa'
const secret = Buffer.from(secretHex, 'hex')
const pubkey = '7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e'

describe.each(curves)('an identity on curve $name', (curve) => {
  const identity = createIdentity(curve, secret)

  test('has the public key of its secret', () => {
    expect(identity.pubkey).toBe(pubkey)
    expect(identity.pubkey).toBe(getPublicKey(secret))
  })

  test('signs events that others verify, and leaves the template alone', () => {
    const template = { kind: 1, created_at: 1_700_000_000, tags: [['p', pubkey]], content: 'hi' }
    const before = structuredClone(template)
    const event = identity.sign(template)
    expect(theirVerify(structuredClone(event))).toBe(true)
    expect(verifyEvent(curve, event)).toBe(true)
    event.tags[0]?.push('changed')
    expect(template).toEqual(before)
  })

  test('signs the fields of NIP-01 and nothing else of what it is given', () => {
    const template = { kind: 1, created_at: 1, tags: [], content: '', sig: 'x', extra: 1 }
    expect(Object.keys(identity.sign(template)).sort()).toEqual(
      ['content', 'created_at', 'id', 'kind', 'pubkey', 'sig', 'tags'].sort(),
    )
  })

  test('agrees with nostr-tools on a conversation key, and so does the other side', () => {
    const other = createIdentity(curve, generateSecretKey())
    const key = identity.conversationKey(other.pubkey)
    expect(key.equals(getConversationKey(secret, other.pubkey))).toBe(true)
    expect(key.equals(other.conversationKey(pubkey))).toBe(true)
    expect(Buffer.from(identity.sharedX(other.pubkey))).toEqual(Buffer.from(other.sharedX(pubkey)))
  })

  test.each([
    '',
    pubkey.toUpperCase(),
    pubkey.slice(2),
    `02${pubkey}`,
    `${pubkey.slice(0, 62)}zz`,
    'eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34',
  ])('has no conversation key with %j', (peer) => {
    expect(() => identity.conversationKey(peer)).toThrow()
    expect(() => identity.sharedX(peer)).toThrow()
  })
})

describe('the secret', () => {
  const [curve] = curves
  if (!curve) throw new Error('no curve on this machine')
  const identity = createIdentity(curve, secret)

  test('shows in no dump of the identity', () => {
    identity.conversationKey(pubkey)
    const dumps = [
      JSON.stringify(identity),
      inspect(identity),
      inspect(identity, { showHidden: true, depth: 9, customInspect: false }),
      inspect({ nested: [identity] }, { depth: 9 }),
      String(identity),
      `${Object.entries(identity)}`,
    ]
    for (const dump of dumps) {
      expect(dump).not.toContain(secretHex)
      expect(dump).not.toContain(secret.toString('base64'))
      expect(dump).not.toMatch(/103, ?222, ?162|67 de a2/)
    }
    expect(JSON.parse(JSON.stringify(identity))).toEqual({ pubkey })
    expect(inspect(identity)).toBe(inspect({ pubkey }))
  })

  test('cannot be swapped from outside', () => {
    const bytes = Buffer.from(secret)
    const own = createIdentity(curve, bytes)
    bytes.fill(1)
    const event = own.sign({ kind: 1, created_at: 1, tags: [], content: '' })
    expect(verifyEvent(curve, event)).toBe(true)
    expect(Object.isFrozen(own)).toBe(true)
  })

  test('is fresh each time it is generated, and valid', () => {
    const made = Array.from({ length: 50 }, generateSecretKey)
    expect(new Set(made.map(String)).size).toBe(50)
    for (const one of made) expect(createIdentity(curve, one).pubkey).toHaveLength(64)
  })
})

describe('the cache of conversation keys', () => {
  test('holds the peers used last and computes each of them once', () => {
    const agreed: string[] = []
    const counting: Curve = {
      name: 'wasm',
      verify: () => false,
      keypair: () => ({
        publicKey: new Uint8Array(32),
        sign: () => new Uint8Array(64),
        ecdhX(publicKey) {
          agreed.push(Buffer.from(publicKey).toString('hex'))
          return publicKey
        },
      }),
    }
    const identity = createIdentity(counting, secret)
    const peer = (n: number) => n.toString(16).padStart(64, '0')
    for (let n = 0; n < CONVERSATION_KEYS; n++) identity.conversationKey(peer(n))
    const first = identity.conversationKey(peer(0))
    expect(agreed).toHaveLength(CONVERSATION_KEYS)
    identity.conversationKey(peer(CONVERSATION_KEYS))
    expect(identity.conversationKey(peer(0))).toBe(first)
    expect(agreed).toHaveLength(CONVERSATION_KEYS + 1)
    identity.conversationKey(peer(1))
    expect(agreed.at(-1)).toBe(peer(1))
  })
})

describe('reading keys', () => {
  const nsec = nsecEncode(secret)

  test.each([nsec, secretHex, secretHex.toUpperCase(), ` ${nsec}\n`])('reads %s', (text) => {
    expect(Buffer.from(parseSecretKey(text)).toString('hex')).toBe(secretHex)
  })

  const order = 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'
  test.each([
    ['nothing', '', /nsec1….* or 64 hex/],
    ['an nsec with a typo', nsec.replace('q', 'p'), /nsec1….* or 64 hex/],
    ['a cut nsec', nsec.slice(0, -1), /nsec1….* or 64 hex/],
    ['hex with a digit too few', secretHex.slice(1), /nsec1….* or 64 hex/],
    ['hex with a letter that is none', secretHex.replace('6', 'g'), /nsec1….* or 64 hex/],
    ['words', 'abandon abandon about', /nsec1….* or 64 hex/],
    ['an npub', npub(pubkey), /this is a public key/],
    ['a locked key', 'ncryptsec1qgg9947', /locked with a password/],
    ['zero', '0'.repeat(64), /between 0 and the order/],
    ['the order of the curve', order, /between 0 and the order/],
    ['zero as an nsec', nsecEncode(new Uint8Array(32)), /between 0 and the order/],
  ])('names the rule for %s and never shows it', (_, text, rule) => {
    const error = thrown(() => parseSecretKey(text))
    expect(error.message).toMatch(rule)
    if (text)
      expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain(text.slice(0, 20))
    expect(error.cause).toBeUndefined()
  })

  test('reads and writes public keys', () => {
    const encoded = 'npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg'
    expect(npub(pubkey)).toBe(encoded)
    expect(parsePubkey(encoded)).toBe(pubkey)
    expect(parsePubkey(` ${pubkey.toUpperCase()} `)).toBe(pubkey)
  })

  test.each([
    ['', /npub1….* or 64 hex/],
    ['npub1xyz', /npub1….* or 64 hex/],
    [pubkey.slice(1), /npub1….* or 64 hex/],
    [nsec, /this is a secret key/],
  ])('refuses %j as a public key', (text, rule) => {
    const error = thrown(() => parsePubkey(text))
    expect(error.message).toMatch(rule)
    expect(error.message).not.toContain(nsec.slice(0, 12))
  })
})

function thrown(call: () => unknown): Error {
  try {
    call()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('nothing was thrown')
}
