import { failpoint } from '../failpoint.ts'
import type { OutgoingState } from '../lightning/lnbits-types.ts'
import type { Log } from '../log.ts'
import { readBalances } from '../store/customers.ts'
import { inTransaction, type Sql } from '../store/database.ts'
import type { Lease } from '../store/lease.ts'
import { lockPool } from '../store/ledger.ts'
import { type OutboxRow, putReplies } from '../store/outbox.ts'
import { endWithdrawal, type WithdrawalEnding, withdrawalReply } from '../store/withdrawal-end.ts'
import { askAgain, park, type Withdrawal } from '../store/withdrawals.ts'
import { LeaseLost } from './lane.ts'

export interface OutcomeOptions {
  sql: Sql
  log: Log
  replyLease: Lease
  deliver(replies: readonly OutboxRow[]): void
  moneyMoved(): void
  wake(): void
}

/** What becomes of a withdrawal by LNbits' word on it. Each throws `LeaseLost` when it is not ours. */
export interface Outcomes {
  conclude(row: Withdrawal, asked: OutgoingState): Promise<void>
  end(row: Withdrawal, ending: WithdrawalEnding): Promise<void>
  again(row: Withdrawal, afterMs: number, note: string): Promise<void>
}

/**
 * After it no POST of ours can arrive: the time in which it must begin, the minute after which it is
 * cut off, and slack. Before it, "no such payment" says nothing.
 */
export const ABSENT_AFTER_SECONDS = 90
const ABSENT_APART_MS = 60_000
const UNREACHABLE_MS = 15_000
const CONFIRM_MS = 180_000
const PARKED_MS = 3_600_000
const PARK_AFTER_EXPIRY_SECONDS = 86_400
/** A payment can be held by its payee for two weeks of blocks, whatever the invoice says. */
const PARK_AFTER_SENT_SECONDS = 15 * 86_400
const PENDING_MS_MIN = 2_000
const PENDING_MS_MAX = 600_000

export function createOutcomes(options: OutcomeOptions): Outcomes {
  const { sql, log, replyLease } = options
  return { conclude, end, again }

  async function conclude(row: Withdrawal, asked: OutgoingState): Promise<void> {
    switch (asked.state) {
      case 'success':
        return end(row, { ...asked, state: 'done' })
      case 'failed':
        return end(row, { state: 'failed', reason: 'failed' })
      case 'absent':
        return absent(row)
      case 'pending':
        return wait(row, pauseMs(row), 'pending')
      case 'failed-unconfirmed':
        return wait(row, CONFIRM_MS, 'failed, and the node does not say so')
      case 'unreachable':
        return wait(row, Math.max(UNREACHABLE_MS, pauseMs(row)), `no word: ${asked.reason}`)
    }
  }

  /** LNbits has no such payment: believed when the POST is surely over, and twice. */
  async function absent(row: Withdrawal): Promise<void> {
    const leftSeconds = ABSENT_AFTER_SECONDS - (row.sentSecondsAgo ?? 0)
    if (leftSeconds > 0) return again(row, leftSeconds * 1000, 'absent, perhaps not yet there')
    if (row.absentCount > 0) return end(row, { state: 'failed', reason: 'absent' })
    await again(row, ABSENT_APART_MS, 'absent', true)
  }

  /** No end yet. Past every time in which one may come it is the operator's to end. */
  async function wait(row: Withdrawal, afterMs: number, note: string): Promise<void> {
    const overdue =
      row.expiresInSeconds < -PARK_AFTER_EXPIRY_SECONDS ||
      (row.sentSecondsAgo ?? 0) > PARK_AFTER_SENT_SECONDS
    if (!overdue) return again(row, afterMs, note)
    if (row.state === 'unknown') return again(row, PARKED_MS, note)
    const replies = await inTransaction(sql, async (tx) => {
      await lockPool(tx)
      if (!(await park(tx, row, { afterMs: PARKED_MS, note }))) return undefined
      const balances = await readBalances(tx, [row.customer])
      const balanceSats = (balances.get(row.customer)?.balanceSats ?? 0) - row.heldSats
      return putReplies(tx, [withdrawalReply(row, balanceSats, { state: 'unknown' })], replyLease)
    })
    if (!replies) throw new LeaseLost()
    const { id: withdrawalId, amountSats } = row
    log.error({ withdrawalId, amountSats }, 'a withdrawal has no certain end; see: tithe payouts')
    options.deliver(replies)
  }

  async function end(row: Withdrawal, ending: WithdrawalEnding): Promise<void> {
    const replies = await inTransaction(sql, (tx) => endWithdrawal(tx, row, ending, replyLease))
    await failpoint('withdraw:terminal')
    if (!replies) throw new LeaseLost()
    const { id: withdrawalId, amountSats, reserveSats } = row
    log.info({ withdrawalId, amountSats, ...ending }, 'a withdrawal has ended')
    if (ending.state === 'done' && ending.feeSats > reserveSats) {
      log.warn(
        { withdrawalId, reserveSats, feeSats: ending.feeSats },
        'a routing fee was above its reserve; the operator pays the rest',
      )
    }
    options.deliver(replies)
    options.moneyMoved()
  }

  async function again(row: Withdrawal, afterMs: number, note: string, absent = false) {
    if (!(await askAgain(sql, row, { afterMs, note, absent }))) throw new LeaseLost()
    options.wake()
  }
}

/** A quarter of its age so far: soon at first, every ten minutes after the first hour. */
const pauseMs = ({ sentSecondsAgo }: Withdrawal): number =>
  Math.min(PENDING_MS_MAX, Math.max(PENDING_MS_MIN, (sentSecondsAgo ?? 0) * 250))
