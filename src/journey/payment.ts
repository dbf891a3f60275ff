import { failpoint } from '../failpoint.ts'
import { PAYMENT_BATCH } from '../limits.ts'
import type { MoneyRules } from '../money/rules.ts'
import { countCustomerDays, readBalances, readCustomers } from '../store/customers.ts'
import { inTransaction, isConnectionLoss, type Sql, type Tx } from '../store/database.ts'
import { type Invoice, markPaid, type SeenPayment } from '../store/invoices.ts'
import { type Job, lockJobs, startPaidWork } from '../store/jobs.ts'
import type { Lease } from '../store/lease.ts'
import { customerAccount, jobAccount, lockPool, post, type Transfer } from '../store/ledger.ts'
import { type NewReply, type OutboxRow, putReplies } from '../store/outbox.ts'
import { countPoolDay, type PoolFacts, readPool, readPoolToday } from '../store/pool.ts'
import { addDust, withOwnSats } from '../store/solvency.ts'
import { type Batcher, createBatcher } from './batcher.ts'
import { createFreeTier, type FreeTierService, type GateFacts } from './free-tier.ts'
import { poolReply } from './pool-reply.ts'
import { workingReply } from './working-reply.ts'

/** What a payment turned into. */
export type Paid =
  /** The job works now. */
  | { outcome: 'working'; job: Job; replies: OutboxRow[] }
  /** A top-up, or money for a job that is over: it is on the customer's balance. */
  | { outcome: 'balance'; replies: OutboxRow[] }
  | { outcome: 'donated'; replies: OutboxRow[] }
  /** Booked before, or no invoice of ours: nothing changed. */
  | { outcome: 'nothing' }

export interface PaymentOptions {
  sql: Sql
  rules: MoneyRules
  /** For the jobs that go on in this process. */
  lease: Lease
  /** For their replies. */
  replyLease: Lease
}

/**
 * Books payments that LNbits has confirmed under our own key. Websocket, poll and expiry check may all call it
 * for one payment: the invoice row turns `paid` once. A promised discount becomes real here and only here; what
 * the pool cannot give any more is zero, and the work goes on.
 */
export function createPayments(options: PaymentOptions): Batcher<SeenPayment, Paid> {
  const freeTier = createFreeTier(options.rules)
  return createBatcher({
    batchMax: PAYMENT_BATCH,
    write: (payments) =>
      inTransaction(options.sql, (tx) => bookAll(tx, payments, { ...options, freeTier })),
    isOutage: isConnectionLoss,
  })
}

type Seen = Invoice & { feeSats: number; seenSats: number }

type Booking = PaymentOptions & { freeTier: FreeTierService }

async function bookAll(
  tx: Tx,
  payments: readonly SeenPayment[],
  options: Booking,
): Promise<Paid[]> {
  const [balanceSats, facts, paid] = await Promise.all([
    lockPool(tx),
    readPool(tx),
    markPaid(tx, payments),
  ])
  if (paid.length === 0) return payments.map(() => ({ outcome: 'nothing' }))
  const pool = { ...facts, balanceSats }
  const keys = [...new Set(paid.map((invoice) => invoice.customer))]
  const [jobs, customers, balances, today] = await Promise.all([
    lockJobs(
      tx,
      paid.flatMap((invoice) => invoice.jobId ?? []),
    ),
    readCustomers(tx, keys),
    readBalances(tx, keys),
    readPoolToday(tx),
  ])
  const books: Books = { pool, customers, balances, today, transfers: [], starts: [], replies: [] }
  const outcomes = new Map<string, Outcome>()
  for (const invoice of paid) {
    outcomes.set(invoice.paymentHash, book(invoice, jobs, books, options))
  }
  return writeAll(tx, payments, outcomes, books, facts, options)
}

type Outcome = { rumorId: string } & (
  | { outcome: 'working'; jobId: number }
  | { outcome: 'balance' | 'donated' }
)

interface Books extends GateFacts {
  balances: ReadonlyMap<string, { availableSats: number; balanceSats: number }>
  today: Awaited<ReturnType<typeof readPoolToday>>
  transfers: Transfer[]
  starts: Start[]
  replies: NewReply[]
}

/** A job whose invoice is paid, with what left the pool for it. */
interface Start {
  job: Job
  paidSats: number
  reservedSats: number
}

/** Decides where one payment goes. What LNbits says came in is booked, not what was asked for. */
function book(
  invoice: Seen,
  jobs: ReadonlyMap<number, Job>,
  books: Books,
  { rules, freeTier }: Booking,
): Outcome {
  const { pool, transfers } = books
  const ref = `invoice:${invoice.paymentHash}`
  transfers.push({
    kind: 'incoming_fee',
    debit: 'operator',
    credit: 'lightning',
    sats: invoice.feeSats,
    ref,
    day: pool.day,
  })
  const job = invoice.jobId === null ? undefined : jobs.get(invoice.jobId)
  if (job?.state === 'awaiting_payment' && invoice.seenSats >= invoice.amountSats) {
    return startWork(invoice, job, books, freeTier)
  }
  if (invoice.purpose === 'donate') return donate(invoice, books, rules)
  return toBalance(invoice, invoice.seenSats, job, books)
}

function startWork(invoice: Seen, asked: Job, books: Books, freeTier: FreeTierService): Outcome {
  const { pool, transfers, starts, replies } = books
  const paidSats = invoice.amountSats
  const { reservedSats, standing } = freeTier.reservePartialGrant(books, asked)
  const job = { ...asked, paidFrom: 'invoice' as const, reservedSats }
  // A grant belongs to the standing it was taken under, which may have changed since the promise.
  if (reservedSats > 0) Object.assign(job, { tier: standing.tier, tierSource: standing.source })
  const cause = { jobId: job.id, credit: jobAccount(job.id), day: pool.day }
  transfers.push(
    { ...cause, kind: 'payment', debit: 'lightning', sats: paidSats },
    { ...cause, kind: 'reserve', debit: 'pool', sats: reservedSats },
  )
  starts.push({ job, paidSats, reservedSats })
  const extraSats = invoice.seenSats - paidSats
  if (extraSats > 0) toBalance(invoice, extraSats, job, books, 'overpaid')
  replies.push(workingReply(job))
  return { outcome: 'working', jobId: job.id, rumorId: invoice.rumorId }
}

function donate(invoice: Seen, books: Books, rules: MoneyRules): Outcome {
  books.transfers.push({
    kind: 'donation',
    debit: 'lightning',
    credit: 'pool',
    sats: invoice.seenSats,
    ref: `invoice:${invoice.paymentHash}`,
    day: books.pool.day,
  })
  books.pool.balanceSats += invoice.seenSats
  books.replies.push({
    to: invoice,
    jobId: null,
    step: 'donated',
    reply: { ...poolReply(books.pool, books.today, rules), donatedSats: invoice.seenSats },
  })
  return { outcome: 'donated', rumorId: invoice.rumorId }
}

function toBalance(
  invoice: Seen,
  sats: number,
  job: Job | undefined,
  { pool, balances, transfers, replies }: Books,
  why?: 'overpaid',
): Outcome {
  const topUp = invoice.purpose === 'topup'
  const late = job?.reason === 'cancelled' ? 'cancelled_payment' : 'late_payment'
  transfers.push({
    kind: topUp ? 'top_up' : 'late_payment',
    debit: 'lightning',
    credit: customerAccount(invoice.customer),
    sats,
    ref: `invoice:${invoice.paymentHash}`,
    day: pool.day,
  })
  const balance = balances.get(invoice.customer) ?? { availableSats: 0, balanceSats: 0 }
  balance.availableSats += sats
  balance.balanceSats += sats
  replies.push({
    to: invoice,
    jobId: null,
    step: topUp ? 'topped_up' : 'late_payment',
    reply: {
      type: 'balance',
      ...balance,
      change: sats,
      reason: topUp ? 'topup' : (why ?? late),
      ...(invoice.jobId === null ? {} : { jobId: String(invoice.jobId) }),
    },
  })
  return { outcome: 'balance', rumorId: invoice.rumorId }
}

async function writeAll(
  tx: Tx,
  payments: readonly SeenPayment[],
  outcomes: Map<string, Outcome>,
  books: Books,
  before: PoolFacts,
  { lease, replyLease }: Booking,
): Promise<Paid[]> {
  const { pool, starts } = books
  const transfers = await withOwnSats(tx, books.transfers)
  const given = starts.filter((start) => start.reservedSats > 0)
  const reservedSum = given.reduce((sum, start) => sum + start.reservedSats, 0)
  const dust = new Map(payments.map(({ paymentHash, dustMsat = 0 }) => [paymentHash, dustMsat]))
  const dustMsat = [...outcomes.keys()].reduce((sum, hash) => sum + (dust.get(hash) ?? 0), 0)
  const [started, , , , , written] = await Promise.all([
    Promise.all(starts.map((start) => startPaidWork(tx, { ...start, day: pool.day }, lease))),
    post(tx, transfers, new Set(starts.map(({ job }) => jobAccount(job.id)))),
    countCustomerDays(
      tx,
      given.map(({ job, reservedSats }) => ({
        customer: job.customer,
        day: pool.day,
        absorbedSats: reservedSats,
      })),
    ),
    countPoolDay(tx, {
      day: pool.day,
      openingSats: before.openingSats,
      absorbedSats: reservedSum,
      partial: given.length,
    }),
    addDust(tx, dustMsat),
    putReplies(tx, books.replies, replyLease),
  ])
  await failpoint('payment:before-commit')
  const working = new Map(started.flatMap((job) => (job ? [[job.id, job] as const] : [])))
  return payments.map(({ paymentHash }): Paid => {
    const outcome = outcomes.get(paymentHash)
    // Seen twice in one batch, it happened once: the first to say so goes on with it.
    if (!outcomes.delete(paymentHash) || !outcome) return { outcome: 'nothing' }
    const replies = written.filter((reply) => reply.rumorId === outcome.rumorId)
    if (outcome.outcome !== 'working') return { outcome: outcome.outcome, replies }
    const job = working.get(outcome.jobId)
    if (!job) throw new Error(`job ${outcome.jobId} was locked and still changed its state`)
    return { outcome: 'working', job, replies }
  })
}
