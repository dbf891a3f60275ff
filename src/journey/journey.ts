import type { Backend } from '../backends/backend.ts'
import type { Clock } from '../clock.ts'
import { failpoint } from '../failpoint.ts'
import { DELIVERY_SLOTS, EXPIRY_SLOTS, QUOTE_SLOTS } from '../limits.ts'
import type { Log } from '../log.ts'
import type { MoneyRules } from '../money/rules.ts'
import type { PublishOutcome } from '../nostr/relay.ts'
import type { NostrEvent } from '../nostr/types.ts'
import type { Sql } from '../store/database.ts'
import { countUninvoiced, type SeenPayment } from '../store/invoices.ts'
import type { Job, NewJob } from '../store/jobs.ts'
import { jobLane, LANE_CHANNEL, outboxLane } from '../store/lanes.ts'
import type { OutboxRow } from '../store/outbox.ts'
import { createAccept } from './accept.ts'
import { createAnswers } from './answers.ts'
import { createDeliver } from './deliver.ts'
import { createDesk } from './desk.ts'
import { createExpiry } from './expiry.ts'
import { createFunds } from './funds.ts'
import { createGlance } from './glance.ts'
import type { Taken } from './intake.ts'
import { Lane } from './lane.ts'
import { createInvoiceLine } from './invoice-line.ts'
import type { InvoiceMaker, PaymentChecker } from './lightning.ts'
import { createManners } from './manners.ts'
import { type Measures, tell, timedBatcher } from './measured.ts'
import { createLookBudget, type LookBudget } from './look-budget.ts'
import { createPayments } from './payment.ts'
import { buildPayouts, type Payouts } from './payouts.ts'
import type { PricingService } from './prices.ts'
import { createQuote } from './quote.ts'
import { createReceive } from './receive.ts'
import { createSettle } from './settle.ts'
import type { SignedReply } from './signed.ts'
import { createWatch } from './watch.ts'
import { createWork } from './work.ts'

export interface JourneyOptions {
  sql: Sql
  rules: MoneyRules
  prices: PricingService
  backend: Backend
  lightning: InvoiceMaker & PaymentChecker
  /** Absent: withdrawals are off. */
  payouts?: Payouts | undefined
  take(event: NostrEvent, relay: string): Promise<Taken>
  /** What is known of a key's profile by now; not waited for. */
  isBot(pubkey: string): boolean
  /** Wraps and signs a stored reply; the wrap shows `powBits` of proof of work, which some relays want. */
  sign(row: OutboxRow, powBits?: number): Promise<SignedReply>
  /** The same where nothing has to be looked up or waited for; undefined where something has. */
  signAtOnce(row: OutboxRow): Promise<SignedReply | undefined>
  publish(
    event: { id: string; json: string },
    relays: string[],
  ): Promise<Map<string, PublishOutcome>>
  clock: Clock
  log: Log
  /** Uniform in [0, 1), for the jitter of pauses; the machine's own unless given. */
  random?: (() => number) | undefined
  /** This replica. */
  holder: string
  bornAt: number
  invoiceTtlSeconds: number
  paymentPollMs: number
  botName: string
  lanes: { workSlots: number; workLeaseSeconds: number; deliveryLeaseSeconds: number }
  notes: JourneyNotes
  measures?: Measures | undefined
}

/** What the operator's side hears of the journey; it changes nothing. */
export interface JourneyNotes {
  dropped(why: string): void
  requested(event: { door: string; outcome: string }): void
  delivered(event: { outcome: 'delivered' | 'unconfirmed' | 'given_up'; seconds: number }): void
  /** The pool or the day's figures may have changed. */
  moneyMoved(): void
}

export interface Journey {
  start(): void
  /**
   * One event of a relay, from intake to what commits it. Answers whether it is done with for good, and rejects
   * when it could not be stored.
   */
  receive(event: NostrEvent, relay: string): Promise<boolean>
  /** A payment may have come: look. */
  hintPayment(paymentHash?: string): void
  /** LNbits can be heard again: what its node received meanwhile it may not know itself. */
  lnbitsReturned(): void
  /** Lets running work finish within `graceMs`, gives the rest back, and sends what is ready. */
  stop(graceMs: number): Promise<void>
}

/** Puts the steps of the way of a request together: they meet in rows, and here is who wakes whom. */
export function buildJourney(options: JourneyOptions): Journey {
  const { sql, clock, log, notes, take } = options
  const looks = createLookBudget(clock)
  const money = buildMoney(options)
  const lanes = buildLanes(options, {
    ...money,
    looks,
    invoiced: () => watch.wake(),
    hasCompany: () => glance.hasCompany(),
  })
  const watch = createWatch({
    sql,
    clock,
    log,
    looks,
    lightning: options.lightning,
    holder: options.holder,
    pollMs: options.paymentPollMs,
    paid: lanes.paid,
  })
  const listening = sql.listen(LANE_CHANNEL, lanes.wakeTable, lanes.wakeAll)
  const glance = createGlance({
    sql,
    clock,
    log,
    holder: options.holder,
    leaseSeconds: Math.min(options.lanes.workLeaseSeconds, options.lanes.deliveryLeaseSeconds),
    wakes: { ...lanes.bySchedule, invoices: watch },
  })
  const serve = buildDesk(options, money, lanes, watch.wake)
  sql.onLoss(glance.doubt)

  return {
    start() {
      lanes.start()
      watch.start()
      glance.start()
    },
    receive: createReceive({ sql, clock, log, take, serve, dropped: notes.dropped }),
    hintPayment: watch.hint,
    lnbitsReturned: watch.returned,
    async stop(graceMs) {
      await glance.stop()
      await watch.stop()
      await lanes.stop(graceMs)
      await listening.stop()
    },
  }
}

function buildMoney({ sql, rules, lanes, holder, ...options }: JourneyOptions) {
  const workLease = { holder, seconds: lanes.workLeaseSeconds }
  const replyLease = { holder, seconds: lanes.deliveryLeaseSeconds }
  const line = createInvoiceLine({ ...options, countWaiting: () => countUninvoiced(sql) })
  const accept = createAccept({ sql, rules, lease: workLease, replyLease, line })
  const payments = createPayments({ sql, rules, lease: workLease, replyLease })
  return {
    workLease,
    replyLease,
    line,
    accept: timedBatcher('accept', accept, options),
    payments: timedBatcher('payment_noticed', payments, options),
    settle: timedBatcher('settle', createSettle({ sql, rules, lease: replyLease }), options),
    answers: createAnswers({ sql, rules, prices: options.prices, lease: replyLease }),
  }
}

type Money = ReturnType<typeof buildMoney>

function buildLanes(
  options: JourneyOptions,
  steps: Money & { looks: LookBudget; invoiced: () => void; hasCompany: () => boolean },
) {
  const { workLease, replyLease, payments, settle, answers, looks, invoiced } = steps
  const { sql, lightning, clock, log, holder, notes, lanes: sizes, random, measures } = options
  // The glance wakes them; their own looks are for its failure.
  const common = { sql, clock, log, holder, random, measures, idleMs: LANE_IDLE_MS }
  const worker = { ...common, leaseSeconds: workLease.seconds }
  const asksLnbits = { ...worker, fairBy: byCustomer }
  const deliver = (replies: readonly OutboxRow[]) => outbox.take(tell(replies, measures))
  const leased = { lease: replyLease, deliver }
  const quote = new Lane<Job>({
    ...asksLnbits,
    name: 'quote',
    queries: jobLane('accepted'),
    slots: QUOTE_SLOTS,
    step: createQuote({ ...options, ...leased, lightning: steps.line.maker, invoiced }),
  })
  const expiry = new Lane<Job>({
    ...asksLnbits,
    name: 'expiry',
    queries: jobLane('awaiting_payment'),
    slots: EXPIRY_SLOTS,
    step: createExpiry({ sql, lightning, looks, clock, paid, ...leased }),
  })
  const work = new Lane<Job>({
    ...worker,
    name: 'work',
    queries: jobLane('working'),
    slots: sizes.workSlots,
    // Work takes its time: what would wait here may begin elsewhere at once.
    waitingMax: () => (steps.hasCompany() ? 0 : sizes.workSlots),
    step: createWork({ ...options, ...leased, settle, settled: notes.moneyMoved }),
  })
  const outbox = new Lane<OutboxRow>({
    ...common,
    name: 'outbox',
    queries: outboxLane,
    slots: DELIVERY_SLOTS,
    leaseSeconds: replyLease.seconds,
    fairBy: byCustomer,
    step: createDeliver({ ...options, wake: () => outbox.wake(), delivered: notes.delivered }),
  })
  const { moneyMoved } = notes
  const paying = { ...common, lightning, answers, replyLease, deliver, moneyMoved }
  const payouts =
    options.payouts && buildPayouts({ ...paying, ...options.payouts, lease: workLease })
  const jobLanes = [quote, expiry, work]
  const payoutLanes = payouts ? [payouts.lane] : []
  const all = [...jobLanes, ...payoutLanes, outbox]

  /** Books a payment and starts what it paid for. */
  async function paid(payment: SeenPayment): Promise<void> {
    await failpoint('payment:seen')
    const booked = await payments.add(payment)
    await failpoint('payment:committed')
    if (booked.outcome === 'nothing') return
    if (booked.outcome === 'working') work.take([booked.job])
    deliver(booked.replies)
    notes.moneyMoved()
  }

  const bySchedule = { accepted: quote, awaiting_payment: expiry, working: work, outbox }
  return {
    paid,
    deliver,
    withdraw: payouts?.ask,
    bySchedule: payouts ? { ...bySchedule, withdrawals: payouts.lane } : bySchedule,
    start() {
      for (const lane of all) lane.start()
    },
    wakeAll() {
      for (const lane of all) lane.wake()
    },
    wakeTable(table: string) {
      const others = table === 'withdrawals' ? payoutLanes : jobLanes
      for (const lane of table === 'outbox' ? [outbox] : others) lane.wake()
    },
    /** A job that was inserted leased to this process goes on at once. */
    takeJob(job: NewJob) {
      const row = { ...bornJob, ...job, heldSats: job.paidSats + job.reservedSats }
      ;(job.state === 'working' ? work : quote).take([row])
      if (job.state === 'accepted') steps.line.joined()
      if (job.reservedSats > 0) notes.moneyMoved()
    },
    /** Work and quotes first, so that the replies they end with still go out. */
    async stop(graceMs: number) {
      await Promise.all([...jobLanes, ...payoutLanes].map((lane) => lane.stop(graceMs)))
      await outbox.stop(graceMs)
    },
  }
}

/** LNbits makes customers wait, and a relay that never answers holds a slot: whoever asks for more waits longer. */
const byCustomer = ({ customer }: { customer: string }): string => customer

/** Longest time that a lane goes without looking by itself, should the glance fail. */
const LANE_IDLE_MS = 300_000

/** What a fresh job row holds beside what its insert gave. */
const bornJob = {
  reason: null,
  freeTier: false,
  actualSats: null,
  absorbedSats: 0,
  refundSats: 0,
  shortfallSats: 0,
  createdAt: 0,
  startedAt: null,
  epoch: 1,
  tries: 1,
}

function buildDesk(
  options: JourneyOptions,
  { accept, answers, replyLease, line }: Money,
  lanes: ReturnType<typeof buildLanes>,
  invoiced: () => void,
) {
  return createDesk({
    ...options,
    accept,
    answers,
    manners: createManners(),
    funds: createFunds({
      ...options,
      answers,
      line,
      lightning: line.maker,
      withdraw: lanes.withdraw,
      lease: replyLease,
      invoiced,
    }),
    takeJob: lanes.takeJob,
    deliver: lanes.deliver,
    counted: options.notes.requested,
  })
}
