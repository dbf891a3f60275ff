import { type Clock, unixSeconds } from '../clock.ts'
import { FUTURE_SECONDS } from '../limits.ts'
import type { Log } from '../log.ts'
import { isHex32 } from './event.ts'
import type { Relay } from './relay.ts'
import { createEntries, type Entry, keepNewest } from './relay-list-entries.ts'
import { type Fetched, fetchLists, LIST_KINDS } from './relay-lists-fetch.ts'
import type { NostrEvent } from './types.ts'

/** Where a key reads: its NIP-17 list (kind 10050), its NIP-65 read relays (kind 10002), and whether it is a bot. */
export interface RelayLists {
  dm: RelayList
  read: RelayList
  /** `bot: true` in its profile (NIP-24); undefined when no profile is known. */
  profileIsBot?: boolean
}

export interface RelayList {
  /** `failed` is not `absent`: the relays that would know did not answer. */
  state: 'found' | 'absent' | 'failed'
  /** Sanitised, in the list's order, at most `CUSTOMER_RELAYS`. May be empty when found. */
  urls: string[]
}

export interface RelayListsOptions {
  /** The relays that are asked. */
  fetchFrom(): readonly Relay[]
  /** Connects to a write relay of the key itself when the others know no kind 10050 of it. */
  connect?(url: string): Relay
  clock: Clock
  log?: Log
  verify(event: NostrEvent): boolean
  /** Relays of the operator, which strangers' lists may name although they are private. */
  trusted: readonly string[]
  timeoutMs?: number
}

export interface RelayListLookup {
  /** Never rejects. Look-ups of one key share one query, those that come together share one REQ. */
  lookup(pubkey: string): Promise<RelayLists>
  /** What `lookup` would answer at once; undefined while it would have to ask, which it then begins to. */
  known(pubkey: string): RelayLists | undefined
  /** What is known by now, and undefined for nothing; a look-up begins when there is none or an old one. */
  peek(pubkey: string): RelayLists | undefined
  /** Takes an event of kind 0, 10002 or 10050 that came by; others, old and forged ones are ignored. */
  prime(event: NostrEvent): void
}

const TIMEOUT_MS = 4_000
/** For a key's own write relays: a reply waits, and there is a fallback. */
const OUTBOX_MS = 1_500
/** How long look-ups wait for others to share their REQ. */
const GATHER_MS = 2
/** Keys in one REQ: three events each stay below caps of 50, where a list cut off would pass for absent. */
const AUTHORS_MAX = 16
/** How long an answer is used. Absence is looked at again soon: a list may have just been published. */
const AGE_MS = { found: 3_600_000, absent: 60_000, failed: 5_000 }
/** What is older is used, and asked for meanwhile: who moves between a request and its result is to be found. */
const REFRESH_MS = 60_000
/** Keys whose own write relays are asked at once: each costs up to two connections. */
const OUTBOX_KEYS = 8

export function createRelayLists(options: RelayListsOptions): RelayListLookup {
  const { clock, log, trusted, connect, fetchFrom, timeoutMs = TIMEOUT_MS } = options
  const entries = createEntries<RelayLists>()
  let gathering: { authors: string[]; fetched: Promise<Fetched> } | undefined
  let outboxKeys = 0

  /** Everyone who comes within `GATHER_MS` is asked for together. */
  function gather(pubkey: string): Promise<Fetched> {
    if (gathering === undefined || gathering.authors.length >= AUTHORS_MAX) {
      const authors: string[] = []
      const send = () => {
        if (gathering === mine) gathering = undefined
        return fetchLists({ relays: fetchFrom(), authors, clock, timeoutMs })
      }
      const mine = { authors, fetched: clock.sleep(GATHER_MS).then(send) }
      gathering = mine
    }
    gathering.authors.push(pubkey)
    return gathering.fetched
  }

  async function ask(pubkey: string, entry: Entry<RelayLists>): Promise<RelayLists> {
    const { events, conclusive } = await gather(pubkey)
    keep(entry, pubkey, events)
    if (conclusive && !entry.versions.has(LIST_KINDS.dm)) await askOutbox(pubkey, entry)
    entry.otherwise = conclusive ? 'absent' : 'failed'
    if (!conclusive) log?.debug({ customer: pubkey.slice(0, 8) }, 'relay lists were not found out')
    const isFound = conclusive && entry.versions.has(LIST_KINDS.dm)
    entry.askedAt = clock.now()
    // A look-up that was made although there was an answer takes nothing from it when it fails.
    const expiresAt = entry.askedAt + AGE_MS[isFound ? 'found' : entry.otherwise]
    entry.expiresAt = Math.max(entry.expiresAt, expiresAt)
    entry.asking = undefined
    return listsOf(entry)
  }

  /** A key's own write relays are where its lists are surest to be (NIP-65). */
  async function askOutbox(pubkey: string, entry: Entry<RelayLists>): Promise<void> {
    if (connect === undefined || outboxKeys >= OUTBOX_KEYS) return
    const asked = new Set(fetchFrom().map((relay) => relay.url))
    const urls = entry.versions.get(LIST_KINDS.nip65)?.writeUrls ?? []
    const relays = urls.filter((url) => !asked.has(url)).map(connect)
    if (relays.length === 0) return
    outboxKeys += 1
    const waitMs = Math.min(timeoutMs, OUTBOX_MS)
    const { events } = await fetchLists({ relays, authors: [pubkey], clock, timeoutMs: waitMs })
    keep(entry, pubkey, events)
    await Promise.all(relays.map((relay) => relay.stop()))
    outboxKeys -= 1
  }

  function keep(entry: Entry<RelayLists>, pubkey: string, events: NostrEvent[]): void {
    const last = unixSeconds(clock) + FUTURE_SECONDS
    for (const event of events) {
      if (event.pubkey === pubkey && event.created_at <= last) keepNewest(entry, event, trusted)
    }
  }

  function lookup(pubkey: string): Promise<RelayLists> {
    if (!isHex32(pubkey)) return Promise.resolve(NOTHING)
    const entry = entries.of(pubkey)
    const isKnown = entry.expiresAt > clock.now()
    if (isKnown && clock.now() - entry.askedAt < REFRESH_MS) return Promise.resolve(listsOf(entry))
    entry.asking ??= ask(pubkey, entry)
    return isKnown ? Promise.resolve(listsOf(entry)) : entry.asking
  }

  return {
    lookup,
    known(pubkey) {
      void lookup(pubkey)
      const entry = entries.of(pubkey)
      return entry.expiresAt > clock.now() ? listsOf(entry) : undefined
    },
    peek(pubkey) {
      void lookup(pubkey)
      const { versions, ...entry } = entries.of(pubkey)
      return versions.size > 0 ? listsOf({ versions, ...entry }) : undefined
    },
    prime(event) {
      const kinds: number[] = Object.values(LIST_KINDS)
      if (!kinds.includes(event.kind) || !options.verify(event)) return
      const entry = entries.of(event.pubkey)
      keep(entry, event.pubkey, [event])
      if (event.kind !== LIST_KINDS.dm) return
      entry.askedAt = clock.now()
      entry.expiresAt = Math.max(entry.expiresAt, entry.askedAt + AGE_MS.found)
    },
  }
}

/** The answer for what is no key. */
const NOTHING: RelayLists = {
  dm: { state: 'failed', urls: [] },
  read: { state: 'failed', urls: [] },
}

function listsOf({ versions, otherwise }: Entry<RelayLists>): RelayLists {
  const list = (kind: number): RelayList => {
    const version = versions.get(kind)
    if (version === undefined) return { state: otherwise, urls: [] }
    return { state: 'found', urls: [...version.readUrls] }
  }
  const lists = { dm: list(LIST_KINDS.dm), read: list(LIST_KINDS.nip65) }
  const profile = versions.get(LIST_KINDS.profile)
  return profile === undefined ? lists : { ...lists, profileIsBot: profile.isBot }
}
