import { refusal } from '../doors/replies.ts'
import { failpoint } from '../failpoint.ts'
import { QUOTE_BATCH, QUOTE_TRIES } from '../limits.ts'
import { inTransaction, isConnectionLoss, type Sql, type Tx } from '../store/database.ts'
import { insertInvoices } from '../store/invoices.ts'
import { awaitPayment, type Job, refuse } from '../store/jobs.ts'
import type { Lease } from '../store/lease.ts'
import { type NewReply, type OutboxRow, putReplies } from '../store/outbox.ts'
import { createBatcher } from './batcher.ts'
import { LeaseLost } from './lane.ts'
import type { InvoiceMaker } from './lightning.ts'
import { type SignedReply, storeSigned } from './signed.ts'

export interface QuoteOptions {
  sql: Sql
  lightning: InvoiceMaker
  lease: Lease
  invoiceTtlSeconds: number
  botName: string
  /** Signs a reply for which all is known and nothing is to be waited for. */
  signAtOnce(row: OutboxRow): Promise<SignedReply | undefined>
  /** Called after a commit, with replies that are already leased to this process. */
  deliver(replies: readonly OutboxRow[]): void
  /** Called after a commit: there is an invoice to watch. */
  invoiced(): void
}

interface Invoiced {
  job: Job
  paymentHash: string
  bolt11: string
  expiresAt: number
}

/**
 * The step of `accepted` jobs: asks LNbits for an invoice over what the decision left to pay, then records it,
 * the new state and the reply in one transaction. A crash in between leaves an invoice that nobody was shown.
 */
export function createQuote(options: QuoteOptions) {
  const { sql, lightning, lease, deliver } = options
  const recorder = createBatcher<Invoiced, OutboxRow[]>({
    batchMax: QUOTE_BATCH,
    write: (quotes) => inTransaction(sql, (tx) => record(tx, quotes)),
    isOutage: isConnectionLoss,
  })

  return async function quote(job: Job): Promise<void> {
    if (job.tries > QUOTE_TRIES) return giveUp(job)
    await failpoint('quote:start')
    const { paymentHash, bolt11, expiresAt } = await lightning.createInvoice({
      amountSats: job.chargeSats,
      memo: `${options.botName}: job ${job.id}`,
      expirySeconds: options.invoiceTtlSeconds,
      extra: { tag: 'tithe', job: String(job.id) },
    })
    await failpoint('quote:invoice-made')
    const replies = await recorder.add({ job, paymentHash, bolt11, expiresAt })
    await failpoint('quote:committed')
    deliver(replies)
    options.invoiced()
  }

  /**
   * Sent in one go: that a job is not ours any more is rare, and then all is rolled back. The batcher writes each
   * quote of the batch by itself after that, and the one that fails alone is the one that was lost.
   */
  async function record(tx: Tx, quotes: readonly Invoiced[]): Promise<OutboxRow[][]> {
    const [applied, , replies] = await Promise.all([
      awaitPayment(
        tx,
        quotes.map(({ job, expiresAt }) => ({ id: job.id, epoch: job.epoch, expiresAt })),
      ),
      insertInvoices(
        tx,
        quotes.map(({ job, ...invoice }) => ({
          ...invoice,
          purpose: 'job',
          jobId: job.id,
          to: job,
          amountSats: job.chargeSats,
        })),
      ),
      putReplies(tx, quotes.map(invoiceReply), lease),
    ])
    if (applied.size < quotes.length) throw new LeaseLost()
    const signed = await storeSigned(tx, replies, options.signAtOnce)
    await failpoint('quote:before-commit')
    return quotes.map(({ job }) => signed.filter((reply) => reply.jobId === job.id))
  }

  /** LNbits makes no invoices: the customer is told, and nothing was charged. */
  async function giveUp(job: Job): Promise<void> {
    const replies = await inTransaction(sql, async (tx) => {
      if (!(await refuse(tx, job, 'invoice_failed'))) return []
      const reply = { ...refusal('invoice_failed'), jobId: String(job.id) }
      return putReplies(tx, [{ to: job, jobId: job.id, step: 'end', reply }], lease)
    })
    deliver(replies)
  }
}

function invoiceReply({ job, bolt11, expiresAt }: Invoiced): NewReply {
  return {
    to: job,
    jobId: job.id,
    step: 'invoice',
    reply: {
      type: 'invoice',
      purpose: 'job',
      bolt11,
      chargeSats: job.chargeSats,
      expiresAt,
      jobId: String(job.id),
      serve: job.serve,
      estimatedSats: job.estimatedSats,
      absorbSats: job.promisedSats,
    },
  }
}
