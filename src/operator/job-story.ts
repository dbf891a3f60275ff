import { grouped, inSats } from '../command.ts'
import type {
  JobInvoice,
  JobPublication,
  JobReply,
  JobTimes,
  JobTransfer,
  ListedJob,
} from '../store/job-list.ts'
import { hostOf, instant } from './screen.ts'

export interface JobFacts {
  job: ListedJob
  times: JobTimes
  invoice: JobInvoice | undefined
  transfers: JobTransfer[]
  replies: JobReply[]
  publications: JobPublication[]
}

/** One thing that happened to a job. */
export interface Moment {
  /** Unix milliseconds; null for what has no time of its own. */
  at: number | null
  kind: 'state' | 'invoice' | 'transfer' | 'reply' | 'relay' | 'now'
  what: string
}

/**
 * What happened to a job in the order it did, as far as rows keep it: a state that was passed is known by what
 * it left, its invoice, its payment or its end.
 */
export function storyOf(facts: JobFacts): Moment[] {
  const moments = [
    ...states(facts),
    ...invoiceMoments(facts.invoice),
    ...facts.transfers.map(transferMoment),
    ...facts.replies.flatMap((reply) => replyMoments(reply, facts.publications)),
  ]
  // Sorting is stable: what one transaction wrote stays in the order of cause and effect.
  moments.sort((a, b) => (a.at ?? 0) - (b.at ?? 0))
  return [...moments, ...nowMoments(facts)]
}

function states({ job, times, invoice, transfers }: JobFacts): Moment[] {
  const state = (at: number | null, what: string): Moment[] =>
    at === null ? [] : [{ at, kind: 'state', what }]
  const paidAt = transfers.find(({ kind }) => kind === 'payment')?.at ?? null
  const atOnce = job.paidFrom === 'pool' || job.paidFrom === 'balance'
  const why = job.reason === null ? '' : ` (${job.reason})`
  return [
    ...state(times.createdAt, `accepted: ${job.serve} for tier ${job.tier}`),
    ...state(atOnce ? times.createdAt : null, `working, paid from the ${job.paidFrom}`),
    ...state(invoice?.createdAt ?? null, 'awaiting_payment'),
    ...state(paidAt, 'working, the invoice is paid'),
    ...state(times.startedAt, 'handed to a backend that must not run twice'),
    ...state(times.finishedAt, `${job.state}${why}`),
  ]
}

function invoiceMoments(invoice: JobInvoice | undefined): Moment[] {
  if (!invoice) return []
  const { paymentHash, amountSats, feeSats, createdAt, expiresAt, paidAt, state } = invoice
  const until = instant(Math.floor(expiresAt / 1000))
  const kind = 'invoice'
  const made = `invoice of ${inSats(amountSats)} until ${until}, hash ${paymentHash}`
  return [
    { at: createdAt, kind, what: made },
    ...(paidAt === null
      ? [{ at: expiresAt, kind, what: `invoice ends, ${state}` } as const]
      : [{ at: paidAt, kind, what: `invoice paid, fee ${inSats(feeSats)}` } as const]),
  ]
}

function transferMoment({ kind, debit, credit, sats, at }: JobTransfer): Moment {
  const short = (account: string) => account.replace(/^(customer):(.{8}).*$/, '$1:$2…')
  const what = `${kind}: ${grouped(sats)} from ${short(debit)} to ${short(credit)}`
  return { at, kind: 'transfer', what }
}

function replyMoments(reply: JobReply, publications: readonly JobPublication[]): Moment[] {
  const own = publications.filter(({ outboxId }) => outboxId === reply.id)
  const several = own.some(({ part }) => part > 0)
  return [
    { at: reply.createdAt, kind: 'reply', what: `reply ${reply.step} in the outbox` },
    ...own.flatMap(({ relay, part, acknowledgedAt, refusedAt, lastError }): Moment[] => {
      const name = `${reply.step}${several ? ` part ${part + 1}` : ''} at ${hostOf(relay)}`
      if (acknowledgedAt !== null) {
        return [{ at: acknowledgedAt, kind: 'relay', what: `acknowledged: ${name}` }]
      }
      const error = lastError === null ? '' : `: ${lastError}`
      return refusedAt === null
        ? []
        : [{ at: refusedAt, kind: 'relay', what: `refused: ${name}${error}` }]
    }),
    ...(reply.deliveredAt === null
      ? []
      : [{ at: reply.deliveredAt, kind: 'reply', what: `reply ${reply.step} delivered` } as const]),
  ]
}

/** What is so now and has no time: who holds it, what failed last, what no relay has taken yet. */
function nowMoments({ job, times, replies, publications }: JobFacts): Moment[] {
  const now = (what: string): Moment => ({ at: null, kind: 'now', what })
  const due = times.dueAt === null ? '' : `, due ${instant(Math.floor(times.dueAt / 1000))}`
  const open = publications.filter((p) => p.acknowledgedAt === null && p.refusedAt === null)
  return [
    ...(job.finishedAt === null
      ? [now(`held by ${times.lease ?? 'nobody'}, try ${job.tries}${due}`)]
      : []),
    ...(job.lastError === null ? [] : [now(`last failure: ${job.lastError}`)]),
    ...replies
      .filter(({ deliveredAt }) => deliveredAt === null)
      .map(({ step, isOver, tries, lastError }) =>
        now(
          `reply ${step} ${isOver ? 'given up' : 'not delivered yet'} after ${tries} tries` +
            `${lastError === null ? '' : `: ${lastError}`}`,
        ),
      ),
    ...open.map(({ relay, outboxId, lastError }) => {
      const step = replies.find(({ id }) => id === outboxId)?.step ?? 'reply'
      const error = lastError === null ? '' : `: ${lastError}`
      return now(`no answer yet: ${step} at ${hostOf(relay)}${error}`)
    }),
  ]
}
