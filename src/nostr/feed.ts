import { type Clock, unixSeconds } from '../clock.ts'
import type { Log } from '../log.ts'
import { FeedLine, type LineState } from './feed-line.ts'
import { createPendingEvents, type From } from './feed-pending.ts'
import type { Relay } from './relay.ts'
import type { Filter, NostrEvent } from './types.ts'

/**
 * Reads streams of events from relays without losing one: every connection asks from
 * the cursor minus `backdateSeconds`, pages to the end, and stays live; the cursor of a (relay, stream)
 * moves only while the socket is open and answers, EOSE was the relay's own, and everything before is
 * committed. Events come at least once and from any relay; the receiver drops repeats.
 */
export interface Feed {
  /** Loads the cursors and begins. */
  start(): void
  /** Ends the subscriptions and waits for the events in progress. The relays stay connected. Idempotent. */
  stop(): Promise<void>
  /** Moves every cursor that may move. `start` does so every `advanceMs`. */
  runOnce(): Promise<{ advanced: number; held: number }>
  /** Since when every stream of this relay (URL) is live, ms; undefined while one is not. */
  liveSince(relay: string): number | undefined
  status(): FeedStatus
}

export interface FeedStatus {
  lines: {
    relay: string
    stream: string
    state: LineState
    liveSince: number | undefined
    /** The cursor, Unix seconds. */
    liveUntil: number
    uncommitted: number
    pages: number
  }[]
  /** Events handed on and not committed. */
  pending: number
  /** Times the receiver rejected an event, which is then handed on again. */
  retries: number
}

export interface Stream {
  /** Part of the cursor's key. */
  name: string
  /** What to read; its time range and limit are the feed's. One REQ of its own. */
  filter: Filter
  /** How far back from the cursor every connection asks: how late an event may be dated. */
  backdateSeconds: number
}

export interface CursorStore {
  /** Unix seconds; undefined on a first run, which begins at the present and looks back from there. */
  load(relay: string, stream: string): Promise<number | undefined>
  save(relay: string, stream: string, liveUntilSeconds: number): Promise<void>
}

export interface FeedOptions {
  relays: readonly Relay[]
  streams: readonly Stream[]
  cursors: CursorStore
  clock: Clock
  log: Log
  /** Whether this id and signature were verified and committed before; such events are not handed on. */
  known?(id: string, sig: string): boolean
  /** A verified event came from this relay (URL), also one that is not handed on. */
  arrived?(id: string, relay: string): void
  /**
   * Takes a verified event; resolves when it is committed or refused for good. A rejection keeps the
   * cursor where it is and hands the event on again later.
   */
  onEvent(event: NostrEvent, from: From): Promise<void>
  advanceMs?: number
  /** How long a REQ may bring neither an event nor EOSE. */
  eoseMs?: number
  /** The pause before an incomplete stream is asked again: random below `firstMs` × 2^n, at most `mostMs`. */
  retry?: { firstMs: number; mostMs: number }
  /** Events handed on and not committed at which relays are read no further. */
  pendingMax?: number
  random?: () => number
}

const ADVANCE_MS = 30_000
const EOSE_MS = 15_000
const RETRY = { firstMs: 1_000, mostMs: 300_000 }
const LOAD_RETRY_MS = 1_000

export function createFeed(options: FeedOptions): Feed {
  const { relays, streams, clock, log, eoseMs = EOSE_MS } = options
  const { known = () => false, arrived = () => {} } = options
  const { retry = RETRY, random = Math.random } = options
  const stopping = new AbortController()
  const pending = createPendingEvents({
    clock,
    log,
    onEvent: options.onEvent,
    ...(options.pendingMax === undefined ? {} : { most: options.pendingMax }),
    onFull(full) {
      for (const relay of relays) full ? relay.pause() : relay.resume()
    },
  })
  const common = { clock, log, pending, known, arrived, eoseMs, retry, random }
  const lines = relays.flatMap((relay) =>
    streams.map((stream) => new FeedLine({ ...common, relay, stream })),
  )
  const unlisten: (() => void)[] = []
  let running: Promise<void> | undefined
  let stopped: Promise<void> | undefined

  function follow(relay: Relay): void {
    const own = lines.filter((line) => line.relay === relay)
    const begin = () => {
      for (const line of own) line.begin()
    }
    unlisten.push(
      relay.onOpen(begin),
      relay.onState((state) => {
        if (state !== 'open') for (const line of own) line.interrupt()
      }),
    )
    if (relay.state() === 'open') begin()
  }

  async function run(): Promise<void> {
    await Promise.all(lines.map((line) => loadCursor(line, options, stopping.signal)))
    if (stopping.signal.aborted) return
    for (const relay of relays) follow(relay)
    let told = 0
    while (!stopping.signal.aborted) {
      await clock.sleep(options.advanceMs ?? ADVANCE_MS, stopping.signal)
      if (stopping.signal.aborted) return
      await runOnce()
      const failed = pending.retries - told
      told += failed
      if (failed > 0) log.warn({ failed, pending: pending.size }, 'events wait to be committed')
    }
  }

  async function runOnce(): Promise<{ advanced: number; held: number }> {
    // Together, so that whoever stores them can do it in one go.
    const moved = await Promise.all(lines.map((line) => advance(line, options)))
    const advanced = moved.filter(Boolean).length
    return { advanced, held: lines.length - advanced }
  }

  async function stop(): Promise<void> {
    stopping.abort()
    for (const end of unlisten.splice(0)) end()
    for (const line of lines) line.interrupt()
    await Promise.all([running, pending.stop()])
    for (const relay of relays) relay.resume()
  }

  return {
    start() {
      if (stopped === undefined) running ??= run()
    },
    stop() {
      stopped ??= stop()
      return stopped
    },
    runOnce,
    liveSince(relay) {
      const since = lines.filter((line) => line.relay.url === relay).map((line) => line.liveSince)
      const known = since.filter((at) => at !== undefined)
      return known.length === since.length && known.length > 0 ? Math.max(...known) : undefined
    },
    status: () => ({
      lines: lines.map((line) => line.status()),
      pending: pending.size,
      retries: pending.retries,
    }),
  }
}

/**
 * A first run begins at the present and writes that down at once: otherwise a relay that is first
 * reached days later, or a daemon stopped within its first half minute, would begin anew and later.
 */
async function loadCursor(
  line: FeedLine,
  { cursors, clock, log }: FeedOptions,
  stopping: AbortSignal,
): Promise<void> {
  const { url } = line.relay
  const { name } = line.stream
  const began = unixSeconds(clock)
  while (!stopping.aborted) {
    try {
      const saved = await cursors.load(url, name)
      line.resumeFrom(saved ?? began)
      if (saved === undefined) await cursors.save(url, name, began)
      return
    } catch (error) {
      log.error({ relay: url, err: error }, 'a cursor could not be loaded')
      await clock.sleep(LOAD_RETRY_MS, stopping)
    }
  }
}

async function advance(line: FeedLine, { cursors, log }: FeedOptions): Promise<boolean> {
  const reached = line.reached()
  if (reached === undefined) return false
  try {
    await cursors.save(line.relay.url, line.stream.name, reached)
    line.resumeFrom(reached)
    return true
  } catch (error) {
    log.error({ relay: line.relay.url, err: error }, 'a cursor could not be saved')
    return false
  }
}
