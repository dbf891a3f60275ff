import { REQUEST_CHARS } from '../limits.ts'
import type { ReasonCode, ReplyOf } from './protocol.ts'

/*
 * Every English sentence a customer or an operator reads by DM, and nothing else: another language
 * is one more file of this shape. The rules for all of them: amounts carry the word `sats`, a time
 * carries `UTC`, the next step comes last, and a whole reply fits the screen of a phone.
 */

const sats = (amount: number) => `${amount} sats`

/** `1 day`, `2 days`. */
const many = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`

/** Unix seconds as `14:32 UTC`: a DM may be read in any time zone and long after it was written. */
const clockTime = (seconds: number) => `${new Date(seconds * 1000).toISOString().slice(11, 16)} UTC`

const dayAndTime = (seconds: number) =>
  `${new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`

/** What a refusal may name beside its code. */
export interface RefusalFacts {
  /** The upper bound that was broken, in the unit of what broke it. */
  limit?: number | undefined
  /** The smallest amount allowed, where that is not 1. */
  limitMin?: number | undefined
  /** The bound is what is left of a UTC day's: the customer's own, or that of all together. */
  day?: 'own' | 'all' | undefined
  /** Invoices that are asked for before the customer's. */
  ahead?: number | undefined
  /** How the command is written. */
  usage?: string | undefined
  /** The field of a program's request that is missing or of the wrong kind. */
  field?: string | undefined
  /** A command that does not exist, folded to letters that are safe to repeat. */
  command?: string | undefined
  /** What came in place of a text, or what was too low. */
  found?: 'file' | 'job' | 'amount' | 'input' | 'bid' | undefined
}

const NOT_SERVED =
  'This key is not served here. If you think that is a mistake, write to the operator.'

/** What separates a customer from the next tier. */
export interface NextTierFacts {
  /** The next tier, or null at the top. */
  next: string | null
  /** Net sats still to be paid within 90 days. */
  missingSats: number
  /** UTC days on which still to pay. */
  missingPaidDays: number
  /** Days until the first settled payment is old enough; 7 when there is none. */
  missingAgeDays: number
}

const refusals: Record<ReasonCode, (facts: RefusalFacts) => string> = {
  empty_request: ({ usage }) =>
    usage
      ? `There was no text to work on. Write it like this: ${usage}`
      : 'There was no text to work on. Write what you want done, in your own words.',
  request_too_long: ({ limit = REQUEST_CHARS }) =>
    `The text is longer than ${limit} characters. Shorten it, or send it as several jobs.`,
  unknown_model: () => 'There is no model of that name. /models lists what there is.',
  no_rate: () =>
    'There is no trustworthy bitcoin price at the moment, so this model has no price either. ' +
    'Try again in a few minutes, or pick a model with a flat price from /models.',
  malformed: ({ usage, field, found }) => {
    if (found === 'file') return 'I cannot read files. Send what you want done as plain text.'
    if (found === 'job') return 'I read no job events inside messages. Send the text itself.'
    if (found === 'input') return 'I read only text inputs. Put the text itself into the request.'
    if (found === 'amount') {
      return `The amount must be digits alone, without separators. Write it like this: ${usage}`
    }
    if (usage) return `Something is missing. Write it like this: ${usage}`
    return field
      ? `The field ${field} is missing or of the wrong kind. Ask for "help" to see the types.`
      : 'I could not read this message. Send it again as plain text, or see /help.'
  },
  unknown_type: ({ command, field }) =>
    field
      ? 'There is no request of that type. Ask for "help" to see the types.'
      : `${command ? `/${command}` : 'That'} is not a command; /help lists them. ` +
        'If your text begins with a slash, put a word before it.',
  unknown_job: () => 'You have no job with that id. /jobs lists your latest ones.',
  banned: () => NOT_SERVED,
  busy: ({ ahead = 0 }) =>
    ahead > 0
      ? `There is too much to do at the moment: ${many(ahead, 'invoice')} would come before yours. ` +
        'Nothing was charged; try again in a minute.'
      : 'There is too much to do at the moment. Nothing was charged; try again in a minute.',
  rate_limited: () =>
    'That is too much from you at once. Nothing was charged; send it again in a minute.',
  too_old: () =>
    'Your message reached me long after you wrote it, so I did not act on it. ' +
    'Please send it again if you still want it.',
  rejected: () =>
    'I do not take this request on. Nothing was charged; ask in other words or for something else.',
  amount_out_of_range: ({ limit, limitMin = 1, day, found }) => {
    if (found === 'bid') return `This costs ${sats(limitMin)}, which is more than the bid.`
    if (limit === undefined) {
      return `The amount must be at least ${sats(limitMin)}. Choose another one.`
    }
    if (day === 'own') {
      return `Today (UTC) you may take out ${sats(limit)} more. The rest can go tomorrow.`
    }
    if (day === 'all') {
      return (
        `Of what all customers together may take out in a day, ${sats(limit)} are left. ` +
        'Your balance stays yours; try again after 00:00 UTC.'
      )
    }
    return limit === limitMin
      ? `The amount must be ${sats(limit)}, as the invoice says.`
      : `The amount must be from ${limitMin} to ${sats(limit)}. Choose another one.`
  },
  insufficient_balance: ({ limit }) => {
    const available = limit === undefined ? 'less than that' : `only ${sats(limit)}`
    return `Your balance has ${available} to spend. See /balance, or add to it: /topup 1000`
  },
  withdrawals_off: () =>
    'Withdrawals are switched off here. Your balance stays yours and pays for your jobs.',
  invalid_destination: () =>
    'That is neither a Lightning invoice with an amount nor a Lightning address I can pay. ' +
    'Write it like this: /withdraw name@example.com 500',
  own_invoice: () =>
    'That is an invoice of mine, and I cannot pay myself. Use one from your own wallet.',
  paused: () => 'The operator has paused new work. Nothing was charged; try again later.',
  backend_failed: () =>
    'The work could not be done. You are not charged for it; send the text again to retry.',
  backend_timeout: () =>
    'The work took too long and was stopped. You are not charged for it; try a shorter request.',
  cancelled: () => 'It was cancelled. Send the text again if you want it after all.',
  too_late: () =>
    'That job is at work or over, so it cannot be cancelled. /jobs shows where it is.',
  invoice_failed: () =>
    'No invoice could be made at the moment. Nothing was charged; try again in a minute.',
}

const states = {
  accepted: 'accepted',
  refused: 'refused',
  awaiting_payment: 'waiting for payment',
  working: 'at work',
  done: 'done',
  failed: 'failed',
  expired: 'expired',
}

const commands = [
  { usage: '/estimate TEXT', does: 'the price, free' },
  { usage: '/balance', does: 'your prepaid sats' },
  { usage: '/topup 1000', does: 'add to them' },
  { usage: '/withdraw ADDRESS 500', does: 'take them out' },
  { usage: '/why', does: 'your tier and free room' },
  { usage: '/jobs', does: 'your latest jobs' },
  { usage: '/job ID', does: 'one of them' },
  { usage: '/cancel ID', does: 'drop an unpaid one' },
  { usage: '/models', does: 'what can do the work' },
  { usage: '/model NAME TEXT', does: 'choose one' },
  { usage: '/pool', does: 'the generosity pool' },
  { usage: '/donate 500', does: 'add to it' },
  { usage: '/help', does: 'this list' },
]

/** Lines of a list that still fit a phone screen with what stands around them. */
const LIST_LINES = 12

function listed<T>(entries: readonly T[], line: (entry: T) => string): string[] {
  const lines = entries.slice(0, LIST_LINES).map(line)
  const rest = entries.length - lines.length
  return rest > 0 ? [...lines, `and ${rest} more`] : lines
}

/* The seven sentences that matter. Every door and every reply takes them from here. */

const invoice = (r: { chargeSats: number }) => `This costs you ${sats(r.chargeSats)} at most.`

const partialInvoice = (r: { estimatedSats: number; absorbSats: number; chargeSats: number }) =>
  `This costs ${sats(r.estimatedSats)} at most: the pool pays ${sats(r.absorbSats)}, you pay ` +
  `${sats(r.chargeSats)}.`

const free = (r: { absorbSats: number }) =>
  `Free for you: the pool pays up to ${sats(r.absorbSats)}.`

const refund = (r: { refundSats: number; balanceSats: number }) =>
  `${sats(r.refundSats)} came back to you. Your balance is ${sats(r.balanceSats)} and pays for ` +
  'your next jobs.'

function resultFooter(r: ReplyOf<'result'>): string {
  const cost = `Job ${r.jobId} cost ${sats(r.actualSats)}`
  if (r.chargeSats === 0) {
    return r.absorbed_sats > 0 ? `${cost}, paid by the pool.` : `${cost}, you paid nothing.`
  }
  return r.absorbed_sats > 0
    ? `${cost}: the pool paid ${sats(r.absorbed_sats)}, you paid ${sats(r.chargeSats)}.`
    : `${cost}, paid by you.`
}

const refused = (r: { message: string }) => `Sorry, no. ${r.message}`

const expired = (r: { jobId: string }) =>
  `The invoice of job ${r.jobId} was not paid in time, so it is over and nothing was charged. ` +
  'Still want it? Send the text again.'

export const english = {
  invoice,
  partialInvoice,
  free,
  resultFooter,
  refund,
  refused,
  expired,
  commands,

  refusal: (reason: ReasonCode, facts: RefusalFacts = {}) => refusals[reason](facts),

  payBy: (r: ReplyOf<'invoice'>) => `Pay this invoice by ${clockTime(r.expiresAt)}:`,

  fundsInvoice: (r: { purpose: 'topup' | 'donate'; chargeSats: number }) =>
    r.purpose === 'topup'
      ? `${sats(r.chargeSats)} for your balance.`
      : `A gift of ${sats(r.chargeSats)} to the pool. Thank you!`,

  afterInvoice: (r: ReplyOf<'invoice'>) =>
    r.purpose === 'job'
      ? `Job ${r.jobId} starts as soon as it is paid. Not wanted? /cancel ${r.jobId}`
      : 'I will tell you as soon as it has arrived.',

  working(r: ReplyOf<'working'>): string {
    const atWork = `Job ${r.jobId} is at work, the result comes here.`
    if (r.paidFrom === 'pool') return `${free(r)} ${atWork}`
    if (r.paidFrom === 'invoice') return `Paid, thank you. ${atWork}`
    const helped = r.absorbSats > 0 ? `The pool pays ${sats(r.absorbSats)}. ` : ''
    return `${helped}${sats(r.chargeSats)} of your balance are set aside. ${atWork}`
  },

  stillWorking: (r: { jobId: string; seconds: number }) =>
    `Job ${r.jobId} is still at work after ${many(r.seconds, 'second')}. ` +
    'You need not do anything, the result comes here.',

  noResult: 'The result is empty.',

  part: (part: number, parts: number) => `(${part}/${parts})`,

  failed: (r: ReplyOf<'failed'>) =>
    `Job ${r.jobId} failed. ${r.refundSats > 0 ? `${refund(r)} ` : ''}${r.message}`,

  estimate(r: ReplyOf<'estimate'>): string {
    const { serve, absorbSats, chargeSats } = r.identity.free_tier
    const forYou = {
      free: 'it is free',
      partial: 'the pool pays a part',
      gate: 'you pay all',
    }[serve]
    const { input, output } = r.tokenEstimate
    // A flat price has no cap on what comes out, and its tokens explain nothing.
    const tokens = output === 0 ? '' : ` (${input} tokens in, up to ${output} out)`
    return [
      `With ${r.model} this costs ${sats(r.estimatedSats)} at most${tokens}.`,
      `Right now ${forYou}: pool ${sats(absorbSats)}, you ${sats(chargeSats)}.`,
      'Nothing was charged. Send the text by itself to start.',
    ].join('\n')
  },

  job(r: ReplyOf<'job'>): string {
    if (r.state === 'expired' && r.reason === 'cancelled') {
      return `Job ${r.jobId} is cancelled and nothing was charged. Do not pay its invoice any more.`
    }
    const next = {
      accepted: 'Its price comes here.',
      refused: 'Send a new text for a new job.',
      awaiting_payment: `Pay its invoice, or /cancel ${r.jobId}`,
      working: 'The result comes here.',
      done: 'The result was sent here.',
      failed: 'Send the text again to retry.',
      expired: 'Send the text again to retry.',
    }[r.state]
    return [
      `Job ${r.jobId}: ${states[r.state]}`,
      `Asked ${dayAndTime(r.createdAt)}, estimate ${sats(r.estimatedSats)}`,
      `Pool ${sats(r.absorbed_sats)}, you ${sats(r.chargeSats)}, back ${sats(r.refundSats)}`,
      next,
    ].join('\n')
  },

  jobs(r: ReplyOf<'jobs'>): string {
    if (r.jobs.length === 0) return 'You have no jobs yet. Send a text and I name its price.'
    const lines = listed(
      r.jobs,
      (job) => `${job.jobId}: ${states[job.state]}, ${sats(job.chargeSats)}`,
    )
    return [...lines, 'More about one: /job ID'].join('\n')
  },

  balance(r: ReplyOf<'balance'>): string {
    const amount = sats(Math.abs(r.change ?? 0))
    const job = r.jobId ? ` of job ${r.jobId}` : ''
    const why = {
      topup: `${amount} arrived, thank you.`,
      late_payment:
        `Your ${amount} came after the invoice${job} had expired, ` +
        'so they went to your balance.',
      overpaid: `You paid ${amount} more than the invoice${job} asked, they are on your balance.`,
      cancelled_payment: `You paid ${amount} for a cancelled job, so they went to your balance.`,
    }
    const heldSats = r.balanceSats - r.availableSats
    const held = heldSats > 0 ? `, ${sats(heldSats)} of it set aside for what is running` : ''
    return [
      r.reason ? why[r.reason] : '',
      `Your balance is ${sats(r.balanceSats)}${held}.`,
      r.balanceSats > 0
        ? 'It pays for your next jobs. Take it out: /withdraw ADDRESS SATS'
        : 'Add to it and jobs run without an invoice each: /topup 1000',
    ]
      .filter((line) => line !== '')
      .join('\n')
  },

  why(r: ReplyOf<'why'>): string {
    const from = {
      earned: r.tier === 'new' ? 'where everybody begins' : 'earned by paying',
      granted: 'given by the operator',
      list: 'given by a list the operator trusts',
      rank: 'given by a rank the operator trusts',
    }[r.source]
    const { terms } = r
    const first = terms.firstPaidDaysAgo
    const { budgetLeftSats, ratioLeftSats = budgetLeftSats, poolSats, breakerLeftSats } = terms
    // A pause or a ban stands above all of them.
    const isHeld = r.roomSats < Math.min(budgetLeftSats, ratioLeftSats, poolSats, breakerLeftSats)
    const least = isHeld ? '. Otherwise it would be the least of' : ', the least of'
    return [
      `Your tier: ${r.tier}, ${from}.`,
      `Free for you now: ${sats(r.roomSats)}${least}`,
      `- today's budget: ${r.budgetSats} less ${r.absorbedTodaySats} used, ` +
        `${sats(terms.budgetLeftSats)}`,
      ...(terms.ratioLeftSats === undefined
        ? []
        : [`- your share of what you paid: ${sats(terms.ratioLeftSats)}`]),
      `- the pool: ${sats(terms.poolSats)}`,
      `- what may leave it today: ${sats(terms.breakerLeftSats)}`,
      `In 90 days you paid ${sats(terms.netPaidSats)} on ${many(terms.paidDays, 'day')} ` +
        `and got ${sats(terms.grantsSats)} free.`,
      ...(first === undefined ? [] : [`Your first payment was ${many(first, 'day')} ago.`]),
      r.next,
    ].join('\n')
  },

  /** Why a key gets nothing free, whatever its tier. */
  servesNot: {
    banned: NOT_SERVED,
    paused: 'The pool is paused: for now nobody gets free work.',
  },

  nextTier({ next, missingSats, missingPaidDays, missingAgeDays }: NextTierFacts): string {
    if (next === null) return 'There is no higher tier.'
    const steps = [
      missingSats > 0 ? `pay ${sats(missingSats)} more for work` : '',
      missingPaidDays > 0 ? `pay on ${many(missingPaidDays, 'more day')}` : '',
      missingAgeDays > 0 ? `wait ${many(missingAgeDays, 'day')} after your first payment` : '',
    ].filter((step) => step !== '')
    return `To become ${next}: ${steps.length > 0 ? steps.join(', ') : 'ask once more tomorrow'}.`
  },

  pool(r: ReplyOf<'pool'>): string {
    const { dailyBudgets: budgets, today } = r
    return [
      r.donatedSats === undefined ? '' : `Your ${sats(r.donatedSats)} are in the pool. Thank you!`,
      `The pool holds ${sats(r.balanceSats)} and is ${r.state}.`,
      `Free a day: new ${budgets.new}, established ${budgets.established}, ` +
        `trusted ${budgets.trusted}, elite ${budgets.elite} sats`,
      `Today: ${today.free} free, ${today.partial} in part, ${today.paid} paid`,
      `Out ${sats(today.absorbedSats)}, in ${sats(today.creditedSats)}`,
      'Your own part: /why, add to it: /donate 500',
    ]
      .filter((line) => line !== '')
      .join('\n')
  },

  withdrawal(r: ReplyOf<'withdrawal'>): string {
    const fee = r.feeSats === undefined ? '' : ` The fee was ${sats(r.feeSats)}.`
    const balance = `Your balance is ${sats(r.balanceSats)}.`
    return {
      sent: `${sats(r.sats)} are on their way. ${balance} I will tell you when they have arrived.`,
      done: `${sats(r.sats)} have arrived.${fee} ${balance}`,
      failed:
        `The payment of ${sats(r.sats)} failed, so they are back. ${balance} ` +
        'Try again with another invoice.',
      unknown:
        `It is not certain yet whether your ${sats(r.sats)} arrived; they stay set aside. ` +
        `${balance} You need not do anything, I will tell you when it is certain.`,
    }[r.state]
  },

  models(r: ReplyOf<'models'>): string {
    const lines = listed(r.models, (model) =>
      model.satsPerRequest === undefined
        ? `${model.name}: ${model.inputUsdPerMillion} USD in, ${model.outputUsdPerMillion} USD out`
        : `${model.name}: ${sats(model.satsPerRequest)} a request`,
    )
    const unit = r.models.some((model) => model.satsPerRequest === undefined)
      ? ['USD are per million tokens; /estimate TEXT says it in sats.']
      : []
    return [...lines, ...unit, 'Choose one: /model NAME TEXT'].join('\n')
  },

  help: () =>
    [
      'Send me any text: I name a price in sats, you pay, I do the work.',
      ...commands.map(({ usage, does }) => `${usage}: ${does}`),
      'Try it: /estimate What is Lightning?',
    ].join('\n'),

  /** Alerts to operators. Each ends with the command that shows more. */
  alerts: {
    pool_low: (a: { balanceSats: number }) =>
      `The pool is down to ${sats(a.balanceSats)}; free work stops when it is empty. ` +
      'See: tithe pool',
    drift: (a: { driftSats: number }) =>
      `The books are off by ${sats(a.driftSats)}. See: tithe audit`,
    relay_deaf: (a: { relays: number }) =>
      `${many(a.relays, 'relay')} not heard for a while, messages may be late. See: tithe status`,
    payout_unknown: (a: { payouts: number; amountSats: number }) =>
      `${many(a.payouts, 'withdrawal')} (${sats(a.amountSats)}) without a certain end. ` +
      'See: tithe payouts',
    backend_failing: (a: { failures: number }) =>
      `${many(a.failures, 'job')} in a row failed at the backend, customers were refunded. ` +
      'See: tithe jobs',
    lnbits_down: (a: { minutes: number }) =>
      `LNbits has not answered for ${many(a.minutes, 'minute')}: no invoices, no payments seen. ` +
      'See: tithe doctor',
    over: (a: { name: string }) => `Over: ${a.name.replaceAll('_', ' ')}.`,
  },
}

/** What another language has to say. */
export type Texts = typeof english
