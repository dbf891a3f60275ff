import { isHex32, isInstant, isKind } from '../nostr/event.ts'
import type { Filter } from '../nostr/types.ts'

const LIST_MAX = 1_000

/** Reads a filter of a REQ (NIP-01); a string says what is wrong with it. */
export function readFilter(value: unknown): Filter | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not an object'
  const filter: Filter = {}
  for (const [key, given] of Object.entries(value)) {
    if (key === 'since' || key === 'until' || key === 'limit') {
      if (!isInstant(given)) return `${key} is not a whole number`
      filter[key] = given
    } else if (!Array.isArray(given) || given.length > LIST_MAX) return `${key} is not a short list`
    else if (key === 'kinds') {
      if (!given.every(isKind)) return 'kinds are numbers up to 65535'
      filter.kinds = given
    } else if (key === 'ids' || key === 'authors') {
      if (!given.every(isHex32)) return `${key} are 64 lower-case hex digits`
      filter[key] = given
    } else if (isTagKey(key)) {
      if (!given.every((text) => typeof text === 'string')) return `${key} are strings`
      filter[key] = given
    } else return `unknown field ${key.slice(0, 20)}`
  }
  return filter
}

/** Only single-letter tags are indexed (NIP-01). */
const isTagKey = (key: string): key is `#${string}` => /^#[a-zA-Z]$/.test(key)
