import type { Clock } from '../clock.ts'
import type { PendingEvents } from './feed-pending.ts'
import type { Relay, Subscription } from './relay.ts'
import type { EoseHint } from './relay-frames.ts'
import type { Filter, NostrEvent } from './types.ts'

/** What one REQ brought until its EOSE. */
export interface Page {
  /** `silent`: no EOSE and no event for the time allowed. `aborted`: the connection or the feed ended. */
  outcome: 'eose' | 'closed' | 'silent' | 'aborted'
  /** Matching events, known ones included. */
  count: number
  /** Oldest `created_at` among them; infinite when there was none. */
  oldest: number
  hint: EoseHint | undefined
  /** Prefix of the relay's CLOSED, when there was one. */
  refusal: string | undefined
}

/** An open subscription that began as one page; it hands events on until it is closed. */
export interface Asked extends Subscription {
  readonly page: Promise<Page>
  /** Resolves with the prefix when the relay closes it, with undefined when the run is aborted. */
  readonly ended: Promise<string | undefined>
}

export interface PageOptions {
  relay: Relay
  filter: Filter
  stream: string
  clock: Clock
  signal: AbortSignal
  pending: PendingEvents
  /** Given the commit of every event that is not committed yet. */
  track(committed: Promise<boolean>): void
  known(id: string, sig: string): boolean
  /** An event came, whether or not another relay brought it before. */
  arrived(id: string, relay: string): void
  eoseMs: number
}

/** Sends one REQ. Never rejects and never throws. */
export function askPage(options: PageOptions): Asked {
  const { relay, pending, track, signal } = options
  const from = { relay: relay.url, stream: options.stream }
  const settled = Promise.withResolvers<Page>()
  const ended = Promise.withResolvers<string | undefined>()
  const done = new AbortController()
  let count = 0
  let oldest = Number.POSITIVE_INFINITY

  const see = (event: NostrEvent) => {
    options.arrived(event.id, relay.url)
    count += 1
    oldest = Math.min(oldest, event.created_at)
  }
  const settle = (outcome: Page['outcome'], hint?: EoseHint, refusal?: string) => {
    done.abort()
    settled.resolve({ outcome, count, oldest, hint, refusal })
  }
  const onAbort = () => {
    settle('aborted')
    ended.resolve(undefined)
  }
  signal.addEventListener('abort', onAbort, { once: true })

  const subscription = relay.subscribe({
    filters: [options.filter],
    onEvent(event) {
      see(event)
      // Another relay's copy may have been handed on since it was looked up.
      track(pending.inFlight(event.id, event.sig) ?? pending.take(event, from))
    },
    known: (id, sig) => pending.inFlight(id, sig) !== undefined || options.known(id, sig),
    onKnown(event) {
      see(event)
      const committed = pending.inFlight(event.id, event.sig)
      if (committed !== undefined) track(committed)
    },
    onEose: (hint) => settle('eose', hint),
    onClosed(prefix) {
      settle('closed', undefined, prefix)
      ended.resolve(prefix)
    },
  })
  void watch()

  /** An event is a sign of life: a slow relay is no silent one. */
  async function watch(): Promise<void> {
    for (let seen = -1; seen !== count; ) {
      seen = count
      await options.clock.sleep(options.eoseMs, done.signal)
      await pending.room()
    }
    settle('silent')
  }

  return {
    id: subscription.id,
    page: settled.promise,
    ended: ended.promise,
    close() {
      signal.removeEventListener('abort', onAbort)
      done.abort()
      subscription.close()
    },
  }
}
