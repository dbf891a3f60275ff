import { type Clock, unixSeconds } from '../clock.ts'
import { RELAY_PAGE_EVENTS, RELAY_PAGES } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Stream } from './feed.ts'
import { type Commits, createCommits } from './feed-commits.ts'
import { type Asked, askPage, type Page } from './feed-page.ts'
import type { PendingEvents } from './feed-pending.ts'
import type { Relay, Subscription } from './relay.ts'

export type LineState = 'waiting' | 'backfilling' | 'live' | 'incomplete'

/** How reading pages ended, and the prefix of the relay's refusal when that was why. */
interface Walk {
  complete: boolean
  refused?: string | undefined
}

export interface LineOptions {
  relay: Relay
  stream: Stream
  clock: Clock
  log: Log
  pending: PendingEvents
  known(id: string, sig: string): boolean
  arrived(id: string, relay: string): void
  eoseMs: number
  retry: { firstMs: number; mostMs: number }
  random(): number
}

/** A pong older than this proves nothing: what the relay sent since may never have arrived. */
const PONG_AGE_MS = 40_000
/** No page is asked for beyond this from the present: one event of the year 3000 must not lead the paging there. */
const AHEAD_SECONDS = 86_400
/** These refusals do not pass by themselves in a second. */
const LASTING = new Set(['auth-required', 'restricted', 'blocked', 'invalid', 'unsupported'])
const LASTING_FAILURES = 6

/**
 * One stream on one relay. `waiting` (no connection) → `backfilling` → `live`; `incomplete` when the
 * relay gave no EOSE or closed the subscription, and after a pause `backfilling` again.
 */
export class FeedLine {
  readonly relay: Relay
  readonly stream: Stream
  readonly #options: LineOptions
  readonly #commits: Commits = createCommits()
  #state: LineState = 'waiting'
  #liveSince: number | undefined
  #liveUntil = 0
  #run = new AbortController()
  #live: Subscription | undefined
  #pages = 0
  /** Where a run was broken off, Unix seconds: what is older was not read yet. */
  #left: number | undefined

  constructor(options: LineOptions) {
    this.relay = options.relay
    this.stream = options.stream
    this.#options = options
  }

  /** When it became live, ms; undefined while it is not. */
  get liveSince(): number | undefined {
    return this.#liveSince
  }

  status() {
    return {
      relay: this.relay.url,
      stream: this.stream.name,
      state: this.#state,
      liveSince: this.#liveSince,
      liveUntil: this.#liveUntil,
      uncommitted: this.#commits.uncommitted,
      pages: this.#pages,
    }
  }

  /** Sets the cursor, Unix seconds: everything the relay had until then is committed. */
  resumeFrom(liveUntil: number): void {
    this.#liveUntil = liveUntil
  }

  /** Asks everything anew from the cursor on. */
  begin(): void {
    this.interrupt()
    this.#run = new AbortController()
    void this.#keepLive(this.#run.signal)
  }

  /** The connection is gone, or the feed stops. */
  interrupt(): void {
    this.#run.abort()
    this.#live?.close()
    this.#live = undefined
    this.#enter('waiting')
  }

  /** Where the cursor may move to, Unix seconds; undefined when it must stay. */
  reached(): number | undefined {
    const { clock } = this.#options
    const pongAt = this.relay.lastPongAt()
    const now = clock.now()
    if (this.#state !== 'live' || pongAt === undefined) return undefined
    if (now - pongAt >= PONG_AGE_MS) return undefined
    const at = this.#commits.reached(Math.floor(Math.min(now, pongAt) / 1000))
    const until = this.#liveUntil
    if (at === undefined) return undefined
    // A cursor in the future was written by a clock that was wrong.
    return at >= until || until > unixSeconds(clock) ? at : undefined
  }

  /** The only way to change the state. */
  #enter(next: LineState): void {
    this.#state = next
    this.#liveSince = next === 'live' ? this.#options.clock.now() : undefined
    if (next !== 'live') this.#commits.forget()
  }

  async #keepLive(signal: AbortSignal): Promise<void> {
    const { clock, log, retry, random } = this.#options
    let failures = 0
    while (!signal.aborted) {
      this.#enter('backfilling')
      const { complete, live, refused } = await this.#backfill(signal)
      if (signal.aborted) return
      let refusal = refused
      if (complete) {
        this.#enter('live')
        failures = 0
        refusal = await live.ended
        if (signal.aborted) return
      }
      this.#enter('incomplete')
      failures = Math.max(failures + 1, LASTING.has(refusal ?? '') ? LASTING_FAILURES : 0)
      const pauseMs = random() * Math.min(retry.mostMs, retry.firstMs * 2 ** failures)
      const { relay, stream } = this
      log.debug({ relay: relay.url, stream: stream.name, refusal, pauseMs }, 'stream incomplete')
      await clock.sleep(pauseMs, signal)
    }
  }

  /**
   * Everything stored since the cursor, newest first, while new events already come in. What lies below where an
   * earlier run was broken off goes first: a relay that breaks each connection would never come to it.
   */
  async #backfill(signal: AbortSignal): Promise<Walk & { live: Asked }> {
    const { clock } = this.#options
    const now = unixSeconds(clock)
    // One second more on both sides: some relays read `since` or `until` as exclusive.
    const from = Math.min(this.#liveUntil, now) - this.stream.backdateSeconds - 1
    const since = Math.max(0, from)
    const before = this.#live
    const live = this.#ask({ since }, signal)
    this.#live = live
    before?.close()
    const first = await live.page
    const left = this.#left
    let walk: Walk = { complete: true }
    if (left !== undefined && first.outcome === 'eose') {
      const range = { since, until: left }
      walk = await this.#walkDown(await this.#older(range, signal), range, signal)
    }
    const range = { since, until: now + AHEAD_SECONDS }
    if (walk.complete) walk = await this.#walkDown(first, range, signal)
    return { ...walk, live }
  }

  /** Reads the pages below `first`, whose newest second is `until`. Where it is broken off the next run begins. */
  async #walkDown(
    first: Page,
    { since, until: top }: { since: number; until: number },
    signal: AbortSignal,
  ): Promise<Walk> {
    let page = first
    let until = top
    for (let count = 0; count < RELAY_PAGES && page.outcome === 'eose'; count += 1) {
      this.#pages += 1
      // The oldest second once more, for it may go on in the next page; unless this page was all of one second.
      until = Math.min(page.oldest + 1, until - 1)
      if (page.hint === 'finish' || page.count === 0 || until < since) {
        this.#left = undefined
        return { complete: true }
      }
      this.#left = until
      await this.#options.pending.room()
      if (signal.aborted) return { complete: false }
      page = await this.#older({ since, until }, signal)
    }
    if (page.count > 0) this.#left = Math.min(this.#left ?? top, page.oldest + 1)
    return { complete: false, refused: page.refusal }
  }

  async #older(range: { since: number; until: number }, signal: AbortSignal): Promise<Page> {
    const older = this.#ask(range, signal)
    const page = await older.page
    older.close()
    return page
  }

  #ask(range: { since: number; until?: number }, signal: AbortSignal): Asked {
    const { relay, stream } = this
    const { clock, pending, known, arrived, eoseMs } = this.#options
    const limit = pageLimit(relay)
    return askPage({
      relay,
      clock,
      signal,
      pending,
      known,
      arrived,
      eoseMs,
      stream: stream.name,
      track: this.#commits.track,
      filter: { ...stream.filter, ...range, limit },
    })
  }
}

function pageLimit(relay: Relay): number {
  const most = relay.info()?.limitMax ?? RELAY_PAGE_EVENTS
  return most > 0 ? Math.min(most, RELAY_PAGE_EVENTS) : RELAY_PAGE_EVENTS
}
