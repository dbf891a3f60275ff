import { RELAY_PAGE_EVENTS } from '../limits.ts'
import { parseEvent } from './event.ts'
import { type Matches, matcher } from './filter.ts'
import type { RelayAuth } from './relay-auth.ts'
import type { RelayCounters } from './relay-counters.ts'
import type { Subscribe, Subscription } from './relay.ts'
import type { EoseHint } from './relay-frames.ts'
import type { Meter } from './relay-meter.ts'
import type { Filter, NostrEvent } from './types.ts'

/** What a verification costs its relay, in units of the relay's budget. */
const BAD_SIGNATURE_UNITS = 3

/** The subscriptions of one relay. They outlive its connections: each new one is asked all of them again. */
export interface Subscriptions {
  add(subscribe: Subscribe): Subscription
  /** A connection opened: ask everything. */
  opened(connection: Connection): void
  /** AUTH was settled: ask what waited for it and, when it passed, what had been asked before it. */
  settled(passed: boolean): void
  /** What could not be sent because the relay read too slowly can be. */
  room(): void
  lost(): void
  /** `units`: what the frame costs when it turns out to be of no use. */
  onEvent(id: string, value: unknown, units: number): void
  onEose(id: string, hint: EoseHint | undefined): void
  onClosed(id: string, prefix: string, message: string): void
}

export interface Connection {
  auth: RelayAuth
  send(text: string): boolean
}

export interface SubscriptionsOptions {
  counters: RelayCounters
  verify(event: NostrEvent): boolean
  meter: Meter
}

interface Open {
  id: string
  request: string
  matches: Matches
  subscribe: Subscribe
  /** On this connection. `refused`: the relay closed it for want of an AUTH that is on its way. */
  sent: 'no' | 'refused' | 'before-auth' | 'after-auth'
  /** Stored events that may still come without cost, because we asked for them. */
  storedLeft: number
}

export function createSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const { counters, meter } = options
  const open = new Map<string, Open>()
  const closedLately = createLately(64)
  let connection: Connection | undefined
  let lastId = 0

  const send = (sub: Open): void => {
    // While an AUTH is on its way a REQ would have to be repeated after it.
    if (connection === undefined || connection.auth.state === 'asking') return
    const { state } = connection.auth
    sub.storedLeft = storedMost(sub.subscribe.filters)
    if (!connection.send(sub.request)) return
    sub.sent = state === 'accepted' || state === 'unanswered' ? 'after-auth' : 'before-auth'
  }

  const end = (sub: Open, prefix: string, message: string): void => {
    if (!open.delete(sub.id)) return
    closedLately.add(sub.id)
    sub.subscribe.onClosed?.(prefix, message)
  }

  const askUnsent = () => {
    for (const sub of [...open.values()]) if (sub.sent === 'no') send(sub)
  }

  return {
    room: askUnsent,
    add(given) {
      // A copy, so that no caller and no relay shares a filter with another.
      const subscribe = { ...given, filters: structuredClone(given.filters) }
      lastId += 1
      const id = `t${lastId}`
      const request = JSON.stringify(['REQ', id, ...subscribe.filters])
      const matches = matcher(subscribe.filters)
      const sub: Open = { id, request, matches, subscribe, sent: 'no', storedLeft: 0 }
      open.set(id, sub)
      send(sub)
      return {
        id,
        close() {
          if (!open.delete(id)) return
          closedLately.add(id)
          if (sub.sent !== 'no') connection?.send(`["CLOSE","${id}"]`)
        },
      }
    },
    opened(next) {
      connection = next
      askUnsent()
    },
    settled(passed) {
      for (const sub of [...open.values()]) {
        if (sub.sent === 'no' || (passed && sub.sent !== 'after-auth')) send(sub)
      }
    },
    lost() {
      connection = undefined
      for (const sub of open.values()) sub.sent = 'no'
    },
    onEvent(id, value, units) {
      const sub = open.get(id)
      if (sub === undefined) {
        if (!closedLately.has(id)) counters.unsolicited += 1
        meter.spend(units)
      } else take(sub, value, units, options)
    },
    onEose(id, hint) {
      const sub = open.get(id)
      if (sub === undefined) return
      sub.storedLeft = 0
      meter.useful()
      sub.subscribe.onEose?.(hint)
    },
    onClosed(id, prefix, message) {
      const sub = open.get(id)
      if (sub === undefined || connection === undefined) return
      const { auth } = connection
      const asked = connection
      const sentAfter = sub.sent === 'after-auth'
      if (!wantsAuth(prefix, sentAfter, auth)) return end(sub, prefix, message)
      sub.sent = 'refused'
      void auth.ensure(sentAfter).then((again) => {
        if (asked !== connection || !open.has(id)) return
        if (!again) end(sub, prefix, message)
        else if (sub.sent === 'refused') send(sub)
      })
    },
  }
}

function take(sub: Open, value: unknown, units: number, options: SubscriptionsOptions): void {
  const { counters, meter } = options
  const event = parseEvent(value)
  if (event === undefined) {
    counters.malformed += 1
    meter.spend(units)
  } else if (!sub.matches(event)) {
    counters.mismatched += 1
    meter.spend(units)
  } else {
    if (sub.storedLeft > 0) sub.storedLeft -= 1
    else meter.spend(1)
    judge(sub, event, units, options)
  }
}

function judge(sub: Open, event: NostrEvent, units: number, options: SubscriptionsOptions): void {
  const { counters, meter } = options
  // Known means verified before, under this id and this signature: a forged copy of a true id
  // carries another signature and is looked at like any other event.
  if (sub.subscribe.known?.(event.id, event.sig)) {
    counters.known += 1
    sub.subscribe.onKnown?.(event)
  } else if (options.verify(event)) {
    counters.events += 1
    meter.useful()
    sub.subscribe.onEvent(event)
  } else {
    counters.forged += 1
    meter.spend(units + BAD_SIGNATURE_UNITS)
  }
}

/** `restricted:` is what some relays say before AUTH where `auth-required:` is due. */
export function wantsAuth(prefix: string, sentAfter: boolean, auth: RelayAuth): boolean {
  return prefix === 'auth-required' || (prefix === 'restricted' && auth.offered && !sentAfter)
}

const storedMost = (filters: Filter[]): number =>
  filters.reduce((sum, filter) => sum + (filter.limit ?? RELAY_PAGE_EVENTS), 0)

/** The last `size` ids: events already on their way when a subscription is closed are no offence. */
function createLately(size: number): { add(id: string): void; has(id: string): boolean } {
  const ids = new Set<string>()
  return {
    add(id) {
      ids.add(id)
      for (const oldest of ids) {
        if (ids.size <= size) break
        ids.delete(oldest)
      }
    },
    has: (id) => ids.has(id),
  }
}
