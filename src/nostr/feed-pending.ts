import type { Clock } from '../clock.ts'
import { FEED_PENDING_EVENTS } from '../limits.ts'
import type { Log } from '../log.ts'
import type { NostrEvent } from './types.ts'

export interface From {
  /** URL of the relay it came from first. */
  relay: string
  stream: string
}

/** Events that were handed on and are not committed yet, over all relays of one feed. */
export interface PendingEvents {
  /** Hands an event on. Resolves true when it is committed, false when `stop` came first. Never rejects. */
  take(event: NostrEvent, from: From): Promise<boolean>
  /** The commit in progress of the event with this id and signature. */
  inFlight(id: string, sig: string): Promise<boolean> | undefined
  /** Resolves when there is room for another page. */
  room(): Promise<void>
  readonly size: number
  /** Rejections by the receiver so far. */
  readonly retries: number
  /** Ends the repeats; resolves when the attempts in progress ended, at most after `STOP_MS`. */
  stop(): Promise<void>
}

/** The pause before an event that was not committed is handed on again, doubled up to the last. */
const RETRY_MS = { first: 100, last: 30_000 }
const STOP_MS = 5_000
/**
 * How many times `most` may be pending before relays are read no further. Pages wait for room by themselves; a
 * relay that is not read gives no OK for our replies either, so that is kept for a flood of live events.
 */
const FLOOD = 3

export function createPendingEvents(options: {
  clock: Clock
  log: Log
  onEvent(event: NostrEvent, from: From): Promise<void>
  /** So much is pending that relays must not be read, or no longer. */
  onFull(full: boolean): void
  /** Above it no further page is asked for. */
  most?: number
}): PendingEvents {
  const { clock, log, onEvent, onFull, most = FEED_PENDING_EVENTS } = options
  const stopping = new AbortController()
  const open = new Map<string, { sig: string; committed: Promise<boolean> }>()
  let waiters: (() => void)[] = []
  let full = false
  let flooded = false
  let attempts = 0
  let retries = 0
  let idle = () => {}

  async function attempt(event: NostrEvent, from: From): Promise<boolean> {
    attempts += 1
    try {
      await onEvent(event, from)
      return true
    } catch (error) {
      retries += 1
      log.debug({ eventId: event.id, relay: from.relay, err: error }, 'event not committed')
      return false
    } finally {
      attempts -= 1
      if (attempts === 0) idle()
    }
  }

  async function commit(event: NostrEvent, from: From): Promise<boolean> {
    let pauseMs = RETRY_MS.first
    while (!stopping.signal.aborted) {
      if (await attempt(event, from)) {
        open.delete(event.id)
        drained()
        return true
      }
      await clock.sleep(pauseMs, stopping.signal)
      pauseMs = Math.min(RETRY_MS.last, pauseMs * 2)
    }
    return false
  }

  function drained(): void {
    if (flooded && open.size <= most) {
      flooded = false
      onFull(false)
    }
    if (!full || open.size > most / 2) return
    full = false
    for (const resolve of waiters) resolve()
    waiters = []
  }

  return {
    take(event, from) {
      const committed = commit(event, from)
      open.set(event.id, { sig: event.sig, committed })
      if (open.size >= most) full = true
      if (!flooded && open.size >= most * FLOOD) {
        flooded = true
        onFull(true)
      }
      return committed
    },
    inFlight(id, sig) {
      const entry = open.get(id)
      return entry?.sig === sig ? entry.committed : undefined
    },
    room: () => (full ? new Promise((resolve) => waiters.push(resolve)) : Promise.resolve()),
    get size() {
      return open.size
    },
    get retries() {
      return retries
    },
    async stop() {
      stopping.abort()
      for (const resolve of waiters) resolve()
      if (attempts === 0) return
      const ended = new AbortController()
      idle = () => ended.abort()
      await clock.sleep(STOP_MS, ended.signal)
    },
  }
}
