import { z } from 'zod'
import { JOB_ID_CHARS, JOBS_LISTED, REQUEST_ID_CHARS } from '../limits.ts'
import { tiers } from '../money/tiers.ts'

/*
 * The JSON door as schemas: what a program may say by DM and what it hears. docs/protocol.md has
 * the same tables for people who write clients, and a test keeps the two equal. Fields are added,
 * never renamed or removed, and `protocolVersion` stays 1 as long as that holds.
 */

export const protocolVersion = 1

/** Why something was refused or failed. Grown only by addition: clients switch on these. */
export const reasonCodes = [
  'empty_request',
  'request_too_long',
  'unknown_model',
  'no_rate',
  'malformed',
  'unknown_type',
  'unknown_job',
  'banned',
  'busy',
  'rate_limited',
  'too_old',
  'rejected',
  'amount_out_of_range',
  'insufficient_balance',
  'withdrawals_off',
  'invalid_destination',
  'own_invoice',
  'paused',
  'backend_failed',
  'backend_timeout',
  'cancelled',
  'too_late',
  'invoice_failed',
] as const

export type ReasonCode = (typeof reasonCodes)[number]

const text = z.string()
const sats = z.int().min(0)
const count = z.int().min(0)
/** Unix seconds. */
const instant = z.int().min(0)
const usd = z.number().min(0)
const jobId = z.string().min(1).max(JOB_ID_CHARS)
/** 1 to 64 UTF-16 units, as a JSON Schema validator counts them. */
const id = z.string().min(1).max(REQUEST_ID_CHARS)
const serve = z.enum(['free', 'partial', 'gate'])
const tier = z.enum(tiers)
const reason = z.enum(reasonCodes)
const tokens = z.object({ input: count, output: count })
const dailyBudgets = z.object({ new: sats, established: sats, trusted: sats, elite: sats })

/** One request of a program, without its `id`. Unknown fields are dropped. */
const request = <const T extends string, S extends z.ZodRawShape>(type: T, shape: S) =>
  z.object({ type: z.literal(type), ...shape })

/** Every request by its `type`. Bounds that have a reason code of their own are in `bounds.ts`. */
export const requestSchemas = {
  job: request('job', { request: text, model: text.optional() }),
  estimate: request('estimate', { request: text, model: text.optional() }),
  job_status: request('job_status', { jobId: text }),
  jobs: request('jobs', { limit: z.int().min(1).max(JOBS_LISTED).optional() }),
  cancel: request('cancel', { jobId: text }),
  balance: request('balance', {}),
  why: request('why', {}),
  topup: request('topup', { sats: z.int() }),
  donate: request('donate', { sats: z.int() }),
  withdraw: request('withdraw', { to: text, sats: z.int().optional() }),
  pool: request('pool', {}),
  models: request('models', {}),
  help: request('help', {}),
}

export const requestId = id

export const programRequestSchema = z.discriminatedUnion('type', [
  requestSchemas.job,
  requestSchemas.estimate,
  requestSchemas.job_status,
  requestSchemas.jobs,
  requestSchemas.cancel,
  requestSchemas.balance,
  requestSchemas.why,
  requestSchemas.topup,
  requestSchemas.donate,
  requestSchemas.withdraw,
  requestSchemas.pool,
  requestSchemas.models,
  requestSchemas.help,
])

export type ProgramRequest = z.infer<typeof programRequestSchema>

const reply = <const T extends string, S extends z.ZodRawShape>(type: T, shape: S) =>
  z.object({ type: z.literal(type), ...shape })

const freeTier = z.object({ serve, absorbSats: sats, chargeSats: sats })

const estimateReply = reply('estimate', {
  estimatedSats: sats,
  /** Null when the model has a flat price and no rate is known. */
  btcPriceUsd: usd.nullable(),
  tokenEstimate: tokens,
  model: text,
  identity: z.object({ tier, free_tier: freeTier }),
  pool: z.object({ balanceSats: sats, dailyBudgets }),
})

const jobInvoice = reply('invoice', {
  purpose: z.literal('job'),
  bolt11: text,
  chargeSats: sats,
  expiresAt: instant,
  jobId,
  serve: z.enum(['partial', 'gate']),
  estimatedSats: sats,
  /** What the pool promises. Advisory for the pool, binding for the customer's price. */
  absorbSats: sats,
})

const fundsInvoice = reply('invoice', {
  purpose: z.enum(['topup', 'donate']),
  bolt11: text,
  chargeSats: sats,
  expiresAt: instant,
})

const workingReply = reply('working', {
  jobId,
  serve,
  free_tier: z.boolean(),
  paidFrom: z.enum(['pool', 'balance', 'invoice']),
  chargeSats: sats,
  absorbSats: sats,
  /** Seconds at work so far; only in the one reminder that a long job sends. */
  seconds: count.optional(),
})

const resultReply = reply('result', {
  jobId,
  result: text,
  /** Set by the encoder, which knows how the text was split. */
  part: z.int().min(1).default(1),
  parts: z.int().min(1).default(1),
  actualSats: sats,
  absorbed_sats: sats,
  /** Net: what the job cost its customer in the end. */
  chargeSats: sats,
  refundSats: sats,
  balanceSats: sats,
  free_tier: z.boolean(),
  usage: tokens,
})

const failedReply = reply('failed', {
  jobId,
  reason,
  message: text,
  refundSats: sats,
  balanceSats: sats,
})

const expiredReply = reply('expired', { jobId })

const refusedReply = reply('refused', {
  reason,
  message: text,
  /** The bound that was broken, in the unit of what broke it. */
  limit: z.number().optional(),
  jobId: jobId.optional(),
})

const jobStates = [
  'accepted',
  'refused',
  'awaiting_payment',
  'working',
  'done',
  'failed',
  'expired',
] as const

const jobShape = {
  jobId,
  state: z.enum(jobStates),
  reason: text.optional(),
  createdAt: instant,
  estimatedSats: sats,
  chargeSats: sats,
  absorbed_sats: sats,
  refundSats: sats,
}

const jobReply = reply('job', jobShape)

/** Entries carry `type: "job"` on the wire, so that one reader serves both; the encoder adds it. */
const jobsReply = reply('jobs', {
  jobs: z.array(z.object({ type: z.literal('job').optional(), ...jobShape })),
})

const balanceReply = reply('balance', {
  balanceSats: sats,
  availableSats: sats,
  /** Signed sats; only when the message comes unasked. */
  change: z.int().optional(),
  reason: z.enum(['topup', 'late_payment', 'overpaid', 'cancelled_payment']).optional(),
  jobId: jobId.optional(),
})

const whyReply = reply('why', {
  tier,
  source: z.enum(['earned', 'granted', 'list', 'rank']),
  budgetSats: sats,
  absorbedTodaySats: sats,
  roomSats: sats,
  terms: z.object({
    /** Budget of the tier less what was absorbed today. */
    budgetLeftSats: sats,
    /** Ratio × net paid less grants, both of 90 days; absent for a tier that was not earned. */
    ratioLeftSats: sats.optional(),
    poolSats: sats,
    /** What may still leave the pool today. */
    breakerLeftSats: sats,
    netPaidSats: sats,
    grantsSats: sats,
    paidDays: count,
    /** Whole days since the first settled payment; absent when there is none. */
    firstPaidDaysAgo: count.optional(),
  }),
  next: text,
})

const poolReply = reply('pool', {
  balanceSats: sats,
  state: z.enum(['open', 'paused', 'empty']),
  dailyBudgets,
  today: z.object({
    free: count,
    partial: count,
    paid: count,
    absorbedSats: sats,
    creditedSats: sats,
  }),
  /** What this customer's donation added; only in the reply to a paid one. */
  donatedSats: sats.optional(),
})

const withdrawalReply = reply('withdrawal', {
  state: z.enum(['sent', 'done', 'failed', 'unknown']),
  sats,
  feeSats: sats.optional(),
  balanceSats: sats,
})

const modelsReply = reply('models', {
  models: z.array(
    z.object({
      name: text,
      /** 0 with `satsPerRequest`: a flat price knows no token rates. */
      inputUsdPerMillion: usd,
      outputUsdPerMillion: usd,
      maxOutputTokens: count,
      satsPerRequest: sats.optional(),
    }),
  ),
})

const helpReply = reply('help', {
  /** As a person writes them. */
  commands: z.array(text),
  /** Every `type` a program may ask with. */
  types: z.array(text),
  protocol: z.literal(protocolVersion),
})

/** Every reply by its `type`; an invoice has two shapes, told apart by `purpose`. */
export const replySchemas = {
  estimate: estimateReply,
  invoice: z.discriminatedUnion('purpose', [jobInvoice, fundsInvoice]),
  working: workingReply,
  result: resultReply,
  failed: failedReply,
  expired: expiredReply,
  refused: refusedReply,
  job: jobReply,
  jobs: jobsReply,
  balance: balanceReply,
  why: whyReply,
  pool: poolReply,
  withdrawal: withdrawalReply,
  models: modelsReply,
  help: helpReply,
}

export const replySchema = z.discriminatedUnion('type', [
  replySchemas.estimate,
  replySchemas.invoice,
  replySchemas.working,
  replySchemas.result,
  replySchemas.failed,
  replySchemas.expired,
  replySchemas.refused,
  replySchemas.job,
  replySchemas.jobs,
  replySchemas.balance,
  replySchemas.why,
  replySchemas.pool,
  replySchemas.withdrawal,
  replySchemas.models,
  replySchemas.help,
])

/** A reply before the encoder adds `v` and `id`. */
export type Reply = z.input<typeof replySchema>

export type ReplyType = Reply['type']

export type ReplyOf<T extends ReplyType> = Extract<Reply, { type: T }>

/** What stands on the wire around every reply. */
export const replyFrame = z.object({ v: z.literal(protocolVersion), id: id.optional() })
