import type { Clock } from '../clock.ts'
import type { Relay } from './relay.ts'
import type { Filter, NostrEvent } from './types.ts'

export interface FetchedEvents {
  /** Verified and matching, each id once. */
  events: NostrEvent[]
  /** Relays that said EOSE, of those that were asked. */
  answered: number
  asked: number
}

/**
 * One REQ per relay for what is stored. Ends when every relay has answered or closed, at the latest after
 * `timeoutMs`; relays that are down by then gave no answer. Never rejects.
 */
export function fetchEvents(options: {
  relays: readonly Relay[]
  filters: Filter[]
  clock: Clock
  timeoutMs: number
  signal?: AbortSignal
}): Promise<FetchedEvents> {
  const { relays, filters, clock, timeoutMs, signal } = options
  const events = new Map<string, NostrEvent>()
  const ended = new AbortController()
  const either = signal ? AbortSignal.any([signal, ended.signal]) : ended.signal
  let answered = 0
  let open = relays.length
  const subscriptions = relays.map((relay) => {
    let over = false
    const end = (byEose: boolean) => {
      // A relay may say EOSE again after a reconnect.
      if (over) return
      over = true
      if (byEose) answered += 1
      open -= 1
      if (open === 0) ended.abort()
    }
    return relay.subscribe({
      filters,
      onEvent: (event) => void events.set(event.id, event),
      onEose: () => end(true),
      onClosed: () => end(false),
    })
  })
  if (open === 0) ended.abort()
  return clock.sleep(timeoutMs, either).then(() => {
    for (const subscription of subscriptions) subscription.close()
    return { events: [...events.values()], answered, asked: relays.length }
  })
}
