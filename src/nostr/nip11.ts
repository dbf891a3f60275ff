import { get as getPlain, type IncomingMessage } from 'node:http'
import { get as getSecure } from 'node:https'
import { parseJson } from '../json.ts'
import { RELAY_INFO_BYTES } from '../limits.ts'

/** What a relay says of itself (NIP-11). Hints only: every one of them may be missing or wrong. */
export interface RelayInfo {
  software?: string
  nips: number[]
  messageBytesMax?: number
  subscriptionsMax?: number
  limitMax?: number
  powBitsMin?: number
  authRequired: boolean
  paymentRequired: boolean
  restrictedWrites: boolean
}

const DEADLINE_MS = 5_000

/**
 * Asks a relay of the operator for its information document: at most `RELAY_INFO_BYTES`, 5 s, no
 * redirects. Undefined when there is none, which is no error: some relays close the request without
 * an answer. Never rejects. Strangers' relays are not asked: one event is not worth a second request.
 */
export async function fetchRelayInfo(
  url: string,
  options: { signal: AbortSignal },
): Promise<RelayInfo | undefined> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(DEADLINE_MS)])
  try {
    const text = await read(await request(url, signal))
    const parsed = parseJson(text)
    return parsed.ok ? readRelayInfo(parsed.value) : undefined
  } catch {
    return undefined
  }
}

/** Keeps the fields we act on, each only when it has its type and a sane value. */
export function readRelayInfo(value: unknown): RelayInfo | undefined {
  if (!isRecord(value)) return undefined
  const limits = isRecord(value.limitation) ? value.limitation : {}
  const info: RelayInfo = {
    nips: Array.isArray(value.supported_nips)
      ? value.supported_nips.filter(isCount).slice(0, 200)
      : [],
    authRequired: limits.auth_required === true,
    paymentRequired: limits.payment_required === true,
    restrictedWrites: limits.restricted_writes === true,
  }
  if (typeof value.software === 'string') info.software = value.software.slice(0, 100)
  if (isCount(limits.max_message_length)) info.messageBytesMax = limits.max_message_length
  if (isCount(limits.max_subscriptions)) info.subscriptionsMax = limits.max_subscriptions
  if (isCount(limits.max_limit)) info.limitMax = limits.max_limit
  if (isCount(limits.min_pow_difficulty)) info.powBitsMin = limits.min_pow_difficulty
  return info
}

function request(url: string, signal: AbortSignal): Promise<IncomingMessage> {
  const target = url.replace(/^ws/, 'http')
  const get = target.startsWith('https:') ? getSecure : getPlain
  const headers = { accept: 'application/nostr+json' }
  return new Promise((resolve, reject) => {
    // No agent: a kept connection would outlive the relay it belongs to.
    get(target, { headers, signal, agent: false }, resolve).on('error', reject)
  })
}

async function read(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    if (response.statusCode !== 200) return ''
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length
      if (bytes > RELAY_INFO_BYTES) return ''
      chunks.push(chunk as Buffer)
    }
  } finally {
    response.destroy()
  }
  return Buffer.concat(chunks).toString()
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
