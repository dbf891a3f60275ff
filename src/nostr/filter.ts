import type { Filter, NostrEvent } from './types.ts'

export type Matches = (event: NostrEvent) => boolean

/** One test for a list of filters: an event matches when any of them does (NIP-01). `limit` is no condition. */
export function matcher(filters: readonly Filter[]): Matches {
  const [first, ...others] = filters.map(single)
  if (first === undefined) return () => false
  if (others.length === 0) return first
  return (event) => first(event) || others.some((matches) => matches(event))
}

function single(filter: Filter): Matches {
  const ids = filter.ids && new Set(filter.ids)
  const authors = filter.authors && new Set(filter.authors)
  const kinds = filter.kinds && new Set(filter.kinds)
  const since = filter.since ?? Number.NEGATIVE_INFINITY
  const until = filter.until ?? Number.POSITIVE_INFINITY
  const tags = tagConditions(filter)
  return (event) =>
    event.created_at >= since &&
    event.created_at <= until &&
    (kinds === undefined || kinds.has(event.kind)) &&
    (authors === undefined || authors.has(event.pubkey)) &&
    (ids === undefined || ids.has(event.id)) &&
    tags.every(({ name, values }) =>
      event.tags.some((t) => t[0] === name && values.has(t[1] ?? '')),
    )
}

/** The conditions on single-letter tags; only a tag's first value is indexed (NIP-01). */
export function tagConditions(filter: Filter): { name: string; values: Set<string> }[] {
  const conditions: { name: string; values: Set<string> }[] = []
  for (const [key, values] of Object.entries(filter)) {
    if (key.startsWith('#') && Array.isArray(values)) {
      conditions.push({ name: key.slice(1), values: new Set(values.map(String)) })
    }
  }
  return conditions
}
