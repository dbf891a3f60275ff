import type { ReasonCode } from '../doors/protocol.ts'
import { refusal } from '../doors/replies.ts'
import type { RefusalFacts } from '../doors/texts-en.ts'
import { failpoint } from '../failpoint.ts'
import { ACCEPT_BATCH, OPEN_JOBS_PER_CUSTOMER } from '../limits.ts'
import { boundPromise, type Decision } from '../money/decide.ts'
import type { MoneyRules } from '../money/rules.ts'
import { type CustomerFacts, type Door, noteDoors } from '../store/customers.ts'
import { inTransaction, isConnectionLoss, type Sql, type Tx } from '../store/database.ts'
import { type GateRead, type GateWrite, readGate, writeGate } from '../store/gate.ts'
import type { Lease } from '../store/lease.ts'
import type { NewJob } from '../store/jobs.ts'
import type { ReplyTo } from '../store/inbox.ts'
import { customerAccount, jobAccount, lockPool, post, type Transfer } from '../store/ledger.ts'
import type { NewReply, OutboxRow } from '../store/outbox.ts'
import { type PoolFacts, readPool } from '../store/pool.ts'
import { type Batcher, createBatcher } from './batcher.ts'
import {
  createFreeTier,
  factsOf,
  type FreeTierService,
  type GateFacts,
  reserve,
} from './free-tier.ts'
import type { InvoiceLine } from './invoice-line.ts'
import type { PricedRequest } from './request.ts'
import { createTwinWindow, type TwinWindow } from './twin-window.ts'
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
  /** Undefined: nobody waits too long for an invoice. */
  line?: Pick<InvoiceLine, 'tooLong'>
}

/**
 * The gate. One transaction for all requests that arrived together: dedupe, decision, job, ledger and
 * first reply; for `free` the pool is debited here, before any work. The pool row is locked first, so
 * decisions of all replicas stand in one line.
 */
export function createAccept(options: AcceptOptions): Batcher<PricedRequest, Accepted> {
  const parts = { ...options, freeTier: createFreeTier(options.rules), twins: createTwinWindow() }
  return createBatcher({
    batchMax: ACCEPT_BATCH,
    write: (requests) => inTransaction(options.sql, (tx) => acceptAll(tx, requests, parts)),
    isOutage: isConnectionLoss,
  })
}

interface Gate extends Pick<AcceptOptions, 'line'> {
  freeTier: FreeTierService
  twins: TwinWindow
}

async function acceptAll(
  tx: Tx,
  requests: readonly PricedRequest[],
  options: AcceptOptions & Gate,
): Promise<Accepted[]> {
  const { twins } = options
  const twinsAbove = twins.above() ?? (await twins.open(tx))
  const [balanceSats, pool, read] = await Promise.all([
    lockPool(tx),
    readPool(tx),
    readGate(tx, requests, twinsAbove),
  ])
  twins.note(pool.nowSeconds, read[0]?.jobId)
  const books = openBooks({ ...pool, balanceSats }, read)
  const answers = requests.map((request, place) =>
    acceptOne(books, request, read[place] as GateRead, options),
  )
  await writeBooks(tx, books, options)
  await failpoint('accept:before-commit')
  return answers
}

/** The facts of one transaction, lowered by each decision, and what is to be written for them. */
interface Books extends GateFacts {
  /** The breaker's base for the day, which decisions do not change. */
  openingSats: number
  writes: GateWrite[]
  /** Of the batch, by the ids of their messages. */
  taken: Set<string>
  /** Of the batch, by key and text. */
  jobs: Map<string, NewJob[]>
  /** Of keys whose first job this is, or the first by another door. */
  doors: Map<string, Door>
  /** What balances pay. */
  holds: Transfer[]
}

function openBooks(pool: PoolFacts, read: readonly GateRead[]): Books {
  const customers = new Map<string, CustomerFacts>()
  // A key that asks twice is decided on one set of facts, lowered by its first request.
  for (const facts of read) {
    if (!customers.has(facts.pubkey)) customers.set(facts.pubkey, facts)
  }
  const { openingSats } = pool
  return {
    pool,
    openingSats,
    customers,
    writes: [],
    taken: new Set(),
    jobs: new Map(),
    doors: new Map(),
    holds: [],
  }
}

function acceptOne(books: Books, request: PricedRequest, read: GateRead, gate: Gate): Accepted {
  const { to, message } = request
  if (read.takenIn || books.taken.has(to.rumorId)) return { outcome: 'replayed' }
  books.taken.add(to.rumorId)
  const write: GateWrite = {
    to,
    relay: message.relay,
    proof: message.proof,
    job: null,
    reply: null,
  }
  books.writes.push(write)
  const text = `${to.customer} ${request.requestHash}`
  const twinId = read.twinId ?? books.jobs.get(text)?.find((job) => job.via !== to.via)?.id
  if (twinId !== undefined) return { outcome: 'twin', jobId: twinId }
  const decided = decideOne(books, request, read.jobId, gate)
  const row = 'refused' in decided ? refusedReply(to, decided) : decided.reply
  write.reply = row && { id: read.replyId, row }
  const replies = row ? [bornLeased(row, read.replyId, books.pool.nowSeconds)] : []
  if ('refused' in decided) return { outcome: 'refused', replies }
  const { job } = decided
  write.job = job
  noteDoor(books, to, read.door)
  const jobs = books.jobs.get(text)
  if (jobs) jobs.push(job)
  else books.jobs.set(text, [job])
  return { outcome: 'job', job, replies }
}

function noteDoor({ doors }: Books, { customer, via }: ReplyTo, before: Door | null): void {
  const door = doors.get(customer) ?? before
  if (door !== via && door !== 'several') doors.set(customer, door === null ? via : 'several')
}

/** A reply as it will stand in the outbox, claimed by this process. */
const bornLeased = (
  { to, jobId, step, reply }: NewReply,
  id: number,
  createdAt: number,
): OutboxRow => ({
  id,
  customer: to.customer,
  via: to.via,
  form: to.form,
  programId: to.programId,
  jobId,
  step,
  rumorAt: to.rumorAt,
  rumorId: to.rumorId,
  reply,
  createdAt,
  givenUp: false,
  delivered: false,
  isBehind: false,
  epoch: 1,
  tries: 1,
})

type Refusal = { refused: ReasonCode } & RefusalFacts

type Decided = { job: NewJob; reply: NewReply | null } | Refusal

function decideOne(books: Books, request: PricedRequest, id: number, gate: Gate): Decided {
  const { pool } = books
  const { customer } = request.to
  const facts = factsOf(books, customer)
  const { standing, decision } = gate.freeTier.decide(books, {
    customer,
    estimateSats: request.estimatedSats,
  })
  if (standing.banned) return { refused: 'banned' }
  if (facts.openJobs >= OPEN_JOBS_PER_CUSTOMER) {
    return { refused: 'rate_limited', limit: OPEN_JOBS_PER_CUSTOMER }
  }
  const purse = purseOf(decision, facts, standing.room.terms.breakerSats, pool)
  const { absorbSats, working } = purse
  const chargeSats = request.estimatedSats - absorbSats
  if (request.bidMsat !== undefined && chargeSats * 1000 > request.bidMsat) {
    return { refused: 'amount_out_of_range', found: 'bid', limitMin: chargeSats }
  }
  const unsold = working ? undefined : refuseInvoice(books, gate)
  if (unsold) return unsold
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
    chargeSats,
    promisedSats: working ? 0 : absorbSats,
    reservedSats: working ? absorbSats : 0,
    reservedDay: working && absorbSats > 0 ? pool.day : null,
    paidSats: purse.paidFrom === 'balance' ? chargeSats : 0,
    usdPerBtc: request.usdPerBtc,
    inputTokens: request.inputTokens,
    outputTokens: request.outputTokens,
  }
  take(books, job, facts)
  return { job, reply: working ? workingReply(job) : null }
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
  const { pool, holds } = books
  reserve(books, job.customer, job.reservedSats)
  facts.openJobs += 1
  facts.ownPromiseSats += job.promisedSats
  facts.balanceSats -= job.paidSats
  pool.openPromisesSats += job.promisedSats
  if (job.paidSats === 0) return
  holds.push({
    kind: 'hold',
    debit: customerAccount(job.customer),
    credit: jobAccount(job.id),
    sats: job.paidSats,
    jobId: job.id,
    day: pool.day,
  })
}

/**
 * Whether a job that needs an invoice can have one now: not while LNbits and the ledger disagree, and not when
 * it would be made so late that its customer had better come again.
 */
function refuseInvoice({ pool, writes }: Books, { line }: Gate): Refusal | undefined {
  if (pool.lightningStopped) return { refused: 'paused' }
  const long = line?.tooLong(writes.filter(({ job }) => job?.state === 'accepted').length + 1)
  return long && { refused: 'busy', ahead: long.ahead }
}

const refusedReply = (to: ReplyTo, { refused, ...facts }: Refusal): NewReply => ({
  to,
  jobId: null,
  step: 'refused',
  reply: refusal(refused, facts),
})

async function writeBooks(
  tx: Tx,
  { pool, openingSats, writes, doors, holds }: Books,
  { lease, replyLease }: AcceptOptions,
): Promise<void> {
  if (writes.length === 0) return
  // Sent ahead and awaited below: the last statement runs on their heels.
  const ahead = Promise.all([
    doors.size > 0 ? noteDoors(tx, doors) : undefined,
    post(tx, holds, new Set(holds.map(({ credit }) => credit))),
  ])
  const given = writes.flatMap(({ job }) => (job && job.reservedSats > 0 ? [job] : []))
  const totals = {
    day: pool.day,
    openingSats,
    reservedSats: given.reduce((sum, job) => sum + job.reservedSats, 0),
    free: given.filter((job) => job.serve === 'free').length,
    partial: given.filter((job) => job.serve === 'partial').length,
  }
  tx.endWith(writeGate(tx, writes, totals, { job: lease, reply: replyLease }))
  await ahead
}
