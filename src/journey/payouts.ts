import type { Clock } from '../clock.ts'
import { WITHDRAWAL_SLOTS } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Sql } from '../store/database.ts'
import { withdrawalLane } from '../store/lanes.ts'
import type { Lease } from '../store/lease.ts'
import type { OutboxRow } from '../store/outbox.ts'
import type { Withdrawal } from '../store/withdrawals.ts'
import type { Answers } from './answers.ts'
import type { FundsOptions } from './funds.ts'
import { Lane } from './lane.ts'
import type { Payer, PaymentChecker } from './lightning.ts'
import { createWithdraw } from './withdraw.ts'
import { createWithdrawAsk, type WithdrawAskOptions } from './withdraw-ask.ts'

/** What pays withdrawals out, and within which bounds. Without it withdrawals are off. */
export interface Payouts
  extends Pick<WithdrawAskOptions, 'resolve' | 'satsMin' | 'dailySatsMax' | 'dailyTotalSatsMax'> {
  /** The one part that knows the admin key. */
  payer: Payer
}

export interface PayoutsOptions extends Payouts {
  sql: Sql
  lightning: Pick<PaymentChecker, 'lookupIncoming'>
  answers: Answers
  clock: Clock
  log: Log
  /** This replica. */
  holder: string
  /** For the jitter of pauses. */
  random?: (() => number) | undefined
  /** Longest time that the lane goes without looking. */
  idleMs: number
  lease: Lease
  replyLease: Lease
  deliver(replies: readonly OutboxRow[]): void
  moneyMoved(): void
}

/** The two halves of a withdrawal: what takes the request, and the lane that pays. */
export function buildPayouts(options: PayoutsOptions): {
  lane: Lane<Withdrawal>
  ask: NonNullable<FundsOptions['withdraw']>
} {
  const { sql, clock, log, holder, random, idleMs, lease } = options
  const lane: Lane<Withdrawal> = new Lane({
    sql,
    clock,
    log,
    holder,
    random,
    idleMs,
    name: 'withdraw',
    leaseSeconds: lease.seconds,
    queries: withdrawalLane,
    slots: WITHDRAWAL_SLOTS,
    fairBy: (row) => row.customer,
    step: createWithdraw({ ...options, wake: () => lane.wake() }),
  })
  const ask = createWithdrawAsk({ ...options, held: (row) => lane.take([row]) })
  return { lane, ask }
}
