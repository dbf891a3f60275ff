import type { Clock } from '../clock.ts'
import type { ListedPayment, ListedState } from '../lightning/lnbits-lists.ts'
import { WATCHED_INVOICES } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Sql } from '../store/database.ts'
import { readWatched } from '../store/invoices.ts'
import {
  declareFirstFloat,
  type LightningBooks,
  lookAgainAt,
  readLightningBooks,
  readVerdict,
  type Verdict,
  writeVerdict,
} from '../store/solvency.ts'
import { takeTurn } from '../store/turns.ts'

export interface SolvencyOptions {
  sql: Sql
  lightning: {
    /** What LNbits says the wallet holds. Throws when it cannot be asked. */
    balanceMsat(): Promise<bigint>
    listSince(unixSeconds: number): AsyncIterable<ListedPayment>
    listIncoming(paymentHashes: string[]): Promise<Map<string, ListedState>>
  }
  clock: Clock
  log: Log
  /** This replica. */
  holder: string
  intervalMs?: number
  /** Pause before a difference is looked at again, milliseconds. */
  againMs?: number
  /** How long a look waits for a payment that LNbits has seen to be booked, milliseconds. */
  bookingMs?: number
  /** Called in every replica after each look, with what holds now. */
  looked?(verdict: Verdict): void
  /** It has stopped, or goes on again. */
  changed?(verdict: Verdict): void
}

export interface Solvency {
  start(): void
  /** One look if it is this replica's turn; answers what holds now. Rejects without LNbits' word. */
  runOnce(): Promise<Verdict | undefined>
  /** What this replica knows: false until it has heard otherwise. */
  isStopped(): boolean
  stop(): Promise<void>
}

/** A look is one small question; with the second look a difference is acted on within a minute. */
const INTERVAL_MS = 45_000
const AGAIN_MS = 10_000
const BOOKING_MS = 3_000
const BOOKING_STEPS = 6
const TURN_SECONDS = 120
/** How far back an invoice may lie that nobody looks at any more and that is paid all the same. */
const FORGOTTEN_SECONDS = 14 * 86_400
const FORGOTTEN_EVERY_MS = 600_000

/**
 * Compares what LNbits holds with what the ledger says it must hold (`store/solvency.ts`), more
 * often than each minute, by one replica. What withdrawals in flight may have taken, or not, is
 * declared; what changes during a look widens it, so that only a look at quiet books is exact; a
 * payment that LNbits has seen and nobody has booked has the time of two looks. Whatever else is
 * different, either way and by a single sat, stops the sale of new work and all payouts until it is
 * explained: somebody has the key, a book is wrong, or a sat was lost, and each of them gets worse
 * with time. Work that is paid for goes on, and the looks go on, so it ends by itself.
 *
 * The operator's own sats in the wallet are a float that is declared on first sight. After moving
 * some of them in or out, the operator says so with `tithe reconcile --adopt`.
 */
export function createSolvency(options: SolvencyOptions): Solvency {
  const { sql, clock, log, intervalMs = INTERVAL_MS, againMs = AGAIN_MS } = options
  const ended = new AbortController()
  const look = createLook(options, ended.signal)
  let loop: Promise<void> | undefined
  let known: Verdict | undefined
  let hadTurn = false

  return {
    start() {
      loop = run()
    },
    runOnce,
    isStopped: () => known?.stopped ?? false,
    async stop() {
      ended.abort()
      await loop
    },
  }

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      try {
        await runOnce()
      } catch (error) {
        // No word of LNbits is no difference: what holds goes on holding.
        log.debug({ err: error }, 'the balance of LNbits could not be compared')
      }
      await clock.sleep(look.suspects() ? againMs : intervalMs, ended.signal)
    }
  }

  async function runOnce(): Promise<Verdict | undefined> {
    const ours = await takeTurn(sql, 'solvency', options.holder, TURN_SECONDS)
    // Whoever had the turn before as well wrote the last verdict itself.
    const verdict = ours ? await look.take(hadTurn ? known : undefined) : await readVerdict(sql)
    hadTurn = ours
    if (!verdict) return undefined
    if (verdict.stopped && !known?.stopped) {
      log.error(
        { driftSats: verdict.driftSats },
        'LNbits does not hold what the ledger says: paid work and payouts are stopped; ' +
          'see: tithe reconcile',
      )
    }
    if (!verdict.stopped && known?.stopped) log.info('LNbits and the ledger agree again')
    const changed = verdict.stopped !== (known?.stopped ?? false)
    known = verdict
    options.looked?.(verdict)
    if (changed) options.changed?.(verdict)
    return verdict
  }
}

function createLook(options: SolvencyOptions, signal: AbortSignal) {
  const { sql, lightning, clock, log, bookingMs = BOOKING_MS } = options
  /** The difference of the last look, while nothing has been done about it. */
  let suspectedSats = 0
  /** On first sight payments were on their way, so what is the operator's could not be told. */
  let undeclared = false
  let walkedAt = Number.NEGATIVE_INFINITY

  return { take, suspects: () => suspectedSats !== 0 || undeclared }

  async function take(last?: Verdict): Promise<Verdict | undefined> {
    const before = await readLightningBooks(sql)
    const balanceMsat = Number(await lightning.balanceMsat())
    // Nothing moved meanwhile that matters: quiet books are asked once.
    if (before.floatSats !== null && driftOf([before], balanceMsat) === 0) {
      const still = last && !last.stopped && last.driftSats === 0 && suspectedSats === 0
      return still ? last : judge(0)
    }
    let after = await readLightningBooks(sql)
    if (after.floatSats === null) return declare(before, after, balanceMsat)
    let driftSats = driftOf([before, after], balanceMsat)
    for (let step = 0; step < BOOKING_STEPS && driftSats !== 0 && !signal.aborted; step += 1) {
      await clock.sleep(bookingMs / BOOKING_STEPS, signal)
      after = await readLightningBooks(sql)
      driftSats = driftOf([before, after], balanceMsat)
    }
    return judge(driftSats)
  }

  async function judge(driftSats: number): Promise<Verdict | undefined> {
    const last = await readVerdict(sql)
    const first = driftSats !== 0 && suspectedSats === 0 && !last?.stopped
    suspectedSats = driftSats
    if (driftSats > 0) await findForgotten()
    if (first) return last
    suspectedSats = 0
    const verdict = { stopped: driftSats !== 0, driftSats }
    if (last?.stopped !== verdict.stopped || last.driftSats !== driftSats) {
      await writeVerdict(sql, verdict)
    }
    return verdict
  }

  /** On first sight what is in the wallet beyond the ledger is the operator's. */
  async function declare(before: LightningBooks, after: LightningBooks, balanceMsat: number) {
    const restMsat = balanceMsat - after.lightningSats * 1000
    const floatSats = Math.max(0, Math.floor(restMsat / 1000))
    const dustMsat = restMsat < 0 ? 0 : restMsat - floatSats * 1000
    const quiet = before.lightningSats === after.lightningSats && after.inFlightSats === 0
    undeclared = !quiet || (await isUnbooked())
    if (undeclared) return undefined
    if (await declareFirstFloat(sql, { floatSats, dustMsat })) {
      log.info({ floatSats }, "the operator's own sats in LNbits are noted and kept apart")
    }
    return judge(Math.min(0, Math.trunc(restMsat / 1000)))
  }

  async function isUnbooked(): Promise<boolean> {
    const watched = await readWatched(sql, WATCHED_INVOICES)
    if (watched.length === 0) return false
    const states = await lightning.listIncoming(watched.map(({ paymentHash }) => paymentHash))
    return [...states.values()].includes('paid')
  }

  /** Sats too many may be those of an invoice that was given up: then it is looked at once more. */
  async function findForgotten(): Promise<void> {
    if (clock.now() - walkedAt < FORGOTTEN_EVERY_MS) return
    walkedAt = clock.now()
    const since = Math.floor(clock.now() / 1000) - FORGOTTEN_SECONDS
    const paid: string[] = []
    for await (const row of lightning.listSince(since)) {
      if (row.direction === 'in' && row.status === 'success') paid.push(row.paymentHash)
    }
    const found = await lookAgainAt(sql, paid)
    if (found.length > 0) log.warn({ invoices: found.length }, 'paid invoices were given up before')
  }
}

/**
 * How far LNbits' balance is outside of what the books allow at any of these moments, whole sats;
 * positive is too much. Withdrawals in flight may have left the wallet or not.
 */
export function driftOf(moments: readonly LightningBooks[], balanceMsat: number): number {
  const tops = moments.map(
    ({ lightningSats, floatSats, dustMsat }) =>
      (lightningSats + (floatSats ?? 0)) * 1000 + dustMsat,
  )
  const highMsat = Math.max(...tops)
  const lowMsat = Math.min(
    ...tops.map((topMsat, at) => topMsat - (moments[at]?.inFlightSats ?? 0) * 1000),
  )
  if (balanceMsat > highMsat) return Math.trunc((balanceMsat - highMsat) / 1000)
  // `+ 0` because a difference below a sat would be -0.
  return balanceMsat < lowMsat ? Math.trunc((balanceMsat - lowMsat) / 1000) + 0 : 0
}
