import type { ReasonCode } from '../doors/protocol.ts'
import { refusal } from '../doors/replies.ts'
import { failpoint } from '../failpoint.ts'
import { ACCEPT_BATCH, OPEN_JOBS_PER_CUSTOMER } from '../limits.ts'
import { boundPromise, type Decision } from '../money/decide.ts'
import type { MoneyRules } from '../money/rules.ts'
import {
  type CustomerFacts,
  countCustomerDays,
  ensureCustomers,
  readCustomers,
} from '../store/customers.ts'
import { inTransaction, isConnectionLoss, type Sql, type Tx } from '../store/database.ts'
import { takeIn } from '../store/inbox.ts'
import type { Lease } from '../store/lease.ts'
import { findTwins, insertJobs, type NewJob, takeJobIds } from '../store/jobs.ts'
import { customerAccount, jobAccount, lockPool, post, type Transfer } from '../store/ledger.ts'
import { type NewReply, type OutboxRow, putReplies } from '../store/outbox.ts'
import { countPoolDay, type PoolFacts, readPool } from '../store/pool.ts'
import { type Batcher, createBatcher } from './batcher.ts'
import {
  createFreeTier,
  factsOf,
  type FreeTierService,
  type GateFacts,
  reserve,
} from './free-tier.ts'
import type { PricedRequest } from './request.ts'
import { workingReply } from './working-reply.ts'

/** What became of a priced request. */
export type Accepted =
  /** A job was made: an invoice is due, or work goes on at once. */
  | { outcome: 'job'; job: NewJob; replies: OutboxRow[] }
  /** Not served, and told so; nothing was charged. */
  | { outcome: 'refused'; replies: OutboxRow[] }
  /** This very message was taken in before. */
  | { outcome: 'replayed' }
  /** The same text came by another door minutes ago; the first one is answered. */
  | { outcome: 'twin'; jobId: number }

export interface AcceptOptions {
  sql: Sql
  rules: MoneyRules
  /** For the jobs that go on in this process. */
  lease: Lease
  /** For their replies. */
  replyLease: Lease
}

/**
 * The gate. One transaction for all requests that arrived together: dedupe, decision, job, ledger and
 * first reply; for `free` the pool is debited here, before any work. The pool row is locked first, so
 * decisions of all replicas stand in one line.
 */
export function createAccept(options: AcceptOptions): Batcher<PricedRequest, Accepted> {
  const freeTier = createFreeTier(options.rules)
  return createBatcher({
    batchMax: ACCEPT_BATCH,
    write: (requests) =>
      inTransaction(options.sql, (tx) => acceptAll(tx, requests, { ...options, freeTier })),
    isOutage: isConnectionLoss,
  })
}

async function acceptAll(
  tx: Tx,
  requests: readonly PricedRequest[],
  options: AcceptOptions & { freeTier: FreeTierService },
): Promise<Accepted[]> {
  const [balanceSats, pool, fresh, twins, customers, ids] = await Promise.all([
    lockPool(tx),
    readPool(tx),
    takeIn(
      tx,
      requests.map((request) => request.message),
    ),
    findTwins(
      tx,
      requests.map(({ to, requestHash }) => ({ ...to, requestHash })),
    ),
    readCustomers(tx, [...new Set(requests.map((request) => request.to.customer))]),
    takeJobIds(tx, requests.length),
  ])
  const books = openBooks({ ...pool, balanceSats }, customers)
  const verdicts = requests.map((request, place): Verdict => {
    // The same message twice in one batch was inserted once; the first of them has it.
    if (!fresh.delete(request.message.rumorId)) return { outcome: 'replayed' }
    const twin = twins[place] ?? twinInBatch(books, request)
    if (twin !== undefined) return { outcome: 'twin', jobId: twin }
    return decideOne(books, request, ids[place] as number, options.freeTier)
  })
  const replies = await writeBooks(tx, books, options)
  await failpoint('accept:before-commit')
  return verdicts.map((verdict) => withReplies(verdict, replies))
}

type Verdict =
  | { outcome: 'job'; job: NewJob }
  | { outcome: 'refused'; rumorId: string }
  | { outcome: 'replayed' }
  | { outcome: 'twin'; jobId: number }

function withReplies(verdict: Verdict, replies: readonly OutboxRow[]): Accepted {
  if (verdict.outcome === 'job') {
    return { ...verdict, replies: replies.filter((reply) => reply.jobId === verdict.job.id) }
  }
  if (verdict.outcome === 'refused') {
    return { outcome: 'refused', replies: replies.filter((r) => r.rumorId === verdict.rumorId) }
  }
  return verdict
}

/** The facts of one transaction, lowered by each decision, and what is to be written for them. */
interface Books extends GateFacts {
  /** The breaker's base for the day, which decisions do not change. */
  openingSats: number
  jobs: NewJob[]
  replies: NewReply[]
  transfers: Transfer[]
}

const openBooks = (pool: PoolFacts, customers: ReadonlyMap<string, CustomerFacts>): Books => ({
  pool,
  openingSats: pool.openingSats,
  customers,
  jobs: [],
  replies: [],
  transfers: [],
})

function twinInBatch({ jobs }: Books, { to, requestHash }: PricedRequest): number | undefined {
  return jobs.find(
    (job) => job.customer === to.customer && job.requestHash === requestHash && job.via !== to.via,
  )?.id
}

function decideOne(
  books: Books,
  request: PricedRequest,
  id: number,
  freeTier: FreeTierService,
): Verdict {
  const { pool } = books
  const { customer } = request.to
  const facts = factsOf(books, customer)
  const { standing, decision } = freeTier.decide(books, {
    customer,
    estimateSats: request.estimatedSats,
  })
  if (standing.banned) return refuse(books, request, 'banned')
  if (facts.openJobs >= OPEN_JOBS_PER_CUSTOMER) {
    return refuse(books, request, 'rate_limited', OPEN_JOBS_PER_CUSTOMER)
  }
  const purse = purseOf(decision, facts, standing.room.terms.breakerSats, pool)
  const { absorbSats, working } = purse
  const job: NewJob = {
    id,
    state: working ? 'working' : 'accepted',
    ...request.to,
    request: request.request,
    requestHash: request.requestHash,
    model: request.model,
    tier: standing.tier,
    tierSource: standing.source,
    serve: absorbSats === 0 ? 'gate' : decision.serve,
    paidFrom: purse.paidFrom,
    estimatedSats: request.estimatedSats,
    chargeSats: request.estimatedSats - absorbSats,
    promisedSats: working ? 0 : absorbSats,
    reservedSats: working ? absorbSats : 0,
    reservedDay: working && absorbSats > 0 ? pool.day : null,
    paidSats: purse.paidFrom === 'balance' ? request.estimatedSats - absorbSats : 0,
    usdPerBtc: request.usdPerBtc,
    inputTokens: request.inputTokens,
    outputTokens: request.outputTokens,
  }
  take(books, job, facts)
  return { outcome: 'job', job }
}

/**
 * One job, one purse. A balance that covers the whole charge pays it now, so the pool's part is reserved now as
 * well; one that does not is left alone, and the pool's part of an invoice is only promised.
 */
function purseOf(
  decision: Decision,
  facts: CustomerFacts,
  breakerSats: number,
  pool: PoolFacts,
): { working: boolean; paidFrom: 'pool' | 'balance' | null; absorbSats: number } {
  const { serve, absorbSats, chargeSats } = decision
  if (serve === 'free') return { working: true, paidFrom: 'pool', absorbSats }
  if (facts.balanceSats >= chargeSats) return { working: true, paidFrom: 'balance', absorbSats }
  const promisedSats = boundPromise({
    absorbSats,
    estimateSats: absorbSats + chargeSats,
    poolSats: pool.balanceSats,
    breakerSats,
    openPromisesSats: pool.openPromisesSats,
    hasOpenDiscount: facts.ownPromiseSats > 0,
  })
  return { working: false, paidFrom: null, absorbSats: promisedSats }
}

/** Books a job on the facts, so that the next request of the batch is decided on what is left. */
function take(books: Books, job: NewJob, facts: CustomerFacts): void {
  const { pool, jobs, replies, transfers } = books
  jobs.push(job)
  reserve(books, job.customer, job.reservedSats)
  facts.openJobs += 1
  facts.ownPromiseSats += job.promisedSats
  facts.balanceSats -= job.paidSats
  pool.openPromisesSats += job.promisedSats
  const cause = { jobId: job.id, credit: jobAccount(job.id), day: pool.day }
  transfers.push(
    { ...cause, kind: 'reserve', debit: 'pool', sats: job.reservedSats },
    { ...cause, kind: 'hold', debit: customerAccount(job.customer), sats: job.paidSats },
  )
  if (job.state === 'working') replies.push(workingReply(job))
}

function refuse(
  { replies }: Books,
  request: PricedRequest,
  reason: ReasonCode,
  limit?: number,
): Verdict {
  replies.push({
    to: request.to,
    jobId: null,
    step: 'refused',
    reply: refusal(reason, limit === undefined ? {} : { limit }),
  })
  return { outcome: 'refused', rumorId: request.to.rumorId }
}

async function writeBooks(
  tx: Tx,
  { pool, openingSats, jobs, replies, transfers }: Books,
  { lease, replyLease }: AcceptOptions,
): Promise<OutboxRow[]> {
  if (jobs.length === 0) return putReplies(tx, replies, replyLease)
  const given = jobs.filter((job) => job.reservedSats > 0)
  const [written] = await Promise.all([
    putReplies(tx, replies, replyLease),
    ensureCustomers(
      tx,
      jobs.map((job) => job.customer),
    ),
    insertJobs(tx, jobs, lease),
    post(tx, transfers, new Set(jobs.map((job) => jobAccount(job.id)))),
    countCustomerDays(
      tx,
      given.map(({ customer, reservedSats }) => ({
        customer,
        day: pool.day,
        absorbedSats: reservedSats,
      })),
    ),
    given.length === 0
      ? undefined
      : countPoolDay(tx, {
          day: pool.day,
          openingSats,
          absorbedSats: given.reduce((sum, job) => sum + job.reservedSats, 0),
          free: given.filter((job) => job.serve === 'free').length,
          partial: given.filter((job) => job.serve === 'partial').length,
        }),
  ])
  return written
}
