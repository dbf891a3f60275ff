import type { ReasonCode } from '../doors/protocol.ts'
import { refusal } from '../doors/replies.ts'
import { ACCEPT_BATCH, OPEN_JOBS_PER_CUSTOMER } from '../limits.ts'
import { boundPromise, decide } from '../money/decide.ts'
import type { MoneyRules } from '../money/rules.ts'
import {
  type CustomerFacts,
  countCustomerDays,
  ensureCustomers,
  readCustomers,
} from '../store/customers.ts'
import { inTransaction, isConnectionLoss, type Sql, type Tx } from '../store/database.ts'
import { takeIn } from '../store/inbox.ts'
import { findTwins, insertJobs, type Job, type NewJob, takeJobIds } from '../store/jobs.ts'
import { customerAccount, jobAccount, lockPool, post, type Transfer } from '../store/ledger.ts'
import { type NewReply, type OutboxRow, putReplies } from '../store/outbox.ts'
import { countPoolDay, type PoolFacts, readPool } from '../store/pool.ts'
import { type Batcher, createBatcher } from './batcher.ts'

import type { PricedRequest } from './request.ts'
import { standingOf } from './standing.ts'

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
  lease: { holder: string; seconds: number }
}

/**
 * The gate. One transaction for all requests that arrived together: dedupe, decision, job, ledger and
 * first reply; for `free` the pool is debited here, before any work. The pool row is locked first, so
 * decisions of all replicas stand in one line.
 */
export function createAccept(options: AcceptOptions): Batcher<PricedRequest, Accepted> {
  return createBatcher({
    batchMax: ACCEPT_BATCH,
    write: (requests) => inTransaction(options.sql, (tx) => acceptAll(tx, requests, options)),
    isOutage: isConnectionLoss,
  })
}

async function acceptAll(
  tx: Tx,
  requests: readonly PricedRequest[],
  { rules, lease }: AcceptOptions,
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
  const desk = createDesk({ ...pool, balanceSats }, customers, rules)
  const accepted = requests.map((request, place): Verdict => {
    // The same message twice in one batch was inserted once; the first of them has it.
    if (!fresh.delete(request.message.rumorId)) return { outcome: 'replayed' }
    const twin = twins[place] ?? desk.twinOf(request)
    if (twin !== null && twin !== undefined) return { outcome: 'twin', jobId: twin }
    return desk.decide(request, ids[place] as number)
  })
  const replies = await desk.write(tx, lease)
  return accepted.map((verdict) => withReplies(verdict, replies))
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

/**
 * Decides request after request on the facts of one transaction, each on what the ones before it left, and
 * collects what must be written.
 */
function createDesk(
  pool: PoolFacts,
  customers: ReadonlyMap<string, CustomerFacts>,
  rules: MoneyRules,
) {
  const openingSats = pool.openingSats
  const jobs: NewJob[] = []
  const replies: NewReply[] = []
  const transfers: Transfer[] = []
  const known = new Map<string, number>()
  let freeCount = 0
  let partialCount = 0
  let reservedSum = 0

  return { twinOf, decide: decideOne, write }

  function twinOf({ to, requestHash }: PricedRequest): number | undefined {
    const twin = known.get(`${to.customer} ${requestHash}`)
    const first = jobs.find((job) => job.id === twin)
    return first && first.via !== to.via ? first.id : undefined
  }

  function decideOne(request: PricedRequest, id: number): Verdict {
    const facts = customers.get(request.to.customer)
    if (!facts) throw new Error('a customer of the batch was not read')
    const standing = standingOf(facts, pool, rules)
    if (standing.banned) return refuse(request, 'banned')
    if (facts.openJobs >= OPEN_JOBS_PER_CUSTOMER) {
      return refuse(request, 'rate_limited', OPEN_JOBS_PER_CUSTOMER)
    }
    const { estimatedSats } = request
    const decision = decide({
      tier: standing.tier,
      banned: false,
      poolPaused: pool.paused,
      room: standing.room,
      estimateSats: estimatedSats,
    })
    // A balance that covers the whole charge pays it now, so the pool's part is reserved now as well; one that
    // does not is left alone, and the pool's part is only promised.
    const fromBalance = decision.serve !== 'free' && facts.balanceSats >= decision.chargeSats
    const promisedSats =
      decision.serve === 'partial' && !fromBalance
        ? boundPromise({
            absorbSats: decision.absorbSats,
            estimateSats: estimatedSats,
            poolSats: pool.balanceSats,
            breakerSats: standing.room.terms.breakerSats,
            openPromisesSats: pool.openPromisesSats,
            hasOpenDiscount: facts.ownPromiseSats > 0,
          })
        : 0
    const absorbSats = decision.serve === 'free' || fromBalance ? decision.absorbSats : promisedSats
    const working = decision.serve === 'free' || fromBalance
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
      paidFrom: decision.serve === 'free' ? 'pool' : fromBalance ? 'balance' : null,
      estimatedSats,
      chargeSats: estimatedSats - absorbSats,
      promisedSats,
      reservedSats: working ? absorbSats : 0,
      reservedDay: working && absorbSats > 0 ? pool.day : null,
      paidSats: fromBalance ? estimatedSats - absorbSats : 0,
      usdPerBtc: request.usdPerBtc,
      inputTokens: request.inputTokens,
      outputTokens: request.outputTokens,
    }
    take(job, facts)
    return { outcome: 'job', job }
  }

  /** Books a job on the facts, so that the next request of the batch is decided on what is left. */
  function take(job: NewJob, facts: CustomerFacts): void {
    jobs.push(job)
    known.set(`${job.customer} ${job.requestHash}`, job.id)
    facts.openJobs += 1
    facts.ownPromiseSats += job.promisedSats
    pool.openPromisesSats += job.promisedSats
    pool.balanceSats -= job.reservedSats
    pool.absorbedTodaySats += job.reservedSats
    facts.absorbedTodaySats += job.reservedSats
    facts.grantsSats90 += job.reservedSats
    facts.balanceSats -= job.paidSats
    reservedSum += job.reservedSats
    if (job.serve === 'free') freeCount += 1
    if (job.serve === 'partial' && job.state === 'working') partialCount += 1
    const cause = { jobId: job.id, credit: jobAccount(job.id), day: pool.day }
    transfers.push(
      { ...cause, kind: 'reserve', debit: 'pool', sats: job.reservedSats },
      { ...cause, kind: 'hold', debit: customerAccount(job.customer), sats: job.paidSats },
    )
    if (job.state === 'working') replies.push(workingReply(job))
  }

  function refuse(request: PricedRequest, reason: ReasonCode, limit?: number): Verdict {
    replies.push({
      to: request.to,
      jobId: null,
      step: 'refused',
      reply: refusal(reason, limit === undefined ? {} : { limit }),
    })
    return { outcome: 'refused', rumorId: request.to.rumorId }
  }

  async function write(tx: Tx, lease: AcceptOptions['lease']): Promise<OutboxRow[]> {
    if (jobs.length === 0) return putReplies(tx, replies, lease)
    const [, , , , , written] = await Promise.all([
      ensureCustomers(
        tx,
        jobs.map((job) => job.customer),
      ),
      insertJobs(tx, jobs, lease),
      post(tx, transfers, new Set(jobs.map((job) => jobAccount(job.id)))),
      countCustomerDays(
        tx,
        jobs
          .filter((job) => job.reservedSats > 0)
          .map((job) => ({
            customer: job.customer,
            day: pool.day,
            absorbedSats: job.reservedSats,
            netPaidSats: 0,
          })),
      ),
      reservedSum + freeCount + partialCount > 0
        ? countPoolDay(tx, {
            day: pool.day,
            openingSats,
            absorbedSats: reservedSum,
            free: freeCount,
            partial: partialCount,
          })
        : undefined,
      putReplies(tx, replies, lease),
    ])
    return written
  }
}

/** Tells the customer that work goes on without an invoice. */
export function workingReply(
  job: Pick<
    Job,
    | 'id'
    | 'customer'
    | 'via'
    | 'form'
    | 'programId'
    | 'rumorAt'
    | 'rumorId'
    | 'serve'
    | 'paidFrom'
    | 'chargeSats'
    | 'reservedSats'
  >,
): NewReply {
  return {
    to: job,
    jobId: job.id,
    step: 'working',
    reply: {
      type: 'working',
      jobId: String(job.id),
      serve: job.serve,
      free_tier: job.reservedSats > 0,
      paidFrom: job.paidFrom,
      chargeSats: job.chargeSats,
      absorbSats: job.reservedSats,
    },
  }
}
