import type { Clock } from '../clock.ts'
import type { Relay } from './relay.ts'
import type { NostrEvent } from './types.ts'

/** Kinds a relay list look-up asks for: profile (bot or not), NIP-65 and NIP-17 lists. */
export const LIST_KINDS = { profile: 0, nip65: 10_002, dm: 10_050 } as const

export interface Fetched {
  /** Verified events of the kinds asked for, several versions among them. */
  events: NostrEvent[]
  /**
   * Whether silence means absence: more than half of the relays asked said EOSE. A list may lie on a
   * relay that did not answer, and a look-up that failed is not a customer without a list.
   */
  conclusive: boolean
}

/** A relay's answer beyond the first half is waited for this long: lists differ between relays. */
const GRACE_MS = 500

/**
 * One REQ per relay for the lists of many keys. Ends when all have answered, or after a grace when
 * enough have, at the latest after `timeoutMs`. Relays that are down are not asked. Never rejects.
 */
export function fetchLists(options: {
  relays: readonly Relay[]
  authors: readonly string[]
  clock: Clock
  timeoutMs: number
}): Promise<Fetched> {
  const { authors, clock, timeoutMs } = options
  const relays = options.relays.filter((r) => r.state() === 'open' || r.state() === 'connecting')
  const events: NostrEvent[] = []
  const withList = new Set<string>()
  const ended = new AbortController()
  let answered = 0
  let refused = 0
  let graceOver = false

  return new Promise((resolve) => {
    const kinds = Object.values(LIST_KINDS)
    // Twice what there should be: some relays keep old versions too.
    const filter = { kinds, authors: [...authors], limit: authors.length * kinds.length * 2 }
    const subscriptions = relays.map((relay) =>
      relay.subscribe({
        filters: [filter],
        onEvent(event) {
          events.push(event)
          if (event.kind === LIST_KINDS.dm) withList.add(event.pubkey)
        },
        onEose() {
          answered += 1
          if (answered === 1) void clock.sleep(GRACE_MS, ended.signal).then(endGrace)
          check()
        },
        onClosed() {
          refused += 1
          check()
        },
      }),
    )
    const endGrace = () => {
      graceOver = true
      check()
    }
    const conclusive = () => answered * 2 > relays.length
    const check = () => {
      const all = answered + refused === relays.length
      if (all || (graceOver && (conclusive() || withList.size === authors.length))) finish()
    }
    const finish = () => {
      if (ended.signal.aborted) return
      ended.abort()
      for (const subscription of subscriptions) subscription.close()
      resolve({ events, conclusive: conclusive() })
    }
    void clock.sleep(timeoutMs, ended.signal).then(finish)
    check()
  })
}
