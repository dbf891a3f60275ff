import { isExpired, tagValue } from '../nostr/event.ts'
import { matcher, tagConditions } from '../nostr/filter.ts'
import type { Filter, NostrEvent } from '../nostr/types.ts'
import { createTimeline, type Timeline } from './relay-timeline.ts'

export interface StoredEvent {
  event: NostrEvent
  /** As it is sent, so that no event is written as text twice. */
  json: string
}

export type Added = 'stored' | 'duplicate' | 'replaced' | 'deleted' | 'expired' | 'ephemeral'

/**
 * The events of an in-memory relay (NIP-01, 09, 40), newest first and lowest id first within a second.
 * Bounded: above `eventsMax` or `bytesMax` the event that arrived first goes.
 */
export interface RelayStore {
  add(stored: StoredEvent, nowSeconds: number): Added
  /** Matching events in order, at most `filter.limit` and at most `most`; `complete` when no more are stored. */
  query(
    filter: Filter,
    most: number,
    nowSeconds: number,
  ): { found: StoredEvent[]; complete: boolean }
  /** All, by arrival. */
  all(): NostrEvent[]
  readonly size: number
}

/** A query for more authors × kinds than this walks another index instead of merging so many. */
const MERGED_MAX = 500
const DELETION_KIND = 5
const GIFT_WRAP_KIND = 1_059

const isEphemeral = (kind: number): boolean => kind >= 20_000 && kind < 30_000

export function createRelayStore(
  options: { eventsMax?: number; bytesMax?: number } = {},
): RelayStore {
  const { eventsMax = 50_000, bytesMax = 128 * 1024 * 1024 } = options
  const byId = new Map<string, StoredEvent>()
  const lines = new Map<string, Timeline>()
  /** The present version of each replaceable and addressable event, by its address. */
  const versions = new Map<string, string>()
  const deleted = new Set<string>()
  let bytes = 0

  const drop = (id: string): void => {
    const stored = byId.get(id)
    if (stored === undefined) return
    byId.delete(id)
    bytes -= stored.json.length
    for (const key of indexKeys(stored.event)) {
      const line = lines.get(key)
      line?.remove(stored)
      if (line?.size === 0) lines.delete(key)
    }
    const address = addressOf(stored.event)
    if (address !== undefined && versions.get(address) === id) versions.delete(address)
  }

  const keep = (stored: StoredEvent): void => {
    byId.set(stored.event.id, stored)
    bytes += stored.json.length
    for (const key of indexKeys(stored.event)) {
      const line = lines.get(key) ?? createTimeline()
      lines.set(key, line)
      line.insert(stored)
    }
    for (const oldest of byId.keys()) {
      if (byId.size <= eventsMax && bytes <= bytesMax) break
      drop(oldest)
    }
  }

  /** NIP-09, and NIP-17's deletion of a wrap by the one it was wrapped for. */
  const deleteBy = (request: NostrEvent): void => {
    for (const [name, value = ''] of request.tags) {
      const id = name === 'a' ? versions.get(value) : name === 'e' ? value : undefined
      const target = id === undefined ? undefined : byId.get(id)?.event
      if (target === undefined || !mayDelete(request, target)) continue
      if (name === 'a' && target.created_at > request.created_at) continue
      drop(target.id)
      remember(deleted, target.id, eventsMax)
    }
  }

  return {
    add(stored, nowSeconds) {
      const { event } = stored
      if (byId.has(event.id)) return 'duplicate'
      if (deleted.has(event.id)) return 'deleted'
      if (isExpired(event.tags, nowSeconds)) return 'expired'
      if (isEphemeral(event.kind)) return 'ephemeral'
      const address = addressOf(event)
      if (address !== undefined) {
        const present = byId.get(versions.get(address) ?? '')?.event
        if (present !== undefined && !isNewer(event, present)) return 'replaced'
        if (present !== undefined) drop(present.id)
        versions.set(address, event.id)
      }
      keep(stored)
      if (event.kind === DELETION_KIND) deleteBy(event)
      return 'stored'
    },
    query(filter, most, nowSeconds) {
      const limit = Math.min(filter.limit ?? most, most)
      const matches = matcher([filter])
      const wanted = (stored: StoredEvent) =>
        matches(stored.event) && !isExpired(stored.event.tags, nowSeconds)
      if (filter.ids !== undefined) {
        const found = filter.ids.flatMap((id) => byId.get(id) ?? []).filter(wanted)
        return cut(found.sort(newestFirst), limit)
      }
      const chosen = chooseLines(filter, lines)
      const found = chosen.flatMap((line) => line.walk(filter, limit + 1, wanted))
      return cut(chosen.length > 1 ? unique(found.sort(newestFirst)) : found, limit)
    },
    all: () => [...byId.values()].map((stored) => stored.event),
    get size() {
      return byId.size
    },
  }
}

const newestFirst = (a: StoredEvent, b: StoredEvent): number =>
  b.event.created_at - a.event.created_at || (a.event.id < b.event.id ? -1 : 1)

const cut = (found: StoredEvent[], limit: number) => ({
  found: found.slice(0, limit),
  complete: found.length <= limit,
})

const unique = (sorted: StoredEvent[]): StoredEvent[] =>
  sorted.filter((stored, index) => stored !== sorted[index - 1])

/** The shortest of the indices that hold every event the filter can match. */
function chooseLines(filter: Filter, lines: Map<string, Timeline>): Timeline[] {
  const pick = (keys: string[]) => keys.flatMap((key) => lines.get(key) ?? [])
  const choices = [pick(['all'])]
  const { authors, kinds } = filter
  if (kinds !== undefined) choices.push(pick(kinds.map((kind) => `k:${kind}`)))
  if (authors !== undefined) {
    choices.push(pick(authors.map((author) => `a:${author}`)))
    if (kinds !== undefined && authors.length * kinds.length <= MERGED_MAX) {
      choices.push(pick(authors.flatMap((author) => kinds.map((kind) => `a:${author}:${kind}`))))
    }
  }
  for (const { name, values } of tagConditions(filter)) {
    choices.push(pick([...values].map((value) => `t:${name}:${value}`)))
  }
  const length = (choice: Timeline[]) => choice.reduce((sum, line) => sum + line.size, 0)
  return choices.reduce((best, choice) => (length(choice) < length(best) ? choice : best))
}

function indexKeys(event: NostrEvent): Set<string> {
  const keys = new Set(['all', `k:${event.kind}`, `a:${event.pubkey}`])
  keys.add(`a:${event.pubkey}:${event.kind}`)
  for (const [name = '', value = ''] of event.tags) {
    if (name.length === 1) keys.add(`t:${name}:${value}`)
  }
  return keys
}

/** What a replaceable or addressable event replaces versions of (NIP-01); undefined for other kinds. */
function addressOf(event: NostrEvent): string | undefined {
  const { kind, pubkey } = event
  if (kind === 0 || kind === 3 || (kind >= 10_000 && kind < 20_000)) return `${kind}:${pubkey}:`
  if (kind < 30_000 || kind >= 40_000) return undefined
  return `${kind}:${pubkey}:${tagValue(event, 'd') ?? ''}`
}

const isNewer = (event: NostrEvent, present: NostrEvent): boolean =>
  event.created_at > present.created_at ||
  (event.created_at === present.created_at && event.id < present.id)

function mayDelete(request: NostrEvent, target: NostrEvent): boolean {
  if (target.kind === DELETION_KIND) return false
  if (target.pubkey === request.pubkey) return true
  return target.kind === GIFT_WRAP_KIND && tagValue(target, 'p') === request.pubkey
}

function remember(ids: Set<string>, id: string, most: number): void {
  ids.add(id)
  for (const oldest of ids) {
    if (ids.size <= most) break
    ids.delete(oldest)
  }
}
