import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { floorPct } from '../money/sats.ts'
import type { MoneyRules } from '../money/rules.ts'
import type { EventTemplate } from '../nostr/types.ts'
import type { Sql } from '../store/database.ts'
import { dailyBudgets, readPool, readPoolToday } from '../store/pool.ts'
import { nextStatus } from '../store/status.ts'
import { takeTurn } from '../store/turns.ts'
import { type PoolState, type PoolStatusFigures, poolStatusEvent } from './pool-status.ts'

export interface StatusLoopOptions {
  sql: Sql
  rules: MoneyRules
  mode: 'exact' | 'coarse' | 'off'
  intervalSeconds: number
  /** Signs and publishes to the operator's own relays. */
  publish(event: EventTemplate): Promise<void>
  /** What this replica knows of its surroundings: LNbits or every relay gone. */
  degraded(): boolean
  holder: string
  version: string
  clock: Clock
  log: Log
}

export interface StatusLoop {
  start(): void
  /** Something changed that the figures show. */
  touch(): void
  /** Publishes once, if it is this replica's turn. */
  runOnce(state?: 'paused'): Promise<boolean>
  /** Says `paused` to the world and ends. */
  stop(): Promise<void>
}

/** Changes that come together make one event. */
const DEBOUNCE_MS = 2_000

/**
 * Publishes the pool status on start, on change and on an interval, from one replica at a time. The turn is kept
 * for two intervals, so a replica that dies leaves one event out at most.
 */
export function createStatusLoop(options: StatusLoopOptions): StatusLoop {
  const { clock, log } = options
  const ended = new AbortController()
  let changed = new AbortController()
  let loop: Promise<void> | undefined

  return {
    start() {
      if (options.mode !== 'off') loop = run()
    },
    touch: () => changed.abort(),
    runOnce,
    async stop() {
      ended.abort()
      await loop
      if (loop) await publishQuietly('paused')
    },
  }

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      changed = new AbortController()
      await publishQuietly()
      await clock.sleep(options.intervalSeconds * 1000, anyOf(ended, changed))
      if (changed.signal.aborted) await clock.sleep(DEBOUNCE_MS, ended.signal)
    }
  }

  async function publishQuietly(state?: 'paused'): Promise<void> {
    try {
      await runOnce(state)
    } catch (error) {
      log.warn({ err: error }, 'the pool status could not be published')
    }
  }

  async function runOnce(state?: 'paused'): Promise<boolean> {
    const { sql, holder, intervalSeconds } = options
    if (!(await takeTurn(sql, 'pool-status', holder, 2 * intervalSeconds))) return false
    await options.publish(await eventOf(options, state))
    return true
  }
}

const anyOf = (...controllers: AbortController[]): AbortSignal =>
  AbortSignal.any(controllers.map((controller) => controller.signal))

async function eventOf(
  { sql, rules, mode, intervalSeconds, version, degraded }: StatusLoopOptions,
  state?: 'paused',
): Promise<EventTemplate> {
  const [{ at, seq }, pool, today] = await Promise.all([
    nextStatus(sql),
    readPool(sql),
    readPoolToday(sql),
  ])
  const limitSats = floorPct(pool.openingSats, rules.poolDailyOutflowPct)
  const spent = pool.balanceSats === 0 || pool.absorbedTodaySats >= limitSats
  const own: PoolState = pool.paused || spent ? 'paid-only' : 'open'
  const figures: PoolStatusFigures = {
    at,
    seq,
    state: state ?? (degraded() ? 'degraded' : own),
    balanceSats: pool.balanceSats,
    budgets: dailyBudgets(pool, rules),
    outflow: { limitSats, usedSats: pool.absorbedTodaySats },
    today: {
      jobs: { free: today.free, partial: today.partial, gate: today.paid },
      absorbedSats: today.absorbedSats,
      creditedSats: today.creditedSats,
      shortfallSats: today.shortfallSats,
    },
    version,
    intervalSeconds,
  }
  if (mode === 'exact') return poolStatusEvent(figures)
  const { poolSeedSats: seedSats } = rules
  return poolStatusEvent(figures, { mode: 'coarse', seedSats, typicalSats: TYPICAL_SATS })
}

/** A usual job, sats: what the coarse status takes as the measure of "free" and "partial". */
const TYPICAL_SATS = 50
