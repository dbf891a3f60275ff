// @ts-check

/*
 * What the page believes: events of one bot that are signed, newest first, and what they say. No DOM and no
 * socket, so that it can be tried by itself. The rules are those of docs/pool-status.md.
 */

export const KIND = 30078
export const D = 'tithe/pool-status'
const SCHEMA = 'tithe.pool-status/1'
/** A date further ahead than this is a wrong clock or a lie, and would shut out what comes after, seconds. */
const AHEAD_SECONDS = 900

/**
 * @typedef {{ id: string, pubkey: string, created_at: number, kind: number, tags: string[][],
 *   content: string, sig: string }} NostrEvent
 * @typedef {{ at: number, seq: number, state: string, resetsAt: number, version: string,
 *   jobs: { free: number, partial: number, gate: number },
 *   exact?: { balance: number, budgets: Record<string, number>, limit: number, used: number,
 *     absorbed: number, credited: number, shortfall: number },
 *   coarse?: { pct: number, tiers: Record<string, string> },
 *   staleAt: number }} Status
 * @typedef {'news' | 'profile' | 'old' | 'foreign' | 'forged' | 'unreadable'} Verdict
 */

/**
 * @param {unknown} value
 * @returns {NostrEvent | undefined}
 */
export function parseEvent(value) {
  if (typeof value !== 'object' || value === null) return undefined
  const { id, pubkey, created_at, kind, tags, content, sig } =
    /** @type {Record<string, unknown>} */ (value)
  if (!isHex(id, 64) || !isHex(pubkey, 64) || !isHex(sig, 128)) return undefined
  if (!isCount(created_at) || !isCount(kind) || typeof content !== 'string') return undefined
  if (!Array.isArray(tags) || !tags.every(isTag)) return undefined
  return { id, pubkey, created_at, kind, tags, content, sig }
}

/**
 * @param {unknown} value
 * @param {number} length
 * @returns {value is string}
 */
function isHex(value, length) {
  return typeof value === 'string' && value.length === length && /^[0-9a-f]*$/.test(value)
}

/**
 * @param {unknown} value
 * @returns {value is number}
 */
function isCount(value) {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

/**
 * @param {unknown} value
 * @returns {value is string[]}
 */
function isTag(value) {
  return Array.isArray(value) && value.every((part) => typeof part === 'string')
}

/** @param {string} hex */
const bytesOf = (hex) =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

/** @param {Uint8Array} bytes */
const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/**
 * Whether the id is the hash of the event and the signature its author's (NIP-01).
 * @param {NostrEvent} event
 * @param {{ sha256: (bytes: Uint8Array) => Uint8Array,
 *   verify: (sig: Uint8Array, message: Uint8Array, key: Uint8Array) => boolean }} curve
 */
export function isSigned({ id, pubkey, created_at, kind, tags, content, sig }, { sha256, verify }) {
  const text = JSON.stringify([0, pubkey, created_at, kind, tags, content])
  const hash = sha256(new TextEncoder().encode(text))
  if (hexOf(hash) !== id) return false
  try {
    return verify(bytesOf(sig), hash, bytesOf(pubkey))
  } catch {
    return false
  }
}

/**
 * @param {NostrEvent} event
 * @param {string} name
 */
const tagOf = (event, name) => event.tags.find((tag) => tag[0] === name)?.[1]

/**
 * @param {NostrEvent} event
 * @returns {Status | undefined}
 */
export function readStatus(event) {
  const content = parseJson(event.content)
  if (!content || content.schema !== SCHEMA || content.at !== event.created_at) return undefined
  const { at, seq, state, resets_at: resetsAt, version, today } = content
  const interval = Number(tagOf(event, 'interval'))
  const expiration = Number(tagOf(event, 'expiration'))
  if (!(interval > 0) || !(expiration > 0) || typeof state !== 'string') return undefined
  if (!isCount(seq) || !isCount(resetsAt)) return undefined
  const jobs = countsOf(today?.jobs, ['free', 'partial', 'gate'])
  if (!jobs) return undefined
  const exact = exactOf(content)
  const coarse = exact ? undefined : coarseOf(content)
  if (!exact && !coarse) return undefined
  return {
    ...{ at, seq, state, resetsAt, version: String(version).slice(0, 100), jobs },
    ...(exact ? { exact } : {}),
    ...(coarse ? { coarse } : {}),
    staleAt: Math.min(expiration, at + 3 * interval),
  }
}

/** @param {any} content */
function exactOf({ balance_sats: balance, daily_budgets_sats, outflow, today }) {
  const budgets = countsOf(daily_budgets_sats, ['new', 'established', 'trusted', 'elite'])
  const flow = countsOf(outflow, ['limit_sats', 'used_sats'])
  const sats = countsOf(today, ['absorbed_sats', 'credited_sats', 'shortfall_sats'])
  if (!isCount(balance) || !budgets || !flow || !sats) return undefined
  return {
    ...{ balance, budgets, limit: flow.limit_sats ?? 0, used: flow.used_sats ?? 0 },
    absorbed: sats.absorbed_sats ?? 0,
    credited: sats.credited_sats ?? 0,
    shortfall: sats.shortfall_sats ?? 0,
  }
}

/** @param {any} content */
function coarseOf({ pool_pct: pct, tiers }) {
  if (!isCount(pct) || pct > 100 || typeof tiers !== 'object' || tiers === null) return undefined
  const words = Object.entries(tiers).filter(([, serve]) => /^(free|partial|gate)$/.test(serve))
  return { pct, tiers: Object.fromEntries(words) }
}

/**
 * @template {string} Name
 * @param {any} value
 * @param {Name[]} names
 * @returns {Record<Name, number> | undefined}
 */
function countsOf(value, names) {
  if (typeof value !== 'object' || value === null) return undefined
  if (!names.every((name) => isCount(value[name]))) return undefined
  return /** @type {Record<Name, number>} */ (
    Object.fromEntries(names.map((name) => [name, value[name]]))
  )
}

/** @param {string} text */
function parseJson(text) {
  try {
    const value = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * Follows one bot: takes whatever relays send and keeps what is true and newest.
 * @param {{ bot: string, verify: (event: NostrEvent) => boolean, now: () => number }} options
 *   `bot` as hex, `now` in Unix seconds
 */
export function createFollower({ bot, verify, now }) {
  /** @type {NostrEvent | undefined} */
  let latest
  /** @type {NostrEvent | undefined} */
  let profile
  /** @type {Status | undefined} */
  let status
  const seen = { forged: 0 }
  let hasFallen = false

  return {
    /**
     * @param {unknown} value
     * @returns {Verdict}
     */
    take(value) {
      const event = parseEvent(value)
      if (!event) return 'unreadable'
      if (event.pubkey !== bot) return 'foreign'
      const isStatus = event.kind === KIND && tagOf(event, 'd') === D
      if (!isStatus && event.kind !== 0) return 'foreign'
      // The cheap questions first: a verification takes a phone some milliseconds.
      if (!isNewer(event, isStatus ? latest : profile)) return 'old'
      if (event.created_at > now() + AHEAD_SECONDS) return 'old'
      if (!verify(event)) {
        seen.forged += 1
        return 'forged'
      }
      if (!isStatus) {
        profile = event
        return 'profile'
      }
      const read = readStatus(event)
      if (!read) return 'unreadable'
      hasFallen = status !== undefined && read.seq < status.seq
      latest = event
      status = read
      return 'news'
    },
    status: () => status,
    isStale: () => status !== undefined && now() >= status.staleAt,
    /** Whether the books went back in time, which only an older copy of them does. */
    hasFallen: () => hasFallen,
    seen,
    /** The bot's own name for itself (kind 0). */
    name() {
      const name = parseJson(profile?.content ?? '')?.name
      return typeof name === 'string' && name.trim() !== '' ? name.trim().slice(0, 60) : undefined
    },
  }
}

/**
 * The later counts, and of equal dates the lower id.
 * @param {NostrEvent} event
 * @param {NostrEvent | undefined} than
 */
export function isNewer(event, than) {
  if (!than || event.created_at !== than.created_at) {
    return event.created_at > (than?.created_at ?? -1)
  }
  return event.id < than.id
}
