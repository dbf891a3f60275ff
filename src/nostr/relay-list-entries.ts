import { parseJson } from '../json.ts'
import { CUSTOMER_RELAYS, RELAY_LISTS_KEPT } from '../limits.ts'
import { LIST_KINDS } from './relay-lists-fetch.ts'
import { usableRelayUrls } from './relay-url.ts'
import type { NostrEvent } from './types.ts'

/** What is kept of one event: never the event, which may be a quarter of a megabyte. */
interface Version {
  id: string
  createdAt: number
  /** Usable relays to write to the key at; for kind 10002 also those it writes to itself. */
  readUrls: string[]
  writeUrls: string[]
  isBot: boolean
}

/** What is known of one key. */
export interface Entry<Answer> {
  versions: Map<number, Version>
  /** What a kind without a version means. */
  otherwise: 'absent' | 'failed'
  askedAt: number
  expiresAt: number
  asking: Promise<Answer> | undefined
}

export interface Entries<Answer> {
  /** The entry of a key, made if need be; the one unused for longest goes when there are too many. */
  of(pubkey: string): Entry<Answer>
}

/** Write relays of one key that are of use: those asked for its list. */
const WRITE_URLS = 2

export function createEntries<Answer>(most = RELAY_LISTS_KEPT): Entries<Answer> {
  const entries = new Map<string, Entry<Answer>>()
  return {
    of(pubkey) {
      const entry: Entry<Answer> = entries.get(pubkey) ?? {
        versions: new Map(),
        otherwise: 'failed',
        askedAt: 0,
        expiresAt: 0,
        asking: undefined,
      }
      // Put again at the end, so that the first entry is the one unused for longest.
      entries.delete(pubkey)
      entries.set(pubkey, entry)
      for (const oldest of entries.keys()) {
        if (entries.size <= most) break
        entries.delete(oldest)
      }
      return entry
    },
  }
}

/** Keeps the newest version; in one second the lowest id wins (NIP-01). */
export function keepNewest<Answer>(
  entry: Entry<Answer>,
  event: NostrEvent,
  trusted: readonly string[],
): void {
  const present = entry.versions.get(event.kind)
  const isNewer =
    present === undefined ||
    event.created_at > present.createdAt ||
    (event.created_at === present.createdAt && event.id < present.id)
  if (isNewer) entry.versions.set(event.kind, digest(event, trusted))
}

function digest(event: NostrEvent, trusted: readonly string[]): Version {
  const read = event.kind === LIST_KINDS.dm ? dmRelays(event) : nip65Relays(event, 'read')
  const written = event.kind === LIST_KINDS.nip65 ? nip65Relays(event, 'write') : []
  return {
    id: event.id,
    createdAt: event.created_at,
    readUrls: usableRelayUrls(read, { allow: trusted, max: CUSTOMER_RELAYS }),
    writeUrls: usableRelayUrls(written, { allow: [], max: WRITE_URLS }),
    isBot: event.kind === LIST_KINDS.profile && saysBot(event.content),
  }
}

const dmRelays = (event: NostrEvent): string[] =>
  event.tags.filter((tag) => tag[0] === 'relay').map((tag) => tag[1] ?? '')

/** An entry without a marker is for both (NIP-65). */
const nip65Relays = (event: NostrEvent, use: 'read' | 'write'): string[] =>
  event.tags.filter((tag) => tag[0] === 'r' && (tag[2] || use) === use).map((tag) => tag[1] ?? '')

/** NIP-24. */
function saysBot(content: string): boolean {
  const parsed = parseJson(content)
  if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null) return false
  return 'bot' in parsed.value && parsed.value.bot === true
}
