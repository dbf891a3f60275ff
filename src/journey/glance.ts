import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Sql } from '../store/database.ts'
import { readSchedule, type Scheduled, scheduled } from '../store/schedule.ts'

export interface GlanceOptions {
  sql: Sql
  clock: Clock
  log: Log
  /** Whom to wake for what. */
  wakes: Partial<Record<Scheduled, { wake(): void }>>
  /** This replica. */
  holder: string
  /** The shortest lease of a lane, seconds. */
  leaseSeconds: number
}

export interface Glance {
  start(): void
  /** One look at the whole schedule. */
  runOnce(): Promise<void>
  /**
   * The word on a commit was lost: rows may have been leased to this process that it knows nothing of. They are
   * due at the end of their lease, and the schedule says when that is.
   */
  doubt(): void
  /** Whether there was another replica at the last glance. */
  hasCompany(): boolean
  stop(): Promise<void>
}

/** Most time between two glances beside another replica. */
const EVERY_MS = 10_000
/** Where there is no other replica nothing can be missed but a wake, and those are lost with a connection. */
const ALONE_EVERY_MS = 30_000
/** Losses come together, and the server is given a moment to write what was lost. */
const DOUBT_MS = 200

/**
 * Looks after what lanes miss: a wake that was lost, a row that another replica scheduled, leases of a process
 * that died. One statement for all lanes together, where a look of each would cost an idle process more than
 * all else that it does. What is due before the next glance is woken to the millisecond. A glance at least every
 * lease, so that one falls between the last renewal of a replica that dies and the end of that lease.
 */
export function createGlance(options: GlanceOptions): Glance {
  const { sql, clock, log, wakes, holder } = options
  const besideMs = Math.min(EVERY_MS, options.leaseSeconds * 1_000)
  const ended = new AbortController()
  let loop: Promise<void> | undefined
  let everyMs = besideMs
  let company = false
  let doubts = false

  async function runOnce(): Promise<void> {
    const { alone, others, ...schedule } = await readSchedule(sql, holder)
    company = others
    everyMs = alone ? ALONE_EVERY_MS : besideMs
    for (const name of scheduled) {
      const dueMs = schedule[name]
      const sleeper = wakes[name]
      if (dueMs === null || sleeper === undefined || dueMs > everyMs) continue
      if (dueMs <= 0) sleeper.wake()
      else void wakeAfter(dueMs, sleeper)
    }
  }

  async function wakeAfter(ms: number, sleeper: { wake(): void }): Promise<void> {
    await clock.sleep(ms + 1, ended.signal)
    if (!ended.signal.aborted) sleeper.wake()
  }

  async function quietly(): Promise<void> {
    try {
      await runOnce()
    } catch (error) {
      log.warn({ err: error }, 'the schedule cannot be read; trying again')
    }
  }

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      await quietly()
      await clock.sleep(everyMs, ended.signal)
    }
  }

  async function resolveDoubt(): Promise<void> {
    doubts = true
    await clock.sleep(DOUBT_MS, ended.signal)
    doubts = false
    if (!ended.signal.aborted) await quietly()
  }

  return {
    start() {
      loop ??= run()
    },
    runOnce,
    doubt() {
      if (!doubts && loop && !ended.signal.aborted) void resolveDoubt()
    },
    hasCompany: () => company,
    async stop() {
      ended.abort()
      await loop
    },
  }
}
