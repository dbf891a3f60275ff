import { randomInt } from 'node:crypto'
import { type JsonFault, parseJson } from '../json.ts'
import { SEALED_CONTENT_CHARS } from '../limits.ts'
import {
  eventId,
  isExpired,
  isHex32,
  isInstant,
  isKind,
  isText,
  parseEvent,
  parseTags,
  verifyEvent,
} from './event.ts'
import { generateSecretKey, signWith } from './identity.ts'
import * as nip44 from './nip44.ts'
import type { EventTemplate, Identity, NostrEvent, Rumor } from './types.ts'

/** Kinds of NIP-59. */
export const SEAL_KIND = 13
export const GIFT_WRAP_KIND = 1_059
const EPHEMERAL_GIFT_WRAP_KIND = 21_059

/** How far seal and wrap are back-dated at most, seconds (NIP-59): hides when they were sent. */
const BACKDATE_SECONDS = 2 * 86_400

export interface Opened {
  ok: true
  /** Who signed the seal, hex. */
  sender: string
  /** The message; `id` is recomputed, never taken from the sender. */
  rumor: Rumor
  /** The signed seal as JSON: the one proof of authorship there is. */
  seal: string
}

/** In the order of the checks; each names the one check that failed. */
export type RefusedCode =
  | 'wrap-shape'
  | 'kind'
  | 'too-big'
  | 'p-tag'
  | 'expired'
  | 'wrap-sig'
  | 'wrap-decrypt'
  | 'poison'
  | 'seal-shape'
  | 'seal-tags'
  | 'seal-sig'
  | 'seal-decrypt'
  | 'rumor-shape'
  | 'impersonation'
  | 'signed-rumor'
  | 'rumor-id'
  | 'rumor-ints'
  /** Not opened at all: the queue of `opener.ts` was full, or it was stopped. */
  | 'overload'

export interface Refused {
  ok: false
  code: RefusedCode
}

/**
 * Opens a gift wrap with every check of NIP-59 and NIP-17, cheap ones first: each signature check
 * and each key agreement costs more than all that comes before it. `verified` says that the caller
 * has already verified id and signature of the wrap. Never throws; what a stranger sends ends as a
 * `Refused`.
 *
 * Accepted although others send it: a rumor without an id (NIP-59 allowed it for a day in 2026), or
 * with `sig` null or empty, as clients write that serialise an unsigned event whole.
 */
export function openGiftWrap({
  wrap: given,
  identity,
  nowSeconds,
  verified = false,
}: {
  wrap: NostrEvent
  identity: Identity
  nowSeconds: number
  verified?: boolean
}): Opened | Refused {
  const wrap = parseEvent(given)
  if (wrap === undefined) return refused('wrap-shape')
  const fault = wrapFault(wrap, identity.pubkey, nowSeconds)
  if (fault !== undefined) return refused(fault)
  if (!verified && !verifyEvent(identity.curve, wrap)) return refused('wrap-sig')
  // A wrap's author is new each time: its key would only push a customer's out of the cache.
  const wrapText = attempt(() =>
    nip44.decrypt(wrap.content, nip44.conversationKey(identity.sharedX(wrap.pubkey))),
  )
  if (wrapText === undefined) return refused('wrap-decrypt')
  const seal = readSeal(wrapText, identity, nowSeconds)
  if ('ok' in seal) return seal
  const rumorText = attempt(() =>
    nip44.decrypt(seal.content, identity.conversationKey(seal.pubkey)),
  )
  if (rumorText === undefined) return refused('seal-decrypt')
  const rumor = readRumor(rumorText, seal.pubkey, nowSeconds)
  if ('ok' in rumor) return rumor
  return { ok: true, sender: seal.pubkey, rumor, seal: JSON.stringify(seal) }
}

/** What needs no cryptography: kind, size, addressee, age. */
function wrapFault(wrap: NostrEvent, me: string, nowSeconds: number): RefusedCode | undefined {
  if (wrap.kind !== GIFT_WRAP_KIND && wrap.kind !== EPHEMERAL_GIFT_WRAP_KIND) return 'kind'
  if (wrap.content.length > SEALED_CONTENT_CHARS) return 'too-big'
  const recipients = wrap.tags.filter(([name]) => name === 'p')
  if (recipients.length !== 1 || recipients[0]?.[1] !== me) return 'p-tag'
  return isExpired(wrap.tags, nowSeconds) ? 'expired' : undefined
}

function readSeal(text: string, identity: Identity, nowSeconds: number): NostrEvent | Refused {
  const parsed = parseJson(text)
  if (!parsed.ok) return refused(jsonCode(parsed.reason, 'seal-shape'))
  const seal = parseEvent(parsed.value)
  if (seal?.kind !== SEAL_KIND) return refused('seal-shape')
  // NIP-17 puts the expiration on the seal too; any other tag would tie the seal to something.
  if (seal.tags.some(([name]) => name !== 'expiration')) return refused('seal-tags')
  if (isExpired(seal.tags, nowSeconds)) return refused('expired')
  return verifyEvent(identity.curve, seal) ? seal : refused('seal-sig')
}

/** What a seal of `sender` held, with every check of a rumor (NIP-59, NIP-17). Never throws. */
export function readRumor(text: string, sender: string, nowSeconds: number): Rumor | Refused {
  const parsed = parseJson(text)
  if (!parsed.ok) return refused(jsonCode(parsed.reason, 'rumor-shape'))
  const { value } = parsed
  if (typeof value !== 'object' || value === null) return refused('rumor-shape')
  const {
    id,
    pubkey,
    created_at,
    kind,
    tags: given,
    content,
    sig,
  } = value as Record<string, unknown>
  const tags = parseTags(given)
  if (!isHex32(pubkey) || !isText(content) || tags === undefined) return refused('rumor-shape')
  if (typeof created_at !== 'number' || typeof kind !== 'number') return refused('rumor-shape')
  if (pubkey !== sender) return refused('impersonation')
  // A signed rumor could be published by whoever gets hold of it; deniability is the point.
  if (sig !== undefined && sig !== null && sig !== '') return refused('signed-rumor')
  if (!isInstant(created_at) || !isKind(kind)) return refused('rumor-ints')
  const rumor = makeRumor(pubkey, { kind: kind + 0, created_at: created_at + 0, tags, content })
  if (id !== undefined && id !== rumor.id) return refused('rumor-id')
  return isExpired(tags, nowSeconds) ? refused('expired') : rumor
}

const refused = (code: RefusedCode): Refused => ({ ok: false, code })

/** Text that is no JSON has the wrong shape; JSON built to disagree with itself is poison. */
const jsonCode = (reason: JsonFault, shape: RefusedCode): RefusedCode =>
  reason === 'syntax' ? shape : 'poison'

/** Keys off the curve and payloads that do not decrypt come from strangers and are no faults. */
function attempt<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch {
    return undefined
  }
}

/** A rumor: an event with its id and without a signature (NIP-59). Nothing of the template is shared. */
export function makeRumor(pubkey: string, template: EventTemplate): Rumor {
  const { kind, created_at, content } = template
  const unsigned = { pubkey, created_at, kind, tags: template.tags.map((tag) => [...tag]), content }
  return { id: eventId(unsigned), ...unsigned }
}

export interface WrapRequest {
  identity: Identity
  rumor: Rumor
  /** Who is to read it, hex. */
  to: string
  nowSeconds: number
  /** Unix seconds; goes on seal and wrap, as NIP-17 asks. */
  expiration?: number
  /** Where `to` reads. */
  relayHint?: string
  /** Seconds to go back, drawn once for the seal and once for the wrap; random unless given. */
  randomSeconds?: () => number
}

/**
 * Seals a rumor and wraps it for `to`: the seal signed by `identity`, the wrap by a key made for it
 * and forgotten (NIP-59). Both are back-dated by up to two days, each by a draw of its own.
 *
 * Throws Nip44Error `too-long` when the rumor does not fit, which is above about 40,000 bytes of
 * JSON; an Error when `to` is not a public key, or when the rumor is not by `identity` or has a
 * wrong id, since every receiver would drop it.
 */
export function wrapRumor(request: WrapRequest): NostrEvent {
  const { template, sign } = prepareWrap(request)
  return sign(template)
}

/** A wrap before its signature, for who must add proof of work to it first. Throws as `wrapRumor`. */
export function prepareWrap({
  identity,
  rumor,
  to,
  nowSeconds,
  expiration,
  relayHint,
  randomSeconds = () => randomInt(BACKDATE_SECONDS + 1),
}: WrapRequest): {
  pubkey: string
  template: EventTemplate
  sign(template: EventTemplate): NostrEvent
} {
  // A copy of the fields, so that a signature on the object given cannot slip into the seal.
  const inner = makeRumor(identity.pubkey, rumor)
  if (rumor.pubkey !== identity.pubkey || rumor.id !== inner.id) throw new Error('foreign rumor')
  const expires = expiration === undefined ? [] : [['expiration', String(expiration)]]
  const seal = identity.sign({
    kind: SEAL_KIND,
    created_at: nowSeconds - randomSeconds(),
    tags: expires,
    content: nip44.encrypt(JSON.stringify(inner), identity.conversationKey(to)),
  })
  const oneTime = identity.curve.keypair(generateSecretKey())
  const pubkey = Buffer.from(oneTime.publicKey).toString('hex')
  const key = nip44.conversationKey(oneTime.ecdhX(Buffer.from(to, 'hex')))
  return {
    pubkey,
    template: {
      kind: GIFT_WRAP_KIND,
      created_at: nowSeconds - randomSeconds(),
      tags: [relayHint === undefined ? ['p', to] : ['p', to, relayHint], ...expires],
      content: nip44.encrypt(JSON.stringify(seal), key),
    },
    sign: (template) => signWith(oneTime, pubkey, template),
  }
}
