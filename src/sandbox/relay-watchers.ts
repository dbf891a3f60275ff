import type { Matches } from '../nostr/filter.ts'
import type { Filter, NostrEvent } from '../nostr/types.ts'
import type { StoredEvent } from './relay-store.ts'

/** One subscription of one client. */
export interface Sub {
  id: string
  filters: Filter[]
  matches: Matches
  /** Sends an event unless the client may not see it. */
  offer(stored: StoredEvent): void
}

/** Subscriptions by the `#p` values they ask for, so that a new event is not tried on all of them. */
export interface Watchers {
  add(sub: Sub): void
  remove(sub: Sub): void
  /** Those that may match; `matches` still has to be asked. */
  of(event: NostrEvent): Set<Sub>
  /** Every subscription, however it is kept. */
  all(): Set<Sub>
}

/** Where a subscription goes that not every filter binds to a `#p` value. */
const ANY = ''

export function createWatchers(): Watchers {
  const byKey = new Map<string, Set<Sub>>()
  const keysOf = (sub: Sub): string[] => {
    const bound = sub.filters.every((filter) => filter['#p'] !== undefined)
    return bound ? sub.filters.flatMap((filter) => filter['#p'] ?? []) : [ANY]
  }
  const gather = (keys: Iterable<string>): Set<Sub> => {
    const found = new Set<Sub>()
    for (const key of keys) for (const sub of byKey.get(key) ?? []) found.add(sub)
    return found
  }
  return {
    add(sub) {
      for (const key of keysOf(sub)) {
        const subs = byKey.get(key) ?? new Set()
        byKey.set(key, subs.add(sub))
      }
    },
    remove(sub) {
      for (const key of keysOf(sub)) {
        const subs = byKey.get(key)
        subs?.delete(sub)
        if (subs?.size === 0) byKey.delete(key)
      }
    },
    of(event) {
      const named = event.tags.filter((tag) => tag[0] === 'p').map((tag) => tag[1] ?? '')
      return gather([ANY, ...named])
    },
    all: () => gather(byKey.keys()),
  }
}
