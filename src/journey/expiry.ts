import { failpoint } from '../failpoint.ts'
import { EXPIRY_RETRY_SECONDS } from '../limits.ts'
import { inTransaction, type Sql } from '../store/database.ts'
import { noteUnpaid, readInvoiceOfJob, type SeenPayment } from '../store/invoices.ts'
import { expire, type Job } from '../store/jobs.ts'
import type { Lease } from '../store/lease.ts'
import { jobLane } from '../store/lanes.ts'
import { type OutboxRow, putReplies } from '../store/outbox.ts'
import type { PaymentChecker } from './lightning.ts'

export interface ExpiryOptions {
  sql: Sql
  lightning: Pick<PaymentChecker, 'lookupIncoming'>
  lease: Lease
  paid(payment: SeenPayment): Promise<void>
  deliver(replies: readonly OutboxRow[]): void
}

/**
 * The step of `awaiting_payment` jobs, due when their invoice expires: LNbits is asked once more, because only
 * that look reaches the Lightning node, and only a clear "not paid" ends the job. While LNbits cannot be
 * asked the job waits on.
 */
export function createExpiry({ sql, lightning, lease, paid, deliver }: ExpiryOptions) {
  const lane = jobLane('awaiting_payment')

  return async function expiry(job: Job): Promise<void> {
    const invoice = await readInvoiceOfJob(sql, job.id)
    if (!invoice) throw new Error(`job ${job.id} awaits a payment and has no invoice`)
    const seen = await lightning.lookupIncoming(invoice.paymentHash, invoice.amountSats)
    await failpoint('expiry:asked')
    if (seen.state === 'paid') return paid({ ...seen, paymentHash: invoice.paymentHash })
    if (seen.state === 'unreachable') {
      const afterMs = EXPIRY_RETRY_SECONDS * 1000
      await lane.retry(sql, job, { afterMs, error: seen.reason, progress: true })
      return
    }
    const replies = await inTransaction(sql, async (tx) => {
      // The invoice before the job, as a payment locks them, so that neither waits for the other.
      const [, expired] = await Promise.all([
        noteUnpaid(tx, [invoice.paymentHash]),
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
