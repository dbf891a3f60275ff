import type { Reply, ReplyOf } from '../doors/protocol.ts'
import { helpReply, refusal } from '../doors/replies.ts'
import type { Command } from '../doors/requests.ts'
import { failpoint } from '../failpoint.ts'
import { ANSWER_BATCH, INVOICE_SATS } from '../limits.ts'
import type { MoneyRules } from '../money/rules.ts'
import { readBalances } from '../store/customers.ts'
import {
  type AnySql,
  inTransaction,
  isConnectionLoss,
  readOnly,
  type Sql,
  type Tx,
} from '../store/database.ts'
import { takeIn } from '../store/inbox.ts'
import type { Lease } from '../store/lease.ts'
import { expire, type Job, readJob, readJobsOf } from '../store/jobs.ts'
import { type NewReply, type OutboxRow, putReplies, wasTold } from '../store/outbox.ts'
import { dailyBudgets } from '../store/pool.ts'
import { type Batcher, createBatcher } from './batcher.ts'
import { createFreeTier, factsOf, type FreeTierService, readGateFacts } from './free-tier.ts'
import type { PricingService } from './prices.ts'
import type { Incoming } from './request.ts'
import { whyReply } from './why.ts'

export interface AnswersOptions {
  sql: Sql
  rules: MoneyRules
  prices: PricingService
  lease: Lease
}

/** Commands that only ask, and `cancel`. What buys or moves money has steps of its own. */
export type Question = Exclude<Command, { name: 'job' | 'topup' | 'donate' | 'withdraw' }>

export interface Answered {
  /** False: this very message was answered before. */
  fresh: boolean
  replies: OutboxRow[]
}

export interface Answer {
  incoming: Incoming
  /** Absent: the message is taken in and not answered. */
  reply?: Reply | undefined
}

export interface Answers {
  /** Reads what is asked and writes nothing. */
  read(incoming: Incoming, question: Exclude<Question, { name: 'cancel' }>): Promise<Reply>
  /** Takes the message in and puts its reply, if there is one, in the outbox, in one transaction. */
  reply: Batcher<Answer, Answered>
  /** Takes in a message that is too old to be executed; asks to resend once a day at most. */
  tooOld(incoming: Incoming): Promise<Answered>
  /** Ends an unpaid job of the customer. */
  cancel(incoming: Incoming, jobId: string): Promise<Answered>
  /** Ends what is unpaid of these jobs of the customer; each is answered where and as it was asked for. */
  takeBack(incoming: Incoming, jobIds: readonly number[]): Promise<Answered>
}

export function createAnswers(options: AnswersOptions): Answers {
  const { sql } = options
  const asked = { ...options, freeTier: createFreeTier(options.rules) }
  return {
    read: (incoming, question) => readAnswer(asked, incoming.to.customer, question),
    reply: createBatcher({
      batchMax: ANSWER_BATCH,
      write: (answers) => inTransaction(sql, (tx) => writeAll(tx, answers, options)),
      isOutage: isConnectionLoss,
    }),
    tooOld: (incoming) =>
      answerOnce(options, incoming, 'too_old', async (tx) =>
        (await wasTold(tx, incoming.to.customer, 'too_old')) ? undefined : refusal('too_old'),
      ),
    cancel: (incoming, jobId) =>
      answerOnce(options, incoming, 'cancel', (tx) => cancelled(tx, incoming.to.customer, jobId)),
    takeBack: (incoming, jobIds) =>
      inTransaction(sql, (tx) => takeBack(tx, incoming, jobIds, options.lease)),
  }
}

type Asked = AnswersOptions & { freeTier: FreeTierService }

async function readAnswer(
  { sql, rules, prices, freeTier }: Asked,
  customer: string,
  question: Exclude<Question, { name: 'cancel' }>,
): Promise<Reply> {
  switch (question.name) {
    case 'estimate':
      return estimate({ sql, rules, prices, freeTier }, customer, question)
    case 'job_status':
      return jobStatus(sql, customer, question.jobId)
    case 'jobs': {
      const rows = await readJobsOf(sql, customer, question.limit)
      return { type: 'jobs', jobs: rows.map((job) => jobFields(job)) }
    }
    case 'balance': {
      const balances = await readBalances(sql, [customer])
      return {
        type: 'balance',
        ...(balances.get(customer) ?? { balanceSats: 0, availableSats: 0 }),
      }
    }
    case 'why':
      return readOnly(sql, async (tx) => {
        const facts = await readGateFacts(tx, [customer])
        return whyReply(factsOf(facts, customer), facts.pool, rules)
      })
    case 'pool':
      return freeTier.poolStatus(sql)
    case 'models':
      return modelsReply(prices)
    case 'help':
      return helpReply()
  }
}

async function estimate(
  { sql, rules, prices, freeTier }: Pick<Asked, 'sql' | 'rules' | 'prices' | 'freeTier'>,
  customer: string,
  { request, model }: { request: string; model?: string | undefined },
): Promise<Reply> {
  const price = await prices.estimateRequestCost(request, model)
  if ('refused' in price) return refusal(price.refused, priceBound(price))
  const { pool, standing, decision } = await freeTier.decideDryRun(sql, {
    customer,
    estimateSats: price.estimatedSats,
  })
  if (standing.banned) return refusal('banned')
  const { serve, absorbSats, chargeSats } = decision
  return {
    type: 'estimate',
    estimatedSats: price.estimatedSats,
    btcPriceUsd: price.usdPerBtc,
    tokenEstimate: { input: price.inputTokens, output: price.outputTokens },
    model: price.model,
    identity: { tier: standing.tier, free_tier: { serve, absorbSats, chargeSats } },
    pool: { balanceSats: pool.balanceSats, dailyBudgets: dailyBudgets(pool, rules) },
  }
}

async function writeAll(
  tx: Tx,
  answers: readonly Answer[],
  { lease }: AnswersOptions,
): Promise<Answered[]> {
  const fresh = await takeIn(
    tx,
    answers.map(({ incoming }) => incoming.message),
  )
  // The same message twice in one batch is answered once: `delete` is true the first time.
  const first = answers.filter(({ incoming }) => fresh.delete(incoming.message.rumorId))
  const replies = await putReplies(
    tx,
    first.flatMap(({ incoming, reply }) =>
      reply ? [{ to: incoming.to, jobId: null, step: reply.type, reply }] : [],
    ),
    lease,
  )
  await failpoint('answer:before-commit')
  return answers.map((answer) => ({
    fresh: first.includes(answer),
    replies: first.includes(answer)
      ? replies.filter((row) => row.rumorId === answer.incoming.to.rumorId)
      : [],
  }))
}

/** Takes a message in and stores what `find` answers to it, which may be nothing, in one transaction. */
function answerOnce(
  { sql, lease }: AnswersOptions,
  incoming: Incoming,
  step: string,
  find: (tx: Tx) => Promise<Reply | undefined>,
): Promise<Answered> {
  return inTransaction(sql, async (tx) => {
    const fresh = await takeIn(tx, [incoming.message])
    if (fresh.size === 0) return { fresh: false, replies: [] }
    const reply = await find(tx)
    if (!reply) return { fresh: true, replies: [] }
    const row = { to: incoming.to, jobId: null, step, reply }
    const replies = await putReplies(tx, [row], lease)
    await failpoint('answer:before-commit')
    return { fresh: true, replies }
  })
}

async function cancelled(tx: Tx, customer: string, text: string): Promise<Reply> {
  const job = await findJob(tx, customer, text)
  if (!job) return refusal('unknown_job')
  const ended = await expire(tx, job.id, 'cancelled')
  return ended ? { type: 'job', ...jobFields(ended) } : refusal('too_late', { jobId: text })
}

async function takeBack(
  tx: Tx,
  incoming: Incoming,
  jobIds: readonly number[],
  lease: Lease,
): Promise<Answered> {
  const fresh = await takeIn(tx, [incoming.message])
  if (fresh.size === 0) return { fresh: false, replies: [] }
  const rows: NewReply[] = []
  for (const jobId of jobIds) {
    const job = await expire(tx, jobId, 'cancelled')
    if (job) rows.push(cancelReply(job, { type: 'job', ...jobFields(job) }))
  }
  const [first] = jobIds
  const job = rows.length === 0 && first !== undefined && (await readJob(tx, first))
  if (job) rows.push(cancelReply(job, refusal('too_late', { jobId: String(job.id) })))
  return { fresh: true, replies: await putReplies(tx, rows, lease) }
}

const cancelReply = (job: Job, reply: Reply): NewReply => ({
  to: job,
  jobId: null,
  step: 'cancel',
  reply,
})

async function jobStatus(sql: AnySql, customer: string, jobId: string): Promise<Reply> {
  const job = await findJob(sql, customer, jobId)
  return job ? { type: 'job', ...jobFields(job) } : refusal('unknown_job')
}

/** A job of this customer by the id it was told; anything else reads as unknown. */
async function findJob(sql: AnySql, customer: string, text: string): Promise<Job | undefined> {
  if (!/^[1-9][0-9]{0,14}$/.test(text)) return undefined
  return readJob(sql, Number(text), customer)
}

function jobFields(job: Job): Omit<ReplyOf<'job'>, 'type'> {
  return {
    jobId: String(job.id),
    state: job.state,
    ...(job.reason === null ? {} : { reason: job.reason }),
    createdAt: job.createdAt,
    estimatedSats: job.estimatedSats,
    chargeSats: job.state === 'done' ? job.paidSats - job.refundSats : job.chargeSats,
    absorbed_sats: job.absorbedSats,
    refundSats: job.refundSats,
  }
}

function modelsReply({ models }: PricingService): Reply {
  return {
    type: 'models',
    models: models.map((model) =>
      'satsPerRequest' in model
        ? {
            name: model.name,
            inputUsdPerMillion: 0,
            outputUsdPerMillion: 0,
            maxOutputTokens: model.maxOutputTokens ?? 0,
            satsPerRequest: model.satsPerRequest,
          }
        : {
            name: model.name,
            inputUsdPerMillion: Number(model.inputUsdPerMillion),
            outputUsdPerMillion: Number(model.outputUsdPerMillion),
            maxOutputTokens: model.maxOutputTokens,
          },
    ),
  }
}

export function priceBound(price: { refused: string }): { limit?: number } {
  return price.refused === 'amount_out_of_range' ? { limit: INVOICE_SATS } : {}
}
