import type { Clock } from '../clock.ts'
import { STATUS_PER_MINUTE } from '../limits.ts'
import type { Log } from '../log.ts'
import type { MoneyRules } from '../money/rules.ts'
import type { EventTemplate } from '../nostr/types.ts'
import { inTransaction, type Sql, type Tx } from '../store/database.ts'
import { readReplicas } from '../store/replicas.ts'
import { nextStatus, STATUS_CHANNEL, tellOfStatus } from '../store/status.ts'
import { leaveTurn, takeTurn } from '../store/turns.ts'
import { type Figures, figuresIn, stateOf } from './figures.ts'
import { type PoolStatusFigures, poolStatusEvent } from './pool-status.ts'

export interface StatusLoopOptions {
  sql: Sql
  rules: MoneyRules
  mode: 'exact' | 'coarse' | 'off'
  intervalSeconds: number
  /** Signs and publishes to the operator's own relays. */
  publish(event: EventTemplate): Promise<void>
  /** What this replica knows of its surroundings: LNbits gone. */
  degraded(): boolean
  /** More events of the same moment: what operators alone may read. */
  more?(moment: StatusMoment): Promise<EventTemplate[]>
  holder: string
  version: string
  clock: Clock
  log: Log
  /** How long a change waits for those that come with it, milliseconds. */
  debounceMs?: number
}

/** What a status is dated and numbered with. */
export interface StatusMoment {
  /** Unix seconds; grows with every status, whoever publishes it. */
  at: number
  seq: number
  state: PoolStatusFigures['state']
  intervalSeconds: number
}

export interface StatusLoop {
  start(): void
  /** Something changed that the figures show. */
  touch(): void
  /** Publishes once, if it is this replica's turn. */
  runOnce(state?: 'paused'): Promise<boolean>
  /** Says `paused` to the world, unless another replica goes on, and ends. */
  stop(): Promise<void>
}

/** Changes that come together make one event. */
const DEBOUNCE_MS = 2_000
/** Intervals differ by up to this share, so that the bots of one machine do not publish at once. */
const JITTER = 0.1
const MINUTE_MS = 60_000
const TURN = 'pool-status'

/**
 * Publishes the pool status on start, on change and on an interval, from one replica at a time. The turn is kept
 * for two intervals, so a replica that dies leaves one event out at most. A replica without the turn tells the
 * one that has it; one that stops hands the turn on, and only the last one says `paused`.
 */
export function createStatusLoop(options: StatusLoopOptions): StatusLoop {
  const { sql, clock, log, holder, intervalSeconds } = options
  const ended = new AbortController()
  const lately: number[] = []
  let changed = new AbortController()
  let isMine: boolean | undefined
  let isDirty = false
  let loop: Promise<void> | undefined
  let listening: { stop(): Promise<void> } | undefined

  return {
    start() {
      if (options.mode === 'off' && options.more === undefined) return
      const hear = (said: string) => {
        if (isMine || said === 'left') touch()
      }
      // What was said before is lost: perhaps that the turn is free.
      listening = sql.listen(STATUS_CHANNEL, hear, () => isMine === false && changed.abort())
      loop ??= run()
    },
    touch,
    runOnce,
    async stop() {
      ended.abort()
      await loop
      if (loop) await quietly(sayGoodbye)
      await listening?.stop()
    },
  }

  function touch(): void {
    isDirty = true
    changed.abort()
  }

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      const wasDirty = isDirty
      isDirty = false
      changed = new AbortController()
      await quietly(async () => {
        if (!(await runOnce()) && wasDirty) await tellOfStatus(sql, 'changed')
      })
      const pauseMs = intervalSeconds * 1000 * (1 - JITTER * Math.random())
      await clock.sleep(pauseMs, AbortSignal.any([ended.signal, changed.signal]))
      if (changed.signal.aborted) {
        await clock.sleep(gapMs(lately, clock.now(), options.debounceMs), ended.signal)
      }
    }
  }

  async function quietly(act: () => Promise<unknown>): Promise<void> {
    try {
      await act()
    } catch (error) {
      log.warn({ err: error }, 'the pool status could not be published')
    }
  }

  async function sayGoodbye(): Promise<void> {
    const others = (await readReplicas(sql)).filter((replica) => replica.holder !== holder)
    if (others.length === 0) await runOnce('paused')
    await leaveTurn(sql, TURN, holder)
    await tellOfStatus(sql, 'left')
  }

  async function runOnce(state?: 'paused'): Promise<boolean> {
    isMine = await takeTurn(sql, TURN, holder, 2 * intervalSeconds)
    if (!isMine) return false
    lately.push(clock.now())
    const { moment, figures } = await inTransaction(sql, (tx) => momentOf(tx, options, state))
    const own = options.mode === 'off' ? [] : [eventOf(options, moment, figures)]
    const events = [...own, ...((await options.more?.(moment)) ?? [])]
    await Promise.all(events.map((event) => options.publish(event)))
    return true
  }
}

/**
 * How long a change waits, milliseconds: for those that come with it, and until the minute has room for one more
 * event. `lately`: when events were published, oldest first; what is older than a minute is taken off.
 */
export function gapMs(lately: number[], now: number, debounceMs = DEBOUNCE_MS): number {
  while (lately[0] !== undefined && lately[0] <= now - MINUTE_MS) lately.shift()
  const first = lately.at(-STATUS_PER_MINUTE)
  return Math.max(debounceMs, first === undefined ? 0 : first + MINUTE_MS - now)
}

async function momentOf(
  tx: Tx,
  { rules, intervalSeconds, degraded }: StatusLoopOptions,
  state: 'paused' | undefined,
): Promise<{ moment: StatusMoment; figures: Figures }> {
  const { at, seq } = await nextStatus(tx)
  const figures = await figuresIn(tx, rules)
  const now = state ?? stateOf(figures, { degraded: degraded() })
  return { moment: { at, seq, state: now, intervalSeconds }, figures }
}

/** A usual job, sats: what the coarse status takes as the measure of "free" and "partial". */
const TYPICAL_SATS = 50

function eventOf(
  { mode, rules, version }: StatusLoopOptions,
  moment: StatusMoment,
  { pool, today, budgets, outflowLimitSats }: Figures,
): EventTemplate {
  const figures: PoolStatusFigures = {
    ...moment,
    balanceSats: pool.balanceSats,
    budgets,
    outflow: { limitSats: outflowLimitSats, usedSats: pool.absorbedTodaySats },
    today: {
      jobs: { free: today.free, partial: today.partial, gate: today.paid },
      absorbedSats: today.absorbedSats,
      creditedSats: today.creditedSats,
      shortfallSats: today.shortfallSats,
    },
    version,
  }
  if (mode === 'exact') return poolStatusEvent(figures)
  const { poolSeedSats: seedSats } = rules
  return poolStatusEvent(figures, { mode: 'coarse', seedSats, typicalSats: TYPICAL_SATS })
}
