import { failure } from '../doors/replies.ts'
import { failpoint } from '../failpoint.ts'
import { SETTLE_BATCH } from '../limits.ts'
import type { MoneyRules } from '../money/rules.ts'
import { type Settlement, settle, settleFailed } from '../money/settlement.ts'
import {
  type Balance,
  type CustomerDayChange,
  countCustomerDays,
  noteFirstPaid,
  readBalances,
} from '../store/customers.ts'
import { inTransaction, isConnectionLoss, type Sql, type Tx } from '../store/database.ts'
import { storeResults } from '../store/job-texts.ts'
import { finishJobs, type Job } from '../store/jobs.ts'
import type { Lease } from '../store/lease.ts'
import { customerAccount, jobAccount, lockPool, post, type Transfer } from '../store/ledger.ts'
import { type NewReply, type OutboxRow, putReplies } from '../store/outbox.ts'
import { readPool } from '../store/pool.ts'
import { type Batcher, createBatcher } from './batcher.ts'
import { createFreeTier, type FreeTierService } from './free-tier.ts'

/** How the work on a job ended. */
export type Ending =
  | {
      kind: 'done'
      /** The true cost, sats; above the quote it is the operator's loss and not the customer's. */
      actualSats: number
      result: string
      usage: { input: number; output: number }
    }
  | { kind: 'failed'; reason: 'backend_failed' | 'backend_timeout' | 'rejected' }

export interface FinishedWork {
  job: Job
  ending: Ending
}

export interface Settled {
  /** False: the lease was lost and nothing was written. */
  applied: boolean
  replies: OutboxRow[]
}

export interface SettleOptions {
  sql: Sql
  rules: MoneyRules
  lease: Lease
}

/**
 * Ends jobs: last state, true cost, refund to the balance, what the pool gets back, the grant's audit row, the
 * tenth for the pool and the reply, all in one transaction that the job's epoch fences.
 */
export function createSettle(options: SettleOptions): Batcher<FinishedWork, Settled> {
  const freeTier = createFreeTier(options.rules)
  return createBatcher({
    batchMax: SETTLE_BATCH,
    write: (works) =>
      inTransaction(options.sql, (tx) => settleAll(tx, works, { ...options, freeTier })),
    isOutage: isConnectionLoss,
  })
}

async function settleAll(
  tx: Tx,
  works: readonly FinishedWork[],
  { rules, lease, freeTier }: SettleOptions & { freeTier: FreeTierService },
): Promise<Settled[]> {
  const owners = ownersOf(works)
  const ended = [...owners].map((work) => ({ ...work, money: moneyOf(work, rules) }))
  const [balanceSats, pool, applied, balances] = await Promise.all([
    lockPool(tx),
    readPool(tx),
    finishJobs(tx, ended.map(finishedRow)),
    readBalances(tx, [...new Set(works.map(({ job }) => job.customer))]),
  ])
  const ours = ended.filter(({ job }) => applied.has(job.id))
  if (ours.length === 0) return works.map(() => ({ applied: false, replies: [] }))
  const facts = { ...pool, balanceSats }
  const replies = ours.map((end) => endReply(end, balances))
  const charged = ours.filter(({ money }) => money.chargeSats > 0)
  const [written] = await Promise.all([
    putReplies(tx, replies, lease),
    post(
      tx,
      ours.flatMap((end) => settlementTransfers(end, facts.day)),
      new Set(ours.map(({ job }) => jobAccount(job.id))),
    ),
    freeTier.credit(tx, ours, facts),
    freeTier.recordGrant(tx, ours, facts),
    storeResults(
      tx,
      ours.flatMap(({ job, ending }) =>
        ending.kind === 'done' ? [{ id: job.id, result: ending.result }] : [],
      ),
    ),
    charged.length > 0
      ? noteFirstPaid(
          tx,
          charged.map(({ job }) => job.customer),
        )
      : undefined,
    countCustomerDays(
      tx,
      ours.flatMap((end) => customerDays(end, facts.day)),
    ),
  ])
  await failpoint('settle:before-commit')
  return works.map((work) => {
    const { id } = work.job
    if (!owners.has(work) || !applied.has(id)) return { applied: false, replies: [] }
    return { applied: true, replies: written.filter((reply) => reply.jobId === id) }
  })
}

/**
 * A job may be ended twice in one batch: by its owner, and by a step of the same process that lost the lease
 * and does not know it yet. Only the highest epoch can be the owner's; of equal ones the first counts.
 */
function ownersOf(works: readonly FinishedWork[]): Set<FinishedWork> {
  const owners = new Map<number, FinishedWork>()
  for (const work of works) {
    const other = owners.get(work.job.id)
    if (!other || other.job.epoch < work.job.epoch) owners.set(work.job.id, work)
  }
  return new Set(owners.values())
}

interface End extends FinishedWork {
  money: Settlement
}

function moneyOf({ job, ending }: FinishedWork, rules: MoneyRules): Settlement {
  const { reservedSats, paidSats } = job
  if (ending.kind === 'failed') return settleFailed({ reservedSats, paidSats })
  return settle({
    actualSats: ending.actualSats,
    reservedSats,
    paidSats,
    poolCreditPct: rules.poolCreditPct,
  })
}

function finishedRow({ job, ending, money }: End) {
  const done = ending.kind === 'done'
  return {
    id: job.id,
    epoch: job.epoch,
    state: ending.kind,
    reason: done ? null : ending.reason,
    actualSats: done ? ending.actualSats : 0,
    absorbedSats: money.absorbedSats,
    refundSats: money.refundSats,
    shortfallSats: money.shortfallSats,
    usedInput: done ? ending.usage.input : null,
    usedOutput: done ? ending.usage.output : null,
  }
}

/** Empties the job's hold to the last sat: what came in (reserve, payment, shortfall) goes out again here. */
function settlementTransfers({ job, ending, money }: End, day: string): Transfer[] {
  const actualSats = ending.kind === 'done' ? ending.actualSats : 0
  const account = jobAccount(job.id)
  const cause = { jobId: job.id, day }
  return [
    { ...cause, kind: 'shortfall', debit: 'operator', credit: account, sats: money.shortfallSats },
    { ...cause, kind: 'earned', debit: account, credit: 'operator', sats: actualSats },
    {
      ...cause,
      kind: 'returned',
      debit: account,
      credit: 'pool',
      sats: money.returnedSats,
      day: job.reservedDay ?? day,
    },
    {
      ...cause,
      kind: 'refund',
      debit: account,
      credit: customerAccount(job.customer),
      sats: money.refundSats,
    },
    { ...cause, kind: 'credit', debit: 'operator', credit: 'pool', sats: money.creditSats },
  ]
}

function customerDays({ job, money }: End, day: string): CustomerDayChange[] {
  const { customer } = job
  const unkeptSats = Math.min(money.shortfallSats, Math.max(0, job.promisedSats - job.reservedSats))
  if (money.chargeSats === 0 && unkeptSats === 0) return []
  return [{ customer, day, netPaidSats: money.chargeSats, shortfallSats: unkeptSats }]
}

/** The result, or why there is none. Balances are as they stand when this commits. */
function endReply(end: End, balances: ReadonlyMap<string, Balance>): NewReply {
  const { job, ending, money } = end
  const balance = balances.get(job.customer) ?? { availableSats: 0, balanceSats: 0 }
  // The balance was read after the job had ended: its hold is out of it, its refund is not yet in.
  balance.availableSats += money.refundSats
  balance.balanceSats += money.refundSats
  const { balanceSats } = balance
  const { refundSats } = money
  const jobId = String(job.id)
  const to = { to: job, jobId: job.id, step: 'end' }
  if (ending.kind === 'failed') {
    return { ...to, reply: failure({ jobId, reason: ending.reason, refundSats, balanceSats }) }
  }
  return {
    ...to,
    reply: {
      type: 'result',
      jobId,
      result: ending.result,
      actualSats: ending.actualSats,
      absorbed_sats: money.absorbedSats,
      chargeSats: money.chargeSats,
      refundSats,
      balanceSats,
      free_tier: money.absorbedSats > 0,
      usage: ending.usage,
    },
  }
}
