import { isExpired, isHex32, tagValue } from '../nostr/event.ts'
import type { Filter, NostrEvent } from '../nostr/types.ts'

/*
 * What Nostr lists say about whom to trust, read from verified events. Only public entries count: a
 * private part is encrypted to its author.
 */

/** An addressable or replaceable list, by author and, for kind 30000, its `d`. */
export interface ListName {
  kind: number
  pubkey: string
  identifier: string
}

export const addressOf = ({ kind, pubkey, identifier }: ListName): string =>
  `${kind}:${pubkey}:${identifier}`

export const filterOf = ({ kind, pubkey, identifier }: ListName): Filter => ({
  kinds: [kind],
  authors: [pubkey],
  // Some relays keep old versions too.
  limit: 10,
  ...(kind >= 30_000 ? { '#d': [identifier] } : {}),
})

/** The version that counts (NIP-01): the latest, and of equal dates the lowest id. */
export function latestOf(
  events: readonly NostrEvent[],
  { kind, pubkey, identifier }: ListName,
): NostrEvent | undefined {
  return events
    .filter((event) => event.kind === kind && event.pubkey === pubkey)
    .filter((event) => kind < 30_000 || tagValue(event, 'd') === identifier)
    .toSorted((a, b) => b.created_at - a.created_at || (a.id < b.id ? -1 : 1))[0]
}

/** The public keys a list names (NIP-02, NIP-51), each once; what is no key is passed over. */
export function keysOf(event: NostrEvent): string[] {
  const keys = event.tags.flatMap(([name, key]) => (name === 'p' && isHex32(key) ? [key] : []))
  return [...new Set(keys)]
}

export const RANKING_KIND = 30_382
export const PROVIDERS_KIND = 10_040

/** Whose ranks a key trusts (NIP-85, kind 10040), with the relay each is published on. */
export function rankProviders(event: NostrEvent | undefined): { key: string; relay?: string }[] {
  return (event?.tags ?? []).flatMap(([name, key, relay]) =>
    name === `${RANKING_KIND}:rank` && isHex32(key) ? [relay ? { key, relay } : { key }] : [],
  )
}

/**
 * Keys whose rank is at least `rankMin`, by the latest word of any of these providers (NIP-85, kind 30382). An
 * assertion that has expired says nothing.
 */
export function rankedKeys(
  events: readonly NostrEvent[],
  {
    providers,
    rankMin,
    nowSeconds,
  }: { providers: readonly string[]; rankMin: number; nowSeconds: number },
): Set<string> {
  const found = new Set<string>()
  for (const provider of providers) {
    const own = events.filter(({ kind, pubkey }) => kind === RANKING_KIND && pubkey === provider)
    for (const key of new Set(own.map((event) => tagValue(event, 'd')))) {
      if (!isHex32(key)) continue
      const latest = latestOf(own, { kind: RANKING_KIND, pubkey: provider, identifier: key })
      if (!latest || isExpired(latest.tags, nowSeconds)) continue
      const rank = tagValue(latest, 'rank') ?? ''
      if (/^(100|[1-9]?\d)$/.test(rank) && Number(rank) >= rankMin) found.add(key)
    }
  }
  return found
}

/** Where a key publishes (NIP-65, kind 10002): relays it writes to, in its order. */
export function writeRelays(event: NostrEvent | undefined): string[] {
  return (event?.tags ?? []).flatMap(([name, url, marker]) =>
    name === 'r' && url !== undefined && marker !== 'read' ? [url] : [],
  )
}
