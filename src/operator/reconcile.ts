import type { Clock } from '../clock.ts'
import type { ListedPayment } from '../lightning/lnbits-lists.ts'
import type { IncomingState, OutgoingState } from '../lightning/lnbits-types.ts'
import type { Sql } from '../store/database.ts'
import {
  type BookedInvoice,
  type BookedWithdrawal,
  readBookedInvoices,
  readBookedWithdrawals,
  readFloatDeclaredAt,
} from '../store/reconcile.ts'
import { type LightningBooks, readLightningBooks } from '../store/solvency.ts'
import { driftOf } from './solvency.ts'

/** What LNbits' books and ours disagree about. */
export type DifferenceKind =
  /** LNbits was paid for an invoice of ours, and nothing is booked. */
  | 'received_not_booked'
  /** LNbits received what is no invoice of ours, after the operator last declared his own. */
  | 'received_unknown'
  /** Booked as paid, and LNbits says it was not. */
  | 'booked_not_received'
  /** Both have it, with other figures. */
  | 'received_otherwise'
  /** Sats left LNbits, or are held there, and no withdrawal of ours says so. */
  | 'sent_not_booked'
  /** A withdrawal is booked as paid, and LNbits says it was not. */
  | 'booked_not_sent'
  | 'sent_otherwise'
  /** The balance is not what all of it adds up to. */
  | 'balance'

export interface Difference {
  kind: DifferenceKind
  paymentHash?: string
  withdrawalId?: number
  /** In LNbits' books; null when it is not there. */
  lnbitsSats: number | null
  /** In ours. */
  bookedSats: number | null
  /** Unix seconds, where one side knows it. */
  at?: number
}

export interface Reconciliation {
  /** Unix seconds. */
  since: number
  /** Rows of LNbits that were compared, and of our invoices and withdrawals. */
  compared: { lnbits: number; invoices: number; withdrawals: number }
  /** On their way, or ended by the operator's word: looked at, and no difference. */
  inFlight: number
  byOperator: number
  differences: Difference[]
  balance: {
    lnbitsSats: number
    ledgerSats: number
    floatSats: number | null
    inFlightSats: number
    driftSats: number
  }
}

export interface ReconcileOptions {
  sql: Sql
  lightning: {
    balanceMsat(): Promise<bigint>
    listSince(unixSeconds: number): AsyncIterable<ListedPayment>
    lookupIncoming(paymentHash: string, amountSats: number): Promise<IncomingState>
    lookupOutgoing(paymentHash: string, amountSats?: number): Promise<OutgoingState>
  }
  clock: Clock
  /** Unix seconds. */
  since: number
  /** How long a payment that LNbits has seen may take to be booked, milliseconds. */
  bookingMs?: number
}

/** Clocks of two machines, and an invoice whose row is written after LNbits made it. */
const MARGIN_SECONDS = 3_600
const BOOKING_MS = 5_000

/**
 * Walks both books from a date and names every difference, both ways: what LNbits has and we do not, what we have
 * and LNbits does not, and figures that differ. Both go on being written meanwhile, so whatever looks like a
 * difference is asked about once more before it is one. Writes nothing. Rejects when LNbits does not answer.
 */
export async function reconcile(options: ReconcileOptions): Promise<Reconciliation> {
  const { sql, lightning, since } = options
  const before = await readLightningBooks(sql)
  const balanceMsat = Number(await lightning.balanceMsat())
  const rows: ListedPayment[] = []
  for await (const row of lightning.listSince(since - MARGIN_SECONDS)) rows.push(row)
  const declaredAt = (await readFloatDeclaredAt(sql)) ?? Number.NEGATIVE_INFINITY
  const invoices = await readBookedInvoices(sql, since - 2 * MARGIN_SECONDS)
  const withdrawals = await readBookedWithdrawals(sql, since - 2 * MARGIN_SECONDS)
  const walk = { since, declaredAt, rows, invoices, withdrawals }
  const suspected = [...compareIncoming(walk), ...compareOutgoing(walk)]
  const found = await confirm(suspected, options)
  const after = await readLightningBooks(sql)
  const balance = balanceOf([before, after], balanceMsat)
  const { driftSats, lnbitsSats, ledgerSats } = balance
  const differences: Difference[] =
    driftSats === 0
      ? found
      : [...found, { kind: 'balance', lnbitsSats, bookedSats: ledgerSats + (after.floatSats ?? 0) }]
  return {
    since,
    compared: {
      lnbits: rows.filter((row) => row.time >= since).length,
      invoices: invoices.filter((invoice) => invoice.createdAt >= since).length,
      withdrawals: withdrawals.filter((withdrawal) => withdrawal.createdAt >= since).length,
    },
    inFlight: withdrawals.filter(({ state }) => IN_FLIGHT.has(state)).length,
    byOperator: withdrawals.filter(isByOperator).length,
    differences,
    balance,
  }
}

interface Walk {
  since: number
  declaredAt: number
  rows: readonly ListedPayment[]
  invoices: readonly BookedInvoice[]
  withdrawals: readonly BookedWithdrawal[]
}

const IN_FLIGHT = new Set(['held', 'sent', 'unknown'])
const isByOperator = ({ reason }: BookedWithdrawal) => reason?.startsWith('operator: ') ?? false

function compareIncoming({ since, declaredAt, rows, invoices }: Walk): Difference[] {
  const booked = new Map(invoices.map((invoice) => [invoice.paymentHash, invoice]))
  const received = new Map(
    rows
      .filter(({ direction, status }) => direction === 'in' && status === 'success')
      .map((row) => [row.paymentHash, row]),
  )
  const found: Difference[] = []
  for (const row of received.values()) {
    const { paymentHash, amountSats: lnbitsSats, time: at } = row
    const invoice = booked.get(paymentHash)
    const base = { paymentHash, lnbitsSats, at }
    if (!invoice) {
      // Rows from before belong to the float that was declared then.
      const isNew = at >= since && at > declaredAt
      if (isNew) found.push({ ...base, kind: 'received_unknown', bookedSats: null })
    } else if (invoice.state !== 'paid') {
      found.push({ ...base, kind: 'received_not_booked', bookedSats: null })
    } else if (lnbitsSats !== invoice.bookedSats || ceilSats(row.feeMsat) !== invoice.feeSats) {
      found.push({ ...base, kind: 'received_otherwise', bookedSats: invoice.bookedSats })
    }
  }
  for (const { paymentHash, state, bookedSats, createdAt } of invoices) {
    if (state !== 'paid' || createdAt < since || received.has(paymentHash)) continue
    const base = { paymentHash, lnbitsSats: null, bookedSats, at: createdAt }
    found.push({ ...base, kind: 'booked_not_received' })
  }
  return found
}

function compareOutgoing({ since, declaredAt, rows, withdrawals }: Walk): Difference[] {
  const booked = new Map(withdrawals.map((withdrawal) => [withdrawal.paymentHash, withdrawal]))
  const left = new Map(
    rows
      .filter(({ direction, status }) => direction === 'out' && status !== 'failed')
      .map((row) => [row.paymentHash, row]),
  )
  const found: Difference[] = []
  for (const row of left.values()) {
    const { paymentHash, amountSats: lnbitsSats, time: at } = row
    const withdrawal = booked.get(paymentHash)
    const base = { paymentHash, lnbitsSats, at }
    if (!withdrawal) {
      if (at >= since && at > declaredAt) {
        found.push({ ...base, kind: 'sent_not_booked', bookedSats: null })
      }
      continue
    }
    const { id: withdrawalId, state, amountSats, feeSats } = withdrawal
    if (IN_FLIGHT.has(state) || isByOperator(withdrawal)) continue
    const own = { ...base, withdrawalId }
    if (state === 'failed') found.push({ ...own, kind: 'sent_not_booked', bookedSats: null })
    else if (row.status === 'pending') continue
    else if (lnbitsSats !== amountSats || ceilSats(row.feeMsat) !== feeSats) {
      found.push({ ...own, kind: 'sent_otherwise', bookedSats: amountSats })
    }
  }
  for (const withdrawal of withdrawals) {
    const { id: withdrawalId, paymentHash, state, amountSats, createdAt } = withdrawal
    if (state !== 'done' || createdAt < since || isByOperator(withdrawal)) continue
    if (left.get(paymentHash)?.status === 'success') continue
    const base = { paymentHash, withdrawalId, lnbitsSats: null, at: createdAt }
    found.push({ ...base, kind: 'booked_not_sent', bookedSats: amountSats })
  }
  return found
}

/** The ledger counts fees in sats, rounded up. */
const ceilSats = (msat: bigint): number => Number((msat + 999n) / 1000n)

/**
 * Asks once more about each: one side may have been read a moment before the other was written. What left LNbits
 * needs no waiting, because its hold is committed before.
 */
async function confirm(
  suspected: readonly Difference[],
  options: ReconcileOptions,
): Promise<Difference[]> {
  if (suspected.length === 0) return []
  const { sql, clock, since, bookingMs = BOOKING_MS } = options
  const behind = suspected.some(({ kind }) => kind === 'received_not_booked')
  if (behind) await clock.sleep(bookingMs)
  const invoices = new Map(
    (await readBookedInvoices(sql, since - 2 * MARGIN_SECONDS)).map((row) => [
      row.paymentHash,
      row,
    ]),
  )
  const kept: Difference[] = []
  for (const difference of suspected) {
    if (!(await isExplained(difference, invoices, options))) kept.push(difference)
  }
  return kept
}

async function isExplained(
  { kind, paymentHash = '', bookedSats }: Difference,
  invoices: ReadonlyMap<string, BookedInvoice>,
  { lightning }: ReconcileOptions,
): Promise<boolean> {
  switch (kind) {
    case 'received_not_booked':
      return invoices.get(paymentHash)?.state === 'paid'
    case 'booked_not_received':
      return (await lightning.lookupIncoming(paymentHash, bookedSats ?? 0)).state === 'paid'
    case 'booked_not_sent':
      return (await lightning.lookupOutgoing(paymentHash, bookedSats ?? 0)).state === 'success'
    default:
      return false
  }
}

function balanceOf(moments: readonly LightningBooks[], balanceMsat: number) {
  const last = moments.at(-1)
  return {
    lnbitsSats: balanceMsat / 1000,
    ledgerSats: last?.lightningSats ?? 0,
    floatSats: last?.floatSats ?? null,
    inFlightSats: last?.inFlightSats ?? 0,
    driftSats: driftOf(moments, balanceMsat),
  }
}
