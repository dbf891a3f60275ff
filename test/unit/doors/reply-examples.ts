import type { Reply, ReplyOf } from '../../../src/doors/protocol.ts'
import { helpReply, refusal } from '../../../src/doors/replies.ts'

/** One reply of every type and every shape of it, with figures as large as they get. */

export const bolt11 = `lnbc120n1${'q'.repeat(300)}`

export const invoice: ReplyOf<'invoice'> = {
  type: 'invoice',
  purpose: 'job',
  bolt11,
  chargeSats: 12,
  expiresAt: 1_790_000_600,
  jobId: 'k3f9d2',
  serve: 'gate',
  estimatedSats: 12,
  absorbSats: 0,
}

export const partialInvoice: ReplyOf<'invoice'> = {
  ...invoice,
  chargeSats: 20,
  serve: 'partial',
  estimatedSats: 60,
  absorbSats: 40,
}

export const free: ReplyOf<'working'> = {
  type: 'working',
  jobId: 'k3f9d2',
  serve: 'free',
  free_tier: true,
  paidFrom: 'pool',
  chargeSats: 0,
  absorbSats: 12,
}

export const result: ReplyOf<'result'> = {
  type: 'result',
  jobId: 'k3f9d2',
  result: 'Forty-two.',
  actualSats: 12,
  absorbed_sats: 5,
  chargeSats: 7,
  refundSats: 3,
  balanceSats: 45,
  free_tier: true,
  usage: { input: 20, output: 5 },
}

export const job: ReplyOf<'job'> = {
  type: 'job',
  jobId: 'k3f9d2',
  state: 'done',
  createdAt: 1_790_000_000,
  estimatedSats: 60,
  chargeSats: 20,
  absorbed_sats: 40,
  refundSats: 0,
}

const budgets = { new: 0, established: 50, trusted: 200, elite: 1000 }

const largeSats = 2_100_000_000_000_000

export const why: ReplyOf<'why'> = {
  type: 'why',
  tier: 'established',
  source: 'earned',
  budgetSats: 50,
  absorbedTodaySats: 20,
  roomSats: 30,
  terms: {
    budgetLeftSats: 30,
    ratioLeftSats: 120,
    poolSats: 9500,
    breakerLeftSats: 800,
    netPaidSats: 600,
    grantsSats: 30,
    paidDays: 4,
    firstPaidDaysAgo: 12,
  },
  next: 'To become trusted: pay 1400 sats more for work.',
}

const balance: ReplyOf<'balance'> = { type: 'balance', balanceSats: 145, availableSats: 133 }

const withdrawal = { type: 'withdrawal', sats: 100, balanceSats: 45 } as const

const model = {
  name: `provider/model-${'x'.repeat(30)}`,
  inputUsdPerMillion: 0.15,
  outputUsdPerMillion: 0.6,
  maxOutputTokens: 4096,
}

export const examples: Record<string, Reply> = {
  invoice,
  partialInvoice,
  topupInvoice: { type: 'invoice', purpose: 'topup', bolt11, chargeSats: 1000, expiresAt: 60 },
  donateInvoice: { type: 'invoice', purpose: 'donate', bolt11, chargeSats: 500, expiresAt: 60 },
  estimate: {
    type: 'estimate',
    estimatedSats: 60,
    btcPriceUsd: 97_123.45,
    tokenEstimate: { input: 120, output: 500 },
    model: 'small',
    identity: {
      tier: 'trusted',
      free_tier: { serve: 'partial', absorbSats: 40, chargeSats: 20 },
    },
    pool: { balanceSats: 9500, dailyBudgets: budgets },
  },
  free,
  workingFromBalance: { ...free, serve: 'partial', paidFrom: 'balance', chargeSats: 20 },
  workingPaid: { ...free, serve: 'gate', free_tier: false, paidFrom: 'invoice', chargeSats: 12 },
  stillWorking: { ...free, seconds: 10 },
  result,
  failed: {
    type: 'failed',
    jobId: 'k3f9d2',
    reason: 'backend_failed',
    message: 'It broke. Send the text again to retry.',
    refundSats: 12,
    balanceSats: 57,
  },
  expired: { type: 'expired', jobId: 'k3f9d2' },
  refused: refusal('request_too_long', { limit: 20_000 }),
  job,
  cancelled: { ...job, state: 'expired', reason: 'cancelled', chargeSats: 0, absorbed_sats: 0 },
  noJobs: { type: 'jobs', jobs: [] },
  jobs: {
    type: 'jobs',
    jobs: Array.from({ length: 20 }, () => ({ ...job, jobId: 'j'.repeat(20) })),
  },
  balance,
  noBalance: { type: 'balance', balanceSats: 0, availableSats: 0 },
  largeBalance: { type: 'balance', balanceSats: largeSats, availableSats: largeSats - 1 },
  toppedUp: { ...balance, change: 100, reason: 'topup' },
  late: { ...balance, change: 12, reason: 'late_payment', jobId: 'k3f9d2' },
  overpaid: { ...balance, change: 3, reason: 'overpaid', jobId: 'k3f9d2' },
  paidCancelled: { ...balance, change: 12, reason: 'cancelled_payment', jobId: 'k3f9d2' },
  why,
  pool: {
    type: 'pool',
    balanceSats: 9500,
    state: 'open',
    dailyBudgets: budgets,
    today: { free: 3, partial: 1, paid: 9, absorbedSats: 240, creditedSats: 31 },
    donatedSats: 500,
  },
  sent: { ...withdrawal, state: 'sent' },
  arrived: { ...withdrawal, state: 'done', feeSats: 1 },
  returned: { ...withdrawal, state: 'failed' },
  uncertain: { ...withdrawal, state: 'unknown' },
  models: {
    type: 'models',
    models: [
      ...Array.from({ length: 14 }, () => model),
      { ...model, inputUsdPerMillion: 0, outputUsdPerMillion: 0, satsPerRequest: 5 },
    ],
  },
  help: helpReply(),
}
