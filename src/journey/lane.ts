import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Sql } from '../store/database.ts'
import type { Claimed, LaneQueries } from '../store/lanes.ts'

/**
 * A lane claims due rows of one table and hands them to a step, at most `slots` at a time.
 *
 * - A row is *held* while its step runs; everything held is renewed every third of a lease. A row that does
 *   not come back from a renewal was taken over: its signal aborts, and its epoch fences whatever it still
 *   tries to write.
 * - `take` gives a lane rows that this process inserted already leased: no claim, no waiting. As many again as
 *   there are slots may wait here, renewed like the others; more are given back for the other replicas.
 * - `wake` is a hint that there may be work; a timer set to the next due row (and never longer than
 *   `idleMs`) makes up for every hint that was lost.
 * - A step that throws is tried again with backoff. The step itself ends what must not be tried again: it
 *   sees `tries`, which counts claims, so a row that kills its process is counted as well.
 */
export interface Lane<Row extends Claimed> {
  readonly name: string
  start(): void
  wake(): void
  take(rows: readonly Row[]): void
  /** Rows being worked on in this process. */
  heldCount(): number
  /** Stops claiming, waits up to `graceMs` for what is held, then aborts it and gives it back. */
  stop(graceMs: number): Promise<void>
}

export interface LaneOptions<Row extends Claimed> {
  name: string
  sql: Sql
  queries: LaneQueries<Row>
  step(row: Row, signal: AbortSignal): Promise<void>
  slots: number
  leaseSeconds: number
  /** This replica. */
  holder: string
  clock: Clock
  log: Log
  /** Longest time without looking, milliseconds. */
  idleMs?: number
  random?: () => number
}

const IDLE_MS = 10_000
const RETRY_MS = 250
const RETRY_MAX_MS = 300_000

/** Thrown by a step whose row was taken over by another replica: nothing is left to do. */
export class LeaseLost extends Error {
  override name = 'LeaseLost'
}

interface Held<Row> {
  row: Row
  abort: AbortController
  /** Absent while the row waits here for a free slot. */
  done?: Promise<void>
}

export function createLane<Row extends Claimed>(options: LaneOptions<Row>): Lane<Row> {
  const { name, sql, queries, slots, leaseSeconds, holder, clock, log } = options
  const idleMs = options.idleMs ?? IDLE_MS
  const random = options.random ?? Math.random
  const held = new Set<Held<Row>>()
  const waiting: Held<Row>[] = []
  let running = 0
  let looking: Promise<void> | undefined
  let again = false
  // The last look left due rows behind because no slot was free: the next free slot looks at once.
  let hungry = false
  let started = false
  let stopping = false
  let alarm = new AbortController()
  let renewal: Promise<void> | undefined
  const ended = new AbortController()

  return { name, start, wake, take, heldCount: () => held.size, stop }

  function start(): void {
    started = true
    renewal = renewLoop()
    wake()
  }

  function wake(): void {
    if (!started || stopping) return
    again = true
    alarm.abort()
    looking ??= lookLoop().finally(() => {
      looking = undefined
    })
  }

  function take(rows: readonly Row[]): void {
    for (const row of rows) {
      const entry: Held<Row> = { row, abort: new AbortController() }
      held.add(entry)
      waiting.push(entry)
    }
    fill()
    if (waiting.length > slots) giveAway(waiting.splice(slots))
  }

  /** What is beyond a second round of slots is for whichever replica has room first. */
  function giveAway(entries: Held<Row>[]): void {
    for (const entry of entries) held.delete(entry)
    hungry = true
    const rows = entries.map((entry) => entry.row)
    queries.release(sql, rows).catch((error: unknown) => {
      // Their leases run out, and then they are due by themselves.
      log.warn({ lane: name, rows: rows.length, err: error }, 'rows could not be given back')
    })
  }

  function fill(): void {
    while (running < slots && !stopping) {
      const entry = waiting.shift()
      if (!entry) return
      run(entry)
    }
  }

  async function lookLoop(): Promise<void> {
    while (!stopping) {
      alarm = new AbortController()
      const waitMs = await look()
      if (again) continue
      await clock.sleep(waitMs * (1 + random() * 0.1) + 1, alarm.signal)
    }
  }

  /** Claims as much as there is room for; answers how long nothing needs to be looked at. */
  async function look(): Promise<number> {
    again = false
    const free = slots - held.size
    hungry = free <= 0
    if (hungry) return idleMs
    try {
      const { rows, waitMs } = await queries.claim(sql, free, holder, leaseSeconds)
      if (stopping) {
        await queries.release(sql, rows)
        return 0
      }
      take(rows)
      hungry = rows.length === free
      return Math.min(idleMs, Math.max(0, waitMs ?? idleMs))
    } catch (error) {
      log.warn({ lane: name, err: error }, 'the lane cannot claim; trying again')
      return RETRY_MS * (1 + 3 * random())
    }
  }

  function run(entry: Held<Row>): void {
    const { row, abort } = entry
    running += 1
    entry.done = options
      .step(row, abort.signal)
      .catch((error: unknown) => failed(row, error))
      .finally(() => {
        running -= 1
        held.delete(entry)
        fill()
        if (hungry) wake()
      })
  }

  async function failed(row: Row, error: unknown): Promise<void> {
    if (error instanceof LeaseLost) return
    const backoffMs = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** row.tries) * (0.75 + random() / 2)
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    log.warn(
      { lane: name, id: row.id, tries: row.tries, err: error },
      'a step failed; it is tried again',
    )
    try {
      await queries.retry(sql, row, {
        afterMs: backoffMs,
        error: text.slice(0, 500),
        progress: false,
      })
      wake()
    } catch (failure) {
      // The lease runs out and the row is due by itself.
      log.warn({ lane: name, id: row.id, err: failure }, 'a retry could not be written')
    }
  }

  async function renewLoop(): Promise<void> {
    while (!ended.signal.aborted) {
      await clock.sleep((leaseSeconds * 1000) / 3, ended.signal)
      const entries = [...held]
      if (ended.signal.aborted || entries.length === 0) continue
      try {
        const ours = await queries.renew(
          sql,
          entries.map((entry) => entry.row),
          leaseSeconds,
        )
        for (const entry of entries) {
          if (!ours.has(entry.row.id) && held.has(entry)) entry.abort.abort(new LeaseLost())
        }
      } catch (error) {
        log.warn({ lane: name, err: error }, 'leases could not be renewed')
      }
    }
  }

  async function stop(graceMs: number): Promise<void> {
    stopping = true
    again = false
    alarm.abort()
    await looking
    giveAway(waiting.splice(0))
    const grace = new AbortController()
    await Promise.race([settledAll(), clock.sleep(graceMs, grace.signal)])
    grace.abort()
    const left = [...held]
    for (const entry of left) entry.abort.abort(new Error('shutting down'))
    if (left.length > 0)
      await queries
        .release(
          sql,
          left.map((entry) => entry.row),
        )
        .catch(() => {})
    await Promise.race([settledAll(), clock.sleep(1_000)])
    ended.abort()
    await renewal
  }

  async function settledAll(): Promise<void> {
    while (held.size > 0) await Promise.all([...held].map((entry) => entry.done))
  }
}
