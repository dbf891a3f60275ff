import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Sql } from '../store/database.ts'
import type { Claimed, LaneQueries } from '../store/lanes.ts'
import type { Measures } from './measured.ts'

export interface LaneOptions<Row extends Claimed> {
  name: string
  sql: Sql
  queries: LaneQueries<Row>
  /** What is done with a row. It writes the row's next state itself, fenced by its epoch. */
  step(row: Row, signal: AbortSignal): Promise<void>
  /** Most rows worked on at a time. */
  slots: number
  leaseSeconds: number
  /** This replica. */
  holder: string
  clock: Clock
  log: Log
  measures?: Pick<Measures, 'lane'> | undefined
  /** Longest time without looking, milliseconds. */
  idleMs?: number
  /** Most rows that wait here for a slot; as many as there are slots unless told otherwise. */
  waitingMax?: () => number
  /** Uniform in [0, 1), for the jitter. */
  random?: (() => number) | undefined
  /** Whose row it is. Then slots and waiting room go round among owners, whoever has more rows. */
  fairBy?(row: Row): string
}

const IDLE_MS = 10_000
const RETRY_MS = 250
const RETRY_MAX_MS = 300_000
/** How long an aborted step gets to notice it. */
const ABORT_MS = 1_000

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

/**
 * A lane claims due rows of one table and hands them to a step, at most `slots` at a time.
 *
 * - A row is *held* while it runs or waits here; everything held is renewed every third of a lease. A row that
 *   does not come back from a renewal was taken over: its signal aborts, and its epoch fences whatever it
 *   still tries to write.
 * - `take` gives a lane rows that this process inserted already leased: no claim, no waiting. Some may wait here
 *   for a slot; more are given back for the other replicas.
 * - `wake` is a hint that there may be work; a timer set to the next due row, and never longer than `idleMs`,
 *   makes up for every hint that was lost.
 * - A step that throws is tried again with backoff. What must not be tried again the step ends itself: it
 *   sees `tries`, which counts claims, so a row that kills its process is counted as well.
 */
export class Lane<Row extends Claimed> {
  readonly name: string
  readonly #options: LaneOptions<Row>
  readonly #idleMs: number
  readonly #random: () => number
  readonly #held = new Set<Held<Row>>()
  readonly #waiting: Held<Row>[] = []
  readonly #ended = new AbortController()
  #running = 0
  #looking: Promise<void> | undefined
  #renewing: Promise<void> | undefined
  #givingAway: Promise<void> = Promise.resolve()
  #alarm = new AbortController()
  #again = false
  /** The last look left due rows behind for want of a slot: the next free slot looks at once. */
  #hungry = false
  #started = false
  #stopping = false

  constructor(options: LaneOptions<Row>) {
    this.name = options.name
    this.#options = options
    this.#idleMs = options.idleMs ?? IDLE_MS
    this.#random = options.random ?? Math.random
  }

  start(): void {
    this.#started = true
    this.#renewing = this.#renewLoop()
    this.wake()
  }

  wake(): void {
    if (!this.#started || this.#stopping) return
    this.#again = true
    this.#alarm.abort('woken')
    this.#looking ??= this.#lookLoop().finally(() => {
      this.#looking = undefined
    })
  }

  /** Hands over rows that this process inserted or updated leased to itself. */
  take(rows: readonly Row[]): void {
    for (const row of rows) {
      const entry: Held<Row> = { row, abort: new AbortController() }
      this.#held.add(entry)
      this.#waiting.push(entry)
    }
    this.#fill()
    const { slots, waitingMax } = this.#options
    const room = this.#stopping ? 0 : (waitingMax?.() ?? slots)
    if (this.#waiting.length <= room) return
    this.#waiting.splice(0, Number.POSITIVE_INFINITY, ...this.#inTurn(this.#waiting))
    this.#giveAway(this.#waiting.splice(room))
  }

  /** The first row of each owner, then the second of each, and so on; as they came without owners. */
  #inTurn(entries: readonly Held<Row>[]): Held<Row>[] {
    const { fairBy } = this.#options
    if (!fairBy) return [...entries]
    const counts = new Map<string, number>()
    const turns = entries.map((entry) => {
      const owner = fairBy(entry.row)
      const turn = counts.get(owner) ?? 0
      counts.set(owner, turn + 1)
      return { entry, turn }
    })
    return turns.sort((a, b) => a.turn - b.turn).map(({ entry }) => entry)
  }

  /** The next to run: of the owners that wait, one with the fewest rows running. */
  #next(): Held<Row> | undefined {
    const { fairBy, slots } = this.#options
    // With room for all of them none goes before another.
    const hasRoom = this.#waiting.length <= slots - this.#running
    if (!fairBy || hasRoom) return this.#waiting.shift()
    const running = new Map<string, number>()
    for (const { row, done } of this.#held) {
      if (done) running.set(fairBy(row), (running.get(fairBy(row)) ?? 0) + 1)
    }
    const load = ({ row }: Held<Row>) => running.get(fairBy(row)) ?? 0
    let best = 0
    for (const [at, entry] of this.#waiting.entries()) {
      const other = this.#waiting[best]
      if (other && load(entry) < load(other)) best = at
    }
    return this.#waiting.splice(best, 1)[0]
  }

  /** Rows held by this process, running or waiting. */
  heldCount(): number {
    return this.#held.size
  }

  /**
   * Stops claiming, waits up to `graceMs` for what runs, then aborts it and gives it back. May be called twice,
   * and before `start`.
   */
  async stop(graceMs: number): Promise<void> {
    const { clock } = this.#options
    this.#stopping = true
    this.#again = false
    this.#alarm.abort()
    await this.#looking
    this.#giveAway(this.#waiting.splice(0))
    const quiet = new AbortController()
    await Promise.race([this.#settled(), clock.sleep(graceMs, quiet.signal)])
    quiet.abort()
    const left = [...this.#held]
    for (const entry of left) entry.abort.abort(new Error('shutting down'))
    this.#giveAway(left)
    const noticed = new AbortController()
    const ends = left.map((entry) => entry.done)
    await Promise.race([Promise.all(ends), clock.sleep(ABORT_MS, noticed.signal)])
    noticed.abort()
    this.#ended.abort()
    await this.#renewing
    await this.#givingAway
  }

  async #settled(): Promise<void> {
    while (this.#held.size > 0) await Promise.all([...this.#held].map((entry) => entry.done))
  }

  async #lookLoop(): Promise<void> {
    while (!this.#stopping) {
      this.#alarm = new AbortController()
      const waitMs = await this.#look()
      if (this.#again) continue
      const pauseMs = waitMs * (1 + this.#random() * 0.1) + 1
      await this.#options.clock.sleep(pauseMs, this.#alarm.signal)
    }
  }

  /** Claims as much as there is room for; answers how long nothing needs to be looked at. */
  async #look(): Promise<number> {
    const { name, sql, queries, slots, leaseSeconds, holder, log } = this.#options
    this.#again = false
    const free = slots - this.#held.size
    this.#hungry = free <= 0
    if (this.#hungry) return this.#idleMs
    try {
      const { rows, waitMs } = await queries.claim(sql, free, holder, leaseSeconds)
      this.take(rows)
      this.#hungry = rows.length === free
      return Math.min(this.#idleMs, Math.max(0, waitMs ?? this.#idleMs))
    } catch (error) {
      log.warn({ lane: name, err: error }, 'the lane cannot claim; trying again')
      return RETRY_MS * (1 + 3 * this.#random())
    }
  }

  #fill(): void {
    while (this.#running < this.#options.slots && !this.#stopping) {
      const entry = this.#next()
      if (!entry) return
      this.#run(entry)
    }
  }

  #run(entry: Held<Row>): void {
    const { row, abort } = entry
    this.#running += 1
    this.#options.measures?.lane(this.name, 'begun')
    entry.done = this.#options
      .step(row, abort.signal)
      .catch((error: unknown) => this.#failed(entry, error))
      .finally(() => {
        this.#running -= 1
        this.#held.delete(entry)
        this.#fill()
        if (this.#hungry) this.wake()
      })
  }

  async #failed({ row, abort }: Held<Row>, error: unknown): Promise<void> {
    const { name, sql, queries, log, measures } = this.#options
    if (error instanceof LeaseLost) measures?.lane(name, 'lost')
    if (error instanceof LeaseLost || abort.signal.aborted) return
    measures?.lane(name, 'retried')
    const spread = 0.75 + this.#random() / 2
    const afterMs = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** row.tries) * spread
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    log.warn(
      { lane: name, id: row.id, tries: row.tries, err: error },
      'a step failed; trying again',
    )
    try {
      await queries.retry(sql, row, { afterMs, error: text.slice(0, 500), progress: false })
      this.wake()
    } catch (failure) {
      // The lease runs out and the row is due by itself.
      log.warn({ lane: name, id: row.id, err: failure }, 'a retry could not be written')
    }
  }

  /** What finds no room here is for whichever replica has some first. */
  #giveAway(entries: readonly Held<Row>[]): void {
    if (entries.length === 0) return
    for (const entry of entries) this.#held.delete(entry)
    this.#hungry = true
    const { name, sql, queries, log } = this.#options
    const rows = entries.map((entry) => entry.row)
    const release = queries.release(sql, rows).catch((error: unknown) => {
      // Their leases run out, and then they are due by themselves.
      log.warn({ lane: name, rows: rows.length, err: error }, 'rows could not be given back')
    })
    this.#givingAway = Promise.all([this.#givingAway, release]).then(() => undefined)
  }

  async #renewLoop(): Promise<void> {
    const { name, sql, queries, leaseSeconds, clock, log } = this.#options
    while (!this.#ended.signal.aborted) {
      await clock.sleep((leaseSeconds * 1000) / 3, this.#ended.signal)
      const entries = [...this.#held]
      if (this.#ended.signal.aborted || entries.length === 0) continue
      try {
        const rows = entries.map((entry) => entry.row)
        const ours = await queries.renew(sql, rows, leaseSeconds)
        for (const entry of entries) {
          if (!ours.has(entry.row.id)) entry.abort.abort(new LeaseLost('the lease was lost'))
        }
      } catch (error) {
        log.warn({ lane: name, err: error }, 'leases could not be renewed')
      }
    }
  }
}
