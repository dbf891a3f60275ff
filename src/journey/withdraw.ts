import type { Clock } from '../clock.ts'
import { failpoint } from '../failpoint.ts'
import type { OutgoingState } from '../lightning/lnbits-types.ts'
import type { Log } from '../log.ts'
import { inTransaction, type Sql } from '../store/database.ts'
import type { Lease } from '../store/lease.ts'
import type { OutboxRow } from '../store/outbox.ts'
import { isLightningStopped } from '../store/solvency.ts'
import { leaveTurn, takeTurn } from '../store/turns.ts'
import { markSent, markUnsent, type Withdrawal } from '../store/withdrawals.ts'
import { LeaseLost } from './lane.ts'
import type { Payer } from './lightning.ts'
import { ABSENT_AFTER_SECONDS, createOutcomes } from './withdraw-outcome.ts'

export interface WithdrawOptions {
  sql: Sql
  payer: Payer
  clock: Clock
  log: Log
  holder: string
  replyLease: Lease
  deliver(replies: readonly OutboxRow[]): void
  moneyMoved(): void
  /** Wakes the lane, which must hear of questions that this process put off. */
  wake(): void
}

const TURN = 'payout'
/** A replica that dies with the turn keeps the others waiting this long; one that lives keeps the turn. */
const TURN_SECONDS = 30
const TURN_RENEWAL_MS = 10_000
const TURN_PAUSE_MS = 500
/** Not sent any more when the invoice has less life than a slow LNbits takes. */
const LAST_SEND_SECONDS = 15
/** Longest time between the commit of `sent` and the POST; `ABSENT_AFTER_SECONDS` counts on it. */
const SEND_WITHIN_MS = 15_000
/** What `pay` calls a refusal without having reached LNbits: a new try is safe. */
const NOT_SENT = new Set(['unreachable', 'rate-limited'])
const UNSENT_MS = 5_000
const STOPPED_MS = 15_000

/**
 * The step of withdrawals: a saga around the one call that cannot be taken back.
 *
 * - `held` is committed with its invoice before (by `withdraw-ask.ts`); until it is `sent` nothing
 *   was asked of LNbits, so it can be released at any time.
 * - `sent` is committed right before the POST. From there on the money may be gone, whatever the
 *   answer is or whether there is one: only LNbits' terminal word, asked for by hash, ends it.
 * - A "failed" is asked about once more by a second POST of the same invoice, which cannot pay while
 *   LNbits has a row for it. A "no such payment" counts when the POST is surely over, twice, a minute
 *   apart. "Pending" is asked about for weeks.
 * - What has no end a day after its invoice expired is parked for the operator. The hold stays.
 *
 * No invoice is ever replaced by another one: a new payout is a new withdrawal.
 */
export function createWithdraw(options: WithdrawOptions) {
  const { sql, payer, clock, log } = options
  const outcomes = createOutcomes(options)
  const inTurn = createTurns(options, (row) =>
    outcomes.again(row, TURN_PAUSE_MS, 'another payment goes first'),
  )

  return async function withdraw(row: Withdrawal, signal: AbortSignal): Promise<void> {
    if (row.state === 'held') return send(row, signal)
    const asked = await payer.lookupOutgoing(row.paymentHash, row.amountSats)
    if (asked.state !== 'failed-unconfirmed') return outcomes.conclude(row, asked)
    return inTurn(row, () => confirm(row))
  }

  async function send(row: Withdrawal, signal: AbortSignal): Promise<void> {
    if (row.expiresInSeconds < LAST_SEND_SECONDS) {
      return outcomes.end(row, { state: 'failed', reason: 'expired' })
    }
    if (await isLightningStopped(sql)) {
      return outcomes.again(row, STOPPED_MS, 'payouts are stopped')
    }
    await inTurn(row, async () => {
      const beganAt = clock.now()
      const sent = await inTransaction(sql, async (tx) => {
        const marked = await markSent(tx, row)
        await failpoint('withdraw:before-sent')
        return marked
      })
      if (!sent) throw new LeaseLost()
      await failpoint('withdraw:sent')
      // A process that was asleep here may wake up when others have long given the hold back. Of a clock that
      // was set back meanwhile nobody knows how long that was.
      const tookMs = clock.now() - beganAt
      if (signal.aborted || tookMs < 0 || tookMs > SEND_WITHIN_MS) {
        return outcomes.again(sent, ABSENT_AFTER_SECONDS * 1000, 'woke up too late to pay')
      }
      await pay(sent)
    })
  }

  async function pay(row: Withdrawal): Promise<void> {
    const answer = await payer.pay(row.bolt11, row.paymentHash)
    await failpoint('withdraw:paid')
    if (answer.state === 'failed-unconfirmed') return confirm(row)
    if (answer.state !== 'absent') return outcomes.conclude(row, answer)
    if (!NOT_SENT.has(answer.refusal)) {
      log.warn({ withdrawalId: row.id, refusal: answer.refusal }, 'LNbits refused a withdrawal')
      return outcomes.end(row, { state: 'failed', reason: 'refused' })
    }
    const error = `not sent: ${answer.refusal}`
    if (!(await markUnsent(sql, row, { afterMs: UNSENT_MS, error }))) throw new LeaseLost()
    options.wake()
  }

  async function confirm(row: Withdrawal): Promise<void> {
    const confirmed: OutgoingState = await payer.confirmFailed(row.bolt11, row.paymentHash)
    await failpoint('withdraw:paid')
    await outcomes.conclude(row, confirmed)
  }
}

/** One call that may make the node pay at a time, over all replicas: it stalls a whole LNbits. */
function createTurns(
  { sql, holder, clock }: Pick<WithdrawOptions, 'sql' | 'holder' | 'clock'>,
  later: (row: Withdrawal) => Promise<void>,
) {
  let paying = false

  async function keepTurn(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      await clock.sleep(TURN_RENEWAL_MS, until)
      // A turn that is lost costs a stalled LNbits, not a sat.
      if (!until.aborted) await takeTurn(sql, TURN, holder, TURN_SECONDS).catch(() => false)
    }
  }

  return async (row: Withdrawal, act: () => Promise<void>): Promise<void> => {
    if (paying) return later(row)
    paying = true
    try {
      if (!(await takeTurn(sql, TURN, holder, TURN_SECONDS))) return await later(row)
      const over = new AbortController()
      const keeping = keepTurn(over.signal)
      try {
        await act()
      } finally {
        over.abort()
        await keeping
        await leaveTurn(sql, TURN, holder)
      }
    } finally {
      paying = false
    }
  }
}
