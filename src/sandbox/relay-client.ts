import { randomUUID } from 'node:crypto'
import { type Clock, unixSeconds } from '../clock.ts'
import { parseJson } from '../json.ts'
import { parseEvent, tagValue } from '../nostr/event.ts'
import { matcher } from '../nostr/filter.ts'
import type { Filter, NostrEvent } from '../nostr/types.ts'
import type { RelayFaults } from './relay-faults.ts'
import { readFilter } from './relay-filters.ts'
import type { Outlet } from './relay-outlet.ts'
import type { Added, RelayStore, StoredEvent } from './relay-store.ts'
import type { Sub, Watchers } from './relay-watchers.ts'

/** What all clients of one sandbox relay share. */
export interface RelayCore {
  url(): string
  clock: Clock
  store: RelayStore
  watchers: Watchers
  faults: RelayFaults
  counters: SandboxRelayCounters
  requireAuth: boolean
  authToWrite: boolean
  verify(event: NostrEvent): boolean
}

export interface SandboxRelayCounters {
  /** Sockets open at this moment. */
  connected: number
  connections: number
  accepted: number
  refused: number
  requests: number
  sent: number
  authenticated: number
}

const SUBS_MAX = 64
const FILTERS_MAX = 20
const SUB_ID_CHARS = 64
const PAGE_MAX = 500
const FUTURE_SECONDS = 900
const AUTH_KIND = 22_242
const AUTH_AGE_SECONDS = 600

const isDirect = (kind: number): boolean => kind === 4 || kind === 1_059 || kind === 21_059

type Ok = [accepted: boolean, message: string]

const OK_OF: Record<Added, Ok> = {
  stored: [true, ''],
  ephemeral: [true, ''],
  duplicate: [true, 'duplicate: already have it'],
  replaced: [true, 'duplicate: a newer one is stored'],
  deleted: [false, 'blocked: deleted by its author'],
  expired: [false, 'invalid: expired'],
}

/** One client of the sandbox relay, from connect to disconnect (NIP-01, NIP-42). */
export class RelayClient {
  readonly #core: RelayCore
  readonly #outlet: Outlet
  readonly #challenge = randomUUID()
  readonly #subs = new Map<string, Sub>()
  #pubkey: string | undefined

  constructor(core: RelayCore, outlet: Outlet) {
    this.#core = core
    this.#outlet = outlet
    if (core.requireAuth || core.authToWrite) outlet.say('AUTH', this.#challenge)
  }

  onText(text: string): void {
    const parsed = parseJson(text)
    const message: unknown[] = parsed.ok && Array.isArray(parsed.value) ? parsed.value : []
    const [type, first, ...rest] = message
    if (type === 'EVENT') this.#onEvent(first)
    else if (type === 'AUTH') this.#onAuth(first)
    else if (type === 'REQ' && typeof first === 'string') this.#onReq(first, rest)
    else if (type === 'CLOSE' && typeof first === 'string') this.#close(first)
    else this.#outlet.say('NOTICE', 'invalid: not a message this relay knows')
  }

  end(): void {
    for (const id of [...this.#subs.keys()]) this.#close(id)
  }

  #onEvent(value: unknown): void {
    const { faults, counters } = this.#core
    const event = parseEvent(value)
    if (event === undefined) {
      this.#outlet.say('NOTICE', 'invalid: not an event')
      return
    }
    const [accepted, message] = this.#take(event)
    counters[accepted ? 'accepted' : 'refused'] += 1
    if (faults.ok !== 'none') this.#outlet.say('OK', event.id, accepted, message)
  }

  #take(event: NostrEvent): Ok {
    const { faults, authToWrite, clock, store, verify } = this.#core
    const now = unixSeconds(clock)
    if (faults.ok === 'refuse') return [false, faults.okMessage]
    if (authToWrite && this.#pubkey === undefined) return [false, 'auth-required: not yet']
    if (event.created_at > now + FUTURE_SECONDS) return [false, 'invalid: too far in the future']
    if (!verify(event)) return [false, 'invalid: id or signature is wrong']
    if (faults.ok === 'unstored') return [true, '']
    const stored = { event, json: JSON.stringify(event) }
    const added = store.add(stored, now)
    if (added === 'stored' || added === 'ephemeral') this.#spread(stored)
    return OK_OF[added]
  }

  /** To every subscription that matches; `leakLive` looks at kinds alone, as one relay in use does. */
  #spread(stored: StoredEvent): void {
    const { faults, watchers } = this.#core
    const { event } = stored
    if (faults.withhold) return
    for (const sub of faults.leakLive ? watchers.all() : watchers.of(event)) {
      const leaks =
        faults.leakLive && sub.filters.some((f) => f.kinds?.includes(event.kind) ?? true)
      if (leaks || sub.matches(event)) sub.offer(stored)
    }
  }

  #onReq(id: string, values: unknown[]): void {
    const filters = values.map(readFilter)
    const read = filters.filter((filter) => typeof filter !== 'string')
    this.#core.counters.requests += 1
    const refusal = this.#refusal(id, filters) ?? this.#authFault(read)
    if (refusal === undefined) this.#open(id, read)
    else this.#outlet.say('CLOSED', id, refusal)
  }

  #refusal(id: string, filters: (Filter | string)[]): string | undefined {
    const fault = filters.find((filter) => typeof filter === 'string')
    const { closed } = this.#core.faults
    if (closed !== undefined) return closed
    if (id.length > SUB_ID_CHARS) return 'invalid: subscription id is too long'
    if (filters.length === 0 || filters.length > FILTERS_MAX) return 'invalid: number of filters'
    if (fault !== undefined) return `invalid: ${fault}`
    const full = this.#subs.size >= SUBS_MAX && !this.#subs.has(id)
    return full ? 'error: too many subscriptions' : undefined
  }

  #open(id: string, filters: Filter[]): void {
    this.#close(id)
    const offer = (stored: StoredEvent) => {
      if (this.#maySee(stored.event)) this.#outlet.event(id, stored)
    }
    const sub: Sub = { id, filters, matches: matcher(filters), offer }
    this.#subs.set(id, sub)
    this.#core.watchers.add(sub)
    this.#sendStored(sub)
  }

  #sendStored(sub: Sub): void {
    const { faults } = this.#core
    if (faults.eose === 'early') this.#outlet.say('EOSE', sub.id)
    const sent = new Set<StoredEvent>()
    let complete = true
    for (const filter of faults.withhold ? [] : sub.filters) {
      const page = this.#query(filter)
      complete &&= page.complete
      for (const stored of page.found) {
        if (!sent.has(stored)) sub.offer(stored)
        sent.add(stored)
      }
    }
    this.#outlet.flush()
    if (faults.eose !== 'real') return
    if (faults.hints && complete) this.#outlet.say('EOSE', sub.id, ['finish'])
    else this.#outlet.say('EOSE', sub.id)
  }

  #query(filter: Filter) {
    const { faults, store, clock } = this.#core
    const asked = { ...filter }
    if (faults.untilExclusive && asked.until !== undefined) asked.until -= 1
    if (faults.sinceExclusive && asked.since !== undefined) asked.since += 1
    const most = faults.silentCap > 0 ? Math.min(faults.silentCap, PAGE_MAX) : PAGE_MAX
    return store.query(asked, most, unixSeconds(clock))
  }

  /** Direct messages go to those they are for, and to their author (NIP-42). */
  #maySee(event: NostrEvent): boolean {
    if (!this.#core.requireAuth || !isDirect(event.kind)) return true
    const me = this.#pubkey
    if (me === undefined) return false
    return event.pubkey === me || event.tags.some((tag) => tag[0] === 'p' && tag[1] === me)
  }

  /** A REQ for direct messages alone is refused; a mixed one is served without them, in silence. */
  #authFault(filters: Filter[]): string | undefined {
    if (!this.#core.requireAuth) return undefined
    if (!filters.every((filter) => filter.kinds?.every(isDirect) ?? false)) return undefined
    const me = this.#pubkey
    if (me === undefined) return 'auth-required: direct messages are for their receivers'
    const mine = (keys: string[] | undefined) => keys?.every((key) => key === me) ?? false
    const own = filters.every((filter) => mine(filter['#p']) || mine(filter.authors))
    return own ? undefined : 'restricted: these are not yours'
  }

  #onAuth(value: unknown): void {
    const { faults, counters } = this.#core
    const event = parseEvent(value)
    if (event === undefined || faults.authReply === 'none') return
    const accepted = faults.authReply === 'real' && this.#isAuth(event)
    if (accepted) {
      this.#pubkey = event.pubkey
      counters.authenticated += 1
    }
    this.#outlet.say('OK', event.id, accepted, accepted ? '' : 'restricted: AUTH failed')
  }

  #isAuth(event: NostrEvent): boolean {
    const { clock, verify, url } = this.#core
    return (
      event.kind === AUTH_KIND &&
      Math.abs(event.created_at - unixSeconds(clock)) < AUTH_AGE_SECONDS &&
      tagValue(event, 'challenge') === this.#challenge &&
      sameHost(tagValue(event, 'relay'), url()) &&
      verify(event)
    )
  }

  #close(id: string): void {
    const sub = this.#subs.get(id)
    if (sub === undefined) return
    this.#subs.delete(id)
    this.#core.watchers.remove(sub)
  }
}

const sameHost = (named: string | undefined, own: string): boolean =>
  URL.parse(named ?? '')?.host === URL.parse(own)?.host
