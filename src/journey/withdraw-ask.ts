import { unixSeconds, type Clock } from '../clock.ts'
import type { ReplyOf } from '../doors/protocol.ts'
import { refusal } from '../doors/replies.ts'
import type { Command } from '../doors/requests.ts'
import { failpoint } from '../failpoint.ts'
import { bareBolt11, decodeBolt11 } from '../lightning/bolt11.ts'
import type { LightningAddressAnswer } from '../lightning/lnurl.ts'
import {
  INVOICE_SATS,
  OPEN_WITHDRAWALS_PER_CUSTOMER,
  WITHDRAWAL_BOLT11_CHARS,
  WITHDRAWAL_LIFE_SECONDS,
  WITHDRAWALS_PER_DAY,
} from '../limits.ts'
import { feeReserveSats, largestWithdrawalSats } from '../money/withdrawal.ts'
import { readBalances } from '../store/customers.ts'
import { constraintOf, inTransaction, type Sql, type Tx } from '../store/database.ts'
import { type ReplyTo, takeIn } from '../store/inbox.ts'
import type { Lease } from '../store/lease.ts'
import { customerAccount, lockPool, post, withdrawalAccount } from '../store/ledger.ts'
import { putReplies } from '../store/outbox.ts'
import {
  insertWithdrawal,
  readWithdrawalFacts,
  takeWithdrawalId,
  type Withdrawal,
  type WithdrawalFacts,
} from '../store/withdrawals.ts'
import { withdrawalReply } from '../store/withdrawal-end.ts'
import type { Answered, Answers } from './answers.ts'
import type { Payer, PaymentChecker } from './lightning.ts'
import type { Incoming } from './request.ts'

export interface WithdrawAskOptions {
  sql: Sql
  answers: Answers
  payer: Pick<Payer, 'feeReserveSats'>
  lightning: Pick<PaymentChecker, 'lookupIncoming'>
  /** Turns a lightning address into one invoice. Never throws. */
  resolve(asked: { address: string; amountSats: number }): Promise<LightningAddressAnswer>
  satsMin: number
  /** Most that one customer may take out in a UTC day. */
  dailySatsMax: number
  /** Most that all customers together may take out in a UTC day. */
  dailyTotalSatsMax: number
  lease: Lease
  replyLease: Lease
  clock: Clock
  /** A withdrawal that is held and leased to this process. */
  held(row: Withdrawal): void
}

type Refused = ReplyOf<'refused'>

/** An invoice that may be paid as far as it alone can tell. */
interface Payable {
  bolt11: string
  paymentHash: string
  amountSats: number
  reserveSats: number
  /** Unix seconds. */
  expiresAt: number
}

/**
 * Takes a request to pay out. Everything that can be said no to is said no to here, before anything
 * is held: the destination becomes one invoice (an address is asked once, and what it gave is what
 * is paid), and the hold with that invoice is committed before LNbits hears of it. The destination
 * comes from the customer's own verified message and cannot be changed afterwards.
 */
export function createWithdrawAsk(options: WithdrawAskOptions) {
  const { sql, answers } = options

  return async function ask(
    incoming: Incoming,
    command: Extract<Command, { name: 'withdraw' }>,
  ): Promise<Answered> {
    const payable = await payableOf(options, incoming.to, command)
    if (payable === 'twin') return answers.reply.add({ incoming })
    if ('reason' in payable) return answers.reply.add({ incoming, reply: payable })
    try {
      const { held, ...answered } = await inTransaction(sql, (tx) =>
        hold(tx, incoming, payable, options),
      )
      await failpoint('withdraw:held')
      if (held) options.held(held)
      return answered
    } catch (error) {
      // Two messages with one invoice at the same instant: the other was faster.
      if (constraintOf(error) !== 'withdrawals_hash') throw error
      return answers.reply.add({ incoming, reply: refusal('own_invoice') })
    }
  }
}

async function payableOf(
  options: WithdrawAskOptions,
  from: ReplyTo,
  { to, sats }: { to: string; sats?: number },
): Promise<Payable | Refused | 'twin'> {
  const invoice = to.includes('@')
    ? await fromAddress(options, from.customer, { address: to, sats })
    : fromInvoice(options, bareBolt11(to), sats)
  if ('reason' in invoice) return invoice
  const { bolt11, paymentHash, amountSats } = invoice
  // What our own books refuse must not cost LNbits a question; they are asked again under the lock.
  const facts = await readWithdrawalFacts(options.sql, { to: from, paymentHash, amountSats })
  if (facts.isTwin) return 'twin'
  const atLeast = { ...invoice, reserveSats: feeReserveSats(amountSats) }
  const refused = refuseHold(atLeast, facts, options)
  if (refused) return refused
  // An invoice of ours whose row was lost, or a copy of it with another amount, is found only there.
  const own = await options.lightning.lookupIncoming(paymentHash, amountSats, 'background')
  if (own.state === 'unreachable') {
    return refusal(own.reason === 'foreign' ? 'own_invoice' : 'busy')
  }
  if (own.state !== 'absent') return refusal('own_invoice')
  const askedSats = await options.payer.feeReserveSats(bolt11)
  return { ...invoice, reserveSats: Math.max(feeReserveSats(amountSats), askedSats) }
}

/** Strict: one hash, whole sats, our network, a life that outlasts the payment, the agreed amount. */
function fromInvoice(
  { clock, satsMin }: Pick<WithdrawAskOptions, 'clock' | 'satsMin'>,
  text: string,
  sats: number | undefined,
): Omit<Payable, 'reserveSats'> | Refused {
  if (text.length > WITHDRAWAL_BOLT11_CHARS) return refusal('invalid_destination')
  const decoded = decodeBolt11(text)
  if (!decoded.ok) return refusal('invalid_destination')
  const { text: bolt11, paymentHash, amountSats, expiresAt } = decoded.invoice
  if (expiresAt < unixSeconds(clock) + WITHDRAWAL_LIFE_SECONDS) {
    return refusal('invalid_destination')
  }
  if (sats !== undefined && sats !== amountSats) {
    return refusal('amount_out_of_range', { limitMin: amountSats, limit: amountSats })
  }
  return refuseAmount(amountSats, satsMin) ?? { bolt11, paymentHash, amountSats, expiresAt }
}

async function fromAddress(
  options: WithdrawAskOptions,
  customer: string,
  { address, sats }: { address: string; sats: number | undefined },
): Promise<Omit<Payable, 'reserveSats'> | Refused> {
  // What cannot be paid anyhow must not make us call on a stranger's server.
  const balances = await readBalances(options.sql, [customer])
  const availableSats = balances.get(customer)?.availableSats ?? 0
  const amountSats = sats ?? Math.min(INVOICE_SATS, largestWithdrawalSats(availableSats))
  if (sats === undefined && amountSats < options.satsMin) {
    return refusal('insufficient_balance', { limit: availableSats })
  }
  const wrong = refuseAmount(amountSats, options.satsMin)
  if (wrong) return wrong
  if (amountSats + feeReserveSats(amountSats) > availableSats) {
    return refusal('insufficient_balance', { limit: largestWithdrawalSats(availableSats) })
  }
  const answer = await options.resolve({ address, amountSats })
  if (answer.ok) return fromInvoice(options, answer.bolt11, amountSats)
  if (answer.reason !== 'out-of-range') return refusal('invalid_destination')
  return refusal('amount_out_of_range', { limitMin: answer.minSats, limit: answer.maxSats })
}

function refuseAmount(amountSats: number, satsMin: number): Refused | undefined {
  if (amountSats >= satsMin && amountSats <= INVOICE_SATS) return undefined
  return refusal('amount_out_of_range', { limitMin: satsMin, limit: INVOICE_SATS })
}

/** The message, the hold with its invoice, and the reply, or the message and its refusal. */
async function hold(
  tx: Tx,
  { message, to }: Incoming,
  payable: Payable,
  options: WithdrawAskOptions,
): Promise<Answered & { held?: Withdrawal }> {
  await lockPool(tx)
  const { customer } = to
  const [fresh, facts, balances] = await Promise.all([
    takeIn(tx, [message]),
    readWithdrawalFacts(tx, { ...payable, to }),
    readBalances(tx, [customer]),
  ])
  if (fresh.size === 0) return { fresh: false, replies: [] }
  if (facts.isTwin) return { fresh: true, replies: [] }
  const refused = refuseHold(payable, facts, options)
  if (refused) {
    const row = { to, jobId: null, step: 'refused', reply: refused }
    return { fresh: true, replies: await putReplies(tx, [row], options.replyLease) }
  }
  const { amountSats, reserveSats } = payable
  const heldSats = amountSats + reserveSats
  const balanceSats = (balances.get(customer)?.balanceSats ?? 0) - heldSats
  const id = await takeWithdrawalId(tx)
  const account = withdrawalAccount(id)
  const [held, , replies] = await Promise.all([
    insertWithdrawal(tx, { ...payable, id, to }, options.lease),
    post(
      tx,
      [
        {
          kind: 'withdraw_hold',
          debit: customerAccount(customer),
          credit: account,
          sats: heldSats,
          ref: account,
          day: facts.day,
        },
      ],
      new Set([account]),
    ),
    putReplies(
      tx,
      [withdrawalReply({ ...to, amountSats }, balanceSats, { state: 'sent' })],
      options.replyLease,
    ),
  ])
  await failpoint('withdraw:before-hold')
  return { fresh: true, replies, held }
}

function refuseHold(
  { amountSats, reserveSats }: Payable,
  facts: WithdrawalFacts,
  { dailySatsMax, dailyTotalSatsMax }: WithdrawAskOptions,
): Refused | undefined {
  if (dailySatsMax === 0 || dailyTotalSatsMax === 0) return refusal('withdrawals_off')
  if (facts.stopped) return refusal('paused')
  if (facts.knownHash) return refusal('own_invoice')
  if (facts.openCount >= OPEN_WITHDRAWALS_PER_CUSTOMER) {
    return refusal('rate_limited', { limit: OPEN_WITHDRAWALS_PER_CUSTOMER })
  }
  if (facts.todayCount >= WITHDRAWALS_PER_DAY) {
    return refusal('rate_limited', { limit: WITHDRAWALS_PER_DAY })
  }
  const leftSats = Math.max(0, dailySatsMax - facts.todaySats)
  if (amountSats > leftSats) {
    return refusal('amount_out_of_range', { limit: leftSats, day: 'own' })
  }
  if (amountSats + reserveSats > facts.availableSats) {
    return refusal('insufficient_balance', {
      limit: Math.max(0, facts.availableSats - reserveSats),
    })
  }
  const leftOfAllSats = Math.max(0, dailyTotalSatsMax - facts.todaySatsOfAll)
  if (amountSats > leftOfAllSats) {
    return refusal('amount_out_of_range', { limit: leftOfAllSats, day: 'all' })
  }
  return undefined
}
