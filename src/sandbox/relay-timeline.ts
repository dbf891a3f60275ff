import type { Filter } from '../nostr/types.ts'
import type { StoredEvent } from './relay-store.ts'

/** Events of one index in the order relays send them: newest first, lowest id first within a second. */
export interface Timeline {
  readonly items: readonly StoredEvent[]
  insert(stored: StoredEvent): void
  remove(stored: StoredEvent): void
  /** At most `most` wanted events between the filter's `since` and `until`, both inclusive. */
  walk(filter: Filter, most: number, wanted: (stored: StoredEvent) => boolean): StoredEvent[]
}

export function createTimeline(): Timeline {
  const items: StoredEvent[] = []

  /** Where an event of this time and id is or belongs. */
  const place = (createdAt: number, id: string): number => {
    let low = 0
    let high = items.length
    while (low < high) {
      const middle = (low + high) >> 1
      const at = items[middle]?.event
      if (at === undefined) break
      const before = at.created_at > createdAt || (at.created_at === createdAt && at.id < id)
      if (before) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    items,
    insert(stored) {
      items.splice(place(stored.event.created_at, stored.event.id), 0, stored)
    },
    remove(stored) {
      const at = place(stored.event.created_at, stored.event.id)
      if (items[at] === stored) items.splice(at, 1)
    },
    walk(filter, most, wanted) {
      const found: StoredEvent[] = []
      const since = filter.since ?? Number.NEGATIVE_INFINITY
      let at = filter.until === undefined ? 0 : place(filter.until, '')
      for (; at < items.length && found.length < most; at += 1) {
        const stored = items[at]
        if (stored === undefined || stored.event.created_at < since) break
        if (wanted(stored)) found.push(stored)
      }
      return found
    },
  }
}
