import type { Filter } from '../nostr/types.ts'
import type { StoredEvent } from './relay-store.ts'

/** Events of one index in the order relays send them: newest first, lowest id first within a second. */
export interface Timeline {
  readonly size: number
  insert(stored: StoredEvent): void
  remove(stored: StoredEvent): void
  /** At most `most` wanted events between the filter's `since` and `until`, both inclusive. */
  walk(filter: Filter, most: number, wanted: (stored: StoredEvent) => boolean): StoredEvent[]
}

/**
 * Gift wraps are dated anywhere within two days (NIP-59), so most are inserted in the middle. One long array would
 * move half of itself for each; only one short run of it moves here.
 */
const RUN_MAX = 512

export function createTimeline(): Timeline {
  // None of the runs is empty.
  const runs: StoredEvent[][] = []
  let size = 0

  /** The run that holds, or would hold, what belongs at this time and id. */
  const runOf = (createdAt: number, id: string): number =>
    firstWhere(runs, (run) => {
      const last = run.at(-1)
      return last === undefined || !isBefore(last.event, createdAt, id)
    })

  return {
    get size() {
      return size
    },
    insert(stored) {
      const { created_at, id } = stored.event
      const at = Math.min(runOf(created_at, id), Math.max(0, runs.length - 1))
      const run = runs[at] ?? []
      if (run.length === 0) runs.push(run)
      run.splice(placeIn(run, created_at, id), 0, stored)
      size += 1
      if (run.length > RUN_MAX) runs.splice(at + 1, 0, run.splice(RUN_MAX / 2))
    },
    remove(stored) {
      const { created_at, id } = stored.event
      const at = runOf(created_at, id)
      const run = runs[at] ?? []
      const place = placeIn(run, created_at, id)
      if (run[place] !== stored) return
      run.splice(place, 1)
      size -= 1
      if (run.length === 0) runs.splice(at, 1)
    },
    walk(filter, most, wanted) {
      const found: StoredEvent[] = []
      const since = filter.since ?? Number.NEGATIVE_INFINITY
      const until = filter.until ?? Number.POSITIVE_INFINITY
      for (let at = runOf(until, ''); at < runs.length; at += 1) {
        const run = runs[at] ?? []
        for (let place = placeIn(run, until, ''); place < run.length; place += 1) {
          const stored = run[place]
          if (found.length >= most || !stored || stored.event.created_at < since) return found
          if (wanted(stored)) found.push(stored)
        }
      }
      return found
    },
  }
}

const placeIn = (run: readonly StoredEvent[], createdAt: number, id: string): number =>
  firstWhere(run, ({ event }) => !isBefore(event, createdAt, id))

const isBefore = (event: StoredEvent['event'], createdAt: number, id: string): boolean =>
  event.created_at > createdAt || (event.created_at === createdAt && event.id < id)

/** The first place from which on all items pass, by halving. */
function firstWhere<Item>(items: readonly Item[], passes: (item: Item) => boolean): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (passes(items[middle] as Item)) high = middle
    else low = middle + 1
  }
  return low
}
