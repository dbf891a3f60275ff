import type { Clock } from '../clock.ts'
import { failpoint } from '../failpoint.ts'
import { LnbitsError } from '../lightning/lnbits-error.ts'
import type { IncomingState } from '../lightning/lnbits-types.ts'
import { EXPIRY_RETRY_SECONDS, LNBITS_HASHES } from '../limits.ts'
import { inTransaction, type Sql } from '../store/database.ts'
import {
  noteUnpaid,
  readInvoiceOfJob,
  type SeenPayment,
  type WatchedInvoice,
} from '../store/invoices.ts'
import { expire, type Job } from '../store/jobs.ts'
import type { Lease } from '../store/lease.ts'
import { jobLane } from '../store/lanes.ts'
import { type OutboxRow, putReplies } from '../store/outbox.ts'
import type { PaymentChecker } from './lightning.ts'
import type { LookBudget } from './look-budget.ts'

export interface ExpiryOptions {
  sql: Sql
  lightning: PaymentChecker
  looks: LookBudget
  clock: Clock
  lease: Lease
  paid(payment: SeenPayment): Promise<void>
  deliver(replies: readonly OutboxRow[]): void
}

/**
 * The step of `awaiting_payment` jobs, due when their invoice expires: LNbits is asked once more, and only a
 * clear "not paid" ends the job. While LNbits cannot be asked the job waits on, two days at most: of a wallet that was
 * exchanged for another nothing is ever heard again. What is paid afterwards goes to the balance.
 */
export function createExpiry(options: ExpiryOptions) {
  const { sql, lease, paid, deliver } = options
  const lane = jobLane('awaiting_payment')
  const ask = createLastLook(options)

  return async function expiry(job: Job): Promise<void> {
    const invoice = await readInvoiceOfJob(sql, job.id)
    if (!invoice) throw new Error(`job ${job.id} awaits a payment and has no invoice`)
    const seen = await ask(invoice)
    await failpoint('expiry:asked')
    // Either its work begins, and it expires no more. Or less than the price came, which is on the balance by now:
    // the invoice cannot be paid again, and the job would wait for ever.
    if (seen.state === 'paid') await paid({ ...seen, paymentHash: invoice.paymentHash })
    if (seen.state === 'unreachable' && !invoice.overdue) {
      const afterMs = EXPIRY_RETRY_SECONDS * 1000
      await lane.retry(sql, job, { afterMs, error: seen.reason, progress: true })
      return
    }
    const replies = await inTransaction(sql, async (tx) => {
      // The invoice before the job, as a payment locks them, so that neither waits for the other.
      const [, expired] = await Promise.all([
        seen.state === 'unreachable' ? undefined : noteUnpaid(tx, [invoice.paymentHash]),
        expire(tx, job.id, 'unpaid', job.epoch),
      ])
      if (!expired) return []
      const reply = { type: 'expired', jobId: String(job.id) }
      const put = await putReplies(tx, [{ to: job, jobId: job.id, step: 'end', reply }], lease)
      await failpoint('expiry:before-commit')
      return put
    })
    await failpoint('expiry:committed')
    deliver(replies)
  }
}

/**
 * A look at the invoice by itself is the only one that reaches the Lightning node, so it is preferred as long
 * as few expire. When many do, after a downtime above all, LNbits is asked for the rows of all of them at once:
 * what it had not yet heard of from its node is found by the payment watch, and goes to the balance.
 */
function createLastLook({ lightning, looks, clock }: ExpiryOptions) {
  let waiting: Waiting[] = []
  let gathering = false

  return async (invoice: WatchedInvoice): Promise<IncomingState> => {
    const { paymentHash, amountSats } = invoice
    if (looks.take(1) === 1) return lightning.lookupIncoming(paymentHash, amountSats)
    const row = await new Promise<IncomingState | undefined>((resolve) => {
      waiting.push({ ...invoice, resolve })
      if (!gathering) void gather()
    })
    return row ?? lightning.lookupIncoming(paymentHash, amountSats, 'background')
  }

  async function gather(): Promise<void> {
    gathering = true
    while (waiting.length > 0) {
      await clock.sleep(GATHER_MS)
      const together = waiting.slice(0, LNBITS_HASHES)
      waiting = waiting.slice(LNBITS_HASHES)
      const said = await read(together)
      for (const { paymentHash, resolve } of together) resolve(said(paymentHash))
    }
    gathering = false
  }

  async function read(
    invoices: readonly WatchedInvoice[],
  ): Promise<(paymentHash: string) => IncomingState | undefined> {
    try {
      const states = await lightning.readIncoming(invoices)
      return (paymentHash) => states.get(paymentHash)
    } catch (error) {
      const reason = error instanceof LnbitsError ? error.kind : String(error)
      return () => ({ state: 'unreachable', reason })
    }
  }
}

interface Waiting extends WatchedInvoice {
  resolve(row: IncomingState | undefined): void
}

/** What expires within this time is asked for together. */
const GATHER_MS = 1_000
