import { parseJson } from '../json.ts'
import {
  CUSTOMER_RELAYS,
  PUBLISH_FRAME_BYTES,
  RELAY_URL_CHARS,
  REQUEST_TAGS,
  TAG_VALUE_BYTES,
} from '../limits.ts'
import type { EventTemplate, NostrEvent, Rumor } from '../nostr/types.ts'
import { type Refused, refuseModel, refuseRequest } from './bounds.ts'
import { refusal } from './replies.ts'

/*
 * NIP-90 for kind 5050, text generation, as pure functions: events in, readings and templates out.
 * The NIP is marked unrecommended, so nothing of its shapes leaves this file.
 */

export const JOB_REQUEST_KIND = 5050
const JOB_RESULT_KIND = 6050
const JOB_FEEDBACK_KIND = 7000

/** How a request was hidden, and therefore how its answers are. */
export type Encrypted = false | 'nip04' | 'nip44'

/** Opens content of `peer` (hex). Undefined or a throw alike mean that it cannot be opened. */
export type Decrypt = (peer: string, content: string) => string | undefined

export interface JobRequest {
  ok: true
  request: string
  model?: string
  /** Lowers the output cap of the model, never raises it. */
  maxOutputTokens?: number
  encrypted: Encrypted
  /** Most the customer offers, in millisats. */
  bidMsat?: number
  /** Where answers are wanted. Not checked for private addresses: that is the publisher's. */
  relays: string[]
}

/** `not_ours` is dropped in silence, everything else is answered. */
export type JobReading =
  | JobRequest
  | { ok: false; reason: 'not_ours' }
  | { ok: false; reason: Refused['reason']; refused: Refused; encrypted: Encrypted }

/**
 * Reads a kind 5050 event whose signature is verified (or a rumor whose sender is). `pubkey` is the
 * bot's, hex. Inputs of type `url`, `event` and `job` are refused: they would make the bot fetch
 * what a stranger names. Several text inputs are joined by an empty line. Never throws.
 */
export function readJobRequest(
  event: NostrEvent | Rumor,
  keys: { pubkey: string; decryptNip04: Decrypt; decryptNip44: Decrypt },
): JobReading {
  const isOurs = event.tags.some(([name, value]) => name === 'p' && value === keys.pubkey)
  if (event.kind !== JOB_REQUEST_KIND || !isOurs) return { ok: false, reason: 'not_ours' }
  const encrypted = encryptionOf(event)
  const refuse = (refused: Refused): JobReading => ({
    ok: false,
    reason: refused.reason,
    refused,
    encrypted,
  })
  const tags = encrypted ? openTags(event, encrypted, keys) : event.tags
  if (!tags) return refuse(refusal('malformed'))
  const inputs = tags.filter(([name]) => name === 'i')
  const isText = ([, , type = '']: string[]) => ['text', 'prompt', ''].includes(type)
  if (!inputs.every(isText)) return refuse(refusal('malformed', { found: 'input' }))
  // Some clients put the prompt into the content of a clear request.
  const request =
    inputs.length > 0 || encrypted
      ? inputs.map(([, data = '']) => data).join('\n\n')
      : event.content
  const model = param(tags, 'model')
  const wrong = refuseRequest(request) ?? (model === undefined ? undefined : refuseModel(model))
  if (wrong) return refuse(wrong)
  return { ok: true, request, encrypted, ...(model ? { model } : {}), ...wishes(tags, event.tags) }
}

/** How a request is hidden: NIP-04 shows itself by its `?iv=`. */
export function encryptionOf(event: NostrEvent | Rumor): Encrypted {
  if (!event.tags.some(([name]) => name === 'encrypted')) return false
  return event.content.includes('?iv=') ? 'nip04' : 'nip44'
}

/** The tags inside the content; clear `i` and `param` tags beside them do not count. */
function openTags(
  event: NostrEvent | Rumor,
  encrypted: 'nip04' | 'nip44',
  { decryptNip04, decryptNip44 }: { decryptNip04: Decrypt; decryptNip44: Decrypt },
): string[][] | undefined {
  let text: string | undefined
  try {
    const decrypt = encrypted === 'nip04' ? decryptNip04 : decryptNip44
    text = decrypt(event.pubkey, event.content)
  } catch {
    return undefined
  }
  const parsed = text === undefined ? undefined : parseJson(text)
  return parsed?.ok && isTags(parsed.value) ? parsed.value : undefined
}

const isTags = (value: unknown): value is string[][] =>
  Array.isArray(value) &&
  value.length <= REQUEST_TAGS &&
  value.every((tag) => Array.isArray(tag) && tag.every((cell) => typeof cell === 'string'))

/** A parameter in either spelling: the NIP itself writes `max_tokens` and `top-k`. */
function param(tags: string[][], name: string): string | undefined {
  const found = tags.find(
    ([kind, key = '']) => kind === 'param' && key.toLowerCase().replaceAll('-', '_') === name,
  )
  return found?.[2] === '' ? undefined : found?.[2]
}

/** What a customer may wish. A wish that cannot be read is no reason to refuse the job. */
function wishes(tags: string[][], clearTags: string[][]) {
  const wish = (wanted: string) =>
    [...tags, ...clearTags].find(([name]) => name === wanted)?.slice(1) ?? []
  const maxOutputTokens = count(param(tags, 'max_tokens'))
  const bidMsat = count(wish('bid')[0])
  return {
    relays: relaysIn(tags.some(([name]) => name === 'relays') ? tags : clearTags),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    ...(bidMsat === undefined ? {} : { bidMsat }),
  }
}

/** Where the clear tags of a request want its answers. Not checked for private addresses. */
export const clearRelays = (request: NostrEvent | Rumor): string[] => relaysIn(request.tags)

/** All in one tag, as the NIP has it, or in a tag each. */
function relaysIn(tags: string[][]): string[] {
  const urls = tags.flatMap(([name, ...urls]) => (name === 'relays' ? urls : []))
  return [...new Set(urls.filter(isRelay))].slice(0, CUSTOMER_RELAYS)
}

/** A positive safe integer in plain digits. */
function count(text = ''): number | undefined {
  return /^[1-9][0-9]{0,14}$/.test(text) ? Number(text) : undefined
}

const isRelay = (url: string) =>
  url.length <= RELAY_URL_CHARS && /^wss?:\/\//.test(url) && URL.canParse(url)

export interface Feedback {
  request: NostrEvent | Rumor
  status: 'payment-required' | 'processing' | 'partial' | 'error' | 'success'
  /** For people: clients show it beside the status, so it never holds the result. */
  message: string
  amountMsat?: number | undefined
  bolt11?: string | undefined
  /** Unix seconds. */
  createdAt: number
}

/**
 * Kind 7000 to the author of `request`. Status, amount and invoice stand in clear tags also when
 * the request was encrypted, because that is where clients look for them.
 */
export function feedback({
  request,
  status,
  message,
  amountMsat,
  bolt11,
  createdAt,
}: Feedback): EventTemplate {
  return {
    kind: JOB_FEEDBACK_KIND,
    created_at: createdAt,
    tags: [
      ['status', status, message],
      ['e', request.id],
      ['p', request.pubkey],
      ...amountTag(amountMsat, bolt11),
    ],
    content: '',
  }
}

export interface Result {
  request: NostrEvent | Rumor
  result: string
  /** What the job cost its customer, in millisats. */
  amountMsat: number
  createdAt: number
  /** Present for an encrypted request: hides `result` from all but `peer` (hex), in its scheme. */
  encrypt?: ((peer: string, text: string) => string) | undefined
  /** Numbers of a split result, from 1. */
  part?: number | undefined
  parts?: number | undefined
  /** The largest frame that its relays take. */
  frameBytes?: number
}

/**
 * Kind 6050 with the result. `i` tags are repeated only in clear and only where every relay takes
 * them, and the copy of the request is left out when the event would outgrow a frame: the `e` tag
 * says the same.
 */
export function result(given: Result): EventTemplate {
  const { request, amountMsat, createdAt, encrypt, part = 1, parts = 1 } = given
  const { frameBytes = PUBLISH_FRAME_BYTES } = given
  const content = encrypt ? encrypt(request.pubkey, given.result) : given.result
  const inputs = encrypt
    ? []
    : request.tags.filter(
        ([name, data = '']) => name === 'i' && Buffer.byteLength(data) < TAG_VALUE_BYTES,
      )
  const tags = [
    ['e', request.id],
    ['p', request.pubkey],
    ...amountTag(amountMsat),
    ...(encrypt ? [['encrypted']] : []),
    ...(parts > 1 ? [['part', String(part), String(parts)]] : []),
  ]
  const template = { kind: JOB_RESULT_KIND, created_at: createdAt, tags, content }
  const whole = { ...template, tags: [['request', JSON.stringify(request)], ...tags, ...inputs] }
  return bytesOf(whole) <= frameBytes ? whole : template
}

/** Bytes of `["EVENT",{}]` once id, key and signature, under 300 with their names, are in. */
const bytesOf = (template: EventTemplate) =>
  Buffer.byteLength(JSON.stringify(template)) + '["EVENT",]'.length + 300

const amountTag = (amountMsat?: number, bolt11?: string): string[][] =>
  amountMsat === undefined ? [] : [['amount', String(amountMsat), ...(bolt11 ? [bolt11] : [])]]

/**
 * The event ids a kind 5 event or rumor names, each once. Whether they are requests of the same
 * author is for whoever knows them; nobody can cancel another's job.
 */
export function cancelTarget(event: NostrEvent | Rumor): string[] {
  if (event.kind !== 5) return []
  const ids = event.tags.flatMap(([name, id = '']) =>
    name === 'e' && /^[0-9a-f]{64}$/.test(id) ? [id] : [],
  )
  return [...new Set(ids)].slice(0, REQUEST_TAGS)
}
