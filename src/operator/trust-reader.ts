import { type Clock, unixSeconds } from '../clock.ts'
import type { Config } from '../config.ts'
import { TRUST_FETCH_MS } from '../limits.ts'
import type { Log } from '../log.ts'
import type { FetchedEvents } from '../nostr/fetch.ts'
import type { Filter, NostrEvent } from '../nostr/types.ts'
import { inTransaction, type Sql } from '../store/database.ts'
import { obeyList, wasObeyed } from '../store/trust.ts'
import {
  addressOf,
  filterOf,
  keysOf,
  type ListName,
  latestOf,
  PROVIDERS_KIND,
  RANKING_KIND,
  rankedKeys,
  rankProviders,
  writeRelays,
} from './trust-lists.ts'

/** The keys that were found, and whether a key that is not among them is surely none of them. */
export interface Known {
  keys: string[]
  complete: boolean
}

export interface TrustReaderOptions {
  sql: Sql
  rank: Config['trust']['rank']
  /** Verified events that match, from the operator's relays and those of `also`. Never rejects. */
  fetch(
    filters: Filter[],
    options: { timeoutMs: number; also?: readonly string[]; signal: AbortSignal },
  ): Promise<FetchedEvents>
  signal: AbortSignal
  clock: Clock
  log: Log
}

/** Asks relays whom a list names and whom a provider ranks. */
export interface TrustReader {
  /** Nobody without a list, incomplete without a version that may be obeyed. */
  named(list: ListName | undefined): Promise<Known>
  /** Learns whose ranks count: the provider's of the settings, or of those that it names. */
  learnProviders(): Promise<void>
  /** Those of these keys whose rank is high enough. */
  ranked(customers: readonly string[]): Promise<Known>
}

export const muteListOf = (pubkey: string): ListName => ({
  kind: MUTE_KIND,
  pubkey,
  identifier: '',
})

const MUTE_KIND = 10_000
const RELAYS_KIND = 10_002
/** Keys asked for in one filter: some relays answer a hundred events at most. */
const KEYS_PER_FILTER = 100

const NOBODY: Known = { keys: [], complete: true }
const UNKNOWN: Known = { keys: [], complete: false }

export function createTrustReader(options: TrustReaderOptions): TrustReader {
  const { sql, rank, signal, clock, log } = options
  let providers: { key: string; relay?: string }[] = []

  return { named, learnProviders, ranked }

  async function named(list: ListName | undefined): Promise<Known> {
    if (!list) return NOBODY
    const { events, answered, asked } = await ask([filterOf(list)], await homeOf(list.pubkey))
    const event = latestOf(events, list)
    const address = addressOf(list)
    if (!event) {
      // Most people mute nobody; but a list that was there once and is gone is a relay that lost it.
      const never = list.kind === MUTE_KIND && !(await wasObeyed(sql, address))
      if (never && answered === asked) return NOBODY
      log.warn({ address, answered, asked }, 'a list was not found; nothing changes')
      return UNKNOWN
    }
    const keys = keysOf(event)
    const version = { address, eventAt: event.created_at, eventId: event.id, keys: keys.length }
    if (await inTransaction(sql, (tx) => obeyList(tx, version))) return { keys, complete: true }
    log.warn({ address }, 'relays have an older version of a list; nothing changes')
    return UNKNOWN
  }

  async function learnProviders(): Promise<void> {
    if (!rank) return
    const name = { kind: PROVIDERS_KIND, pubkey: rank.provider, identifier: '' }
    const { events, answered } = await ask([filterOf(name)], await homeOf(rank.provider))
    const found = rankProviders(latestOf(events, name))
    // Without a list of providers the key is one itself.
    if (found.length > 0) providers = found
    else if (answered > 0 && providers.length === 0) providers = [{ key: rank.provider }]
  }

  /** Complete when every relay answered every question: any of them may have the latest word. */
  async function ranked(customers: readonly string[]): Promise<Known> {
    if (!rank) return NOBODY
    if (providers.length === 0) return UNKNOWN
    const authors = providers.map(({ key }) => key)
    const relays = providers.flatMap(({ relay }) => relay ?? [])
    const found: NostrEvent[] = []
    let complete = true
    for (let from = 0; from < customers.length && !signal.aborted; from += KEYS_PER_FILTER) {
      const some = customers.slice(from, from + KEYS_PER_FILTER)
      const filter = { kinds: [RANKING_KIND], authors, '#d': some }
      const { events, answered, asked } = await ask([filter], relays)
      complete &&= asked > 0 && answered === asked
      found.push(...events)
    }
    const { rankMin } = rank
    const nowSeconds = unixSeconds(clock)
    const keys = [...rankedKeys(found, { providers: authors, rankMin, nowSeconds })]
    return { keys, complete: complete && !signal.aborted }
  }

  /** Where this key publishes, by its own word. */
  async function homeOf(pubkey: string): Promise<string[]> {
    const name = { kind: RELAYS_KIND, pubkey, identifier: '' }
    const { events } = await ask([filterOf(name)])
    return writeRelays(latestOf(events, name))
  }

  function ask(filters: Filter[], also: readonly string[] = []): Promise<FetchedEvents> {
    return options.fetch(filters, { timeoutMs: TRUST_FETCH_MS, also, signal })
  }
}
