import type { Clock } from '../clock.ts'
import type { Alert, Trouble } from '../doors/alerts.ts'
import { ALERTS_EVERY_MS } from '../limits.ts'
import type { Log } from '../log.ts'
import type { MoneyRules } from '../money/rules.ts'
import { clearAlerts, lockAlerts, putAlerts, raiseAlerts } from '../store/alerts.ts'
import { inTransaction, type Sql } from '../store/database.ts'
import { takeTurn } from '../store/turns.ts'
import { FAILING_JOBS, type Overview, readOverview } from './overview.ts'

export interface AlertsOptions {
  sql: Sql
  rules: MoneyRules
  /** Hex keys of those who are told. */
  operators: readonly string[]
  holder: string
  clock: Clock
  log: Log
}

export interface Alerts {
  start(): void
  /** One look, if it is this replica's turn; how many DMs were put in the outbox. */
  runOnce(): Promise<number>
  stop(): Promise<void>
}

/**
 * Tells operators by DM what needs a hand: once when it begins, once a day while it lasts, and when it is over.
 * What was told is a row, so that neither a restart nor a second replica tells it again.
 */
export function createAlerts(options: AlertsOptions): Alerts {
  const { sql, clock, log, holder } = options
  const ended = new AbortController()
  let loop: Promise<void> | undefined

  return {
    start() {
      if (options.operators.length > 0) loop ??= run()
    },
    runOnce,
    async stop() {
      ended.abort()
      await loop
    },
  }

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      await clock.sleep(ALERTS_EVERY_MS, ended.signal)
      if (ended.signal.aborted) return
      try {
        await runOnce()
      } catch (error) {
        log.warn({ err: error }, 'alerts could not be looked after')
      }
    }
  }

  async function runOnce(): Promise<number> {
    if (!(await takeTurn(sql, 'alerts', holder, (3 * ALERTS_EVERY_MS) / 1000))) return 0
    const overview = await readOverview(sql, options.rules)
    return inTransaction(sql, async (tx) => {
      const open = await lockAlerts(tx)
      const found = troubles(overview, options.rules, new Set(open.map(({ name }) => name)))
      const names = new Set<string>(found.map(({ name }) => name))
      const old = new Set(open.flatMap(({ name, isOld }) => (isOld ? [name] : [])))
      const told = found.filter(({ name }) => old.has(name) || !open.some((o) => o.name === name))
      const over = open.filter(({ name }) => !names.has(name)).map(({ name }) => name)
      const words: Alert[] = [
        ...told,
        ...over.map((of): Alert => ({ type: 'alert', name: 'over', of })),
      ]
      if (words.length === 0) return 0
      await raiseAlerts(
        tx,
        told.map(({ name }) => name),
      )
      await clearAlerts(tx, over)
      log.warn({ told: told.map(({ name }) => name), over }, 'operators are told')
      return putAlerts(tx, words, options.operators)
    })
  }
}

/** The pool is low below this share of its seed, per cent; it is over above twice as much. */
const LOW_PCT = 10
/** Silences shorter than this are a restart, milliseconds. */
const SILENT_MS = 300_000

type Raised = Extract<Alert, { name: Trouble }>

/** What is wrong, of one look. `open` are those already told: some end later than they begin. */
function troubles(
  { figures, waiting, relays, lnbits, drift, backendFailures, replicas }: Overview,
  { poolSeedSats }: MoneyRules,
  open: ReadonlySet<string>,
): Raised[] {
  const { balanceSats } = figures.pool
  const lowPct = open.has('pool_low') ? 2 * LOW_PCT : LOW_PCT
  const deaf = relays.filter(({ deafMs }) => (deafMs ?? 0) > SILENT_MS).length
  // A relay that is heard again for a moment and lost again is the same trouble.
  const mute = open.has('relay_deaf') ? relays.filter(({ liveMs }) => liveMs === null).length : deaf
  const downMs = replicas.length > 0 && lnbits && !lnbits.up ? (lnbits.downMs ?? 0) : 0
  const isDown = downMs > (open.has('lnbits_down') ? 0 : SILENT_MS)
  const driftSats = drift.ledgerSats !== 0 ? drift.ledgerSats : (drift.lightningSats ?? 0)
  const failing = backendFailures >= (open.has('backend_failing') ? 1 : FAILING_JOBS)
  const found: (Raised | false)[] = [
    balanceSats * 100 < poolSeedSats * lowPct && { type: 'alert', name: 'pool_low', balanceSats },
    (drift.ledgerSats !== 0 || drift.stopped) && { type: 'alert', name: 'drift', driftSats },
    mute > 0 && { type: 'alert', name: 'relay_deaf', relays: mute },
    waiting.unknownWithdrawals > 0 && {
      type: 'alert',
      name: 'payout_unknown',
      payouts: waiting.unknownWithdrawals,
      amountSats: waiting.unknownWithdrawalsSats,
    },
    failing && { type: 'alert', name: 'backend_failing', failures: backendFailures },
    isDown && { type: 'alert', name: 'lnbits_down', minutes: Math.floor(downMs / 60_000) },
  ]
  return found.filter((alert) => alert !== false)
}
