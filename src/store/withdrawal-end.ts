import { failpoint } from '../failpoint.ts'
import { settleWithdrawal } from '../money/withdrawal.ts'
import { readBalances } from './customers.ts'
import type { Tx } from './database.ts'
import type { ReplyTo } from './inbox.ts'
import type { Lease } from './lease.ts'
import { customerAccount, lockPool, post, type Transfer, withdrawalAccount } from './ledger.ts'
import { type NewReply, type OutboxRow, putReplies } from './outbox.ts'
import { addDust, withOwnSats } from './solvency.ts'
import { finishWithdrawal, type Withdrawal } from './withdrawals.ts'

/** How a withdrawal ends. */
export type WithdrawalEnding =
  /** The payment has arrived. */
  | { state: 'done'; feeSats: number; dustMsat?: number; reason?: string }
  /** Nothing was paid and nothing will be. */
  | { state: 'failed'; reason: string }

/**
 * Ends a withdrawal in the caller's transaction: last state, ledger and reply together. Its hold is
 * emptied to the last sat. Undefined when somebody else has ended it or taken it over.
 */
export async function endWithdrawal(
  tx: Tx,
  row: Withdrawal,
  ending: WithdrawalEnding,
  lease: Lease,
): Promise<OutboxRow[] | undefined> {
  await lockPool(tx)
  const done = ending.state === 'done'
  const day = await finishWithdrawal(tx, row, {
    state: ending.state,
    reason: ending.reason ?? null,
    feeSats: done ? ending.feeSats : null,
  })
  if (day === undefined) return undefined
  const own = new Set([withdrawalAccount(row.id)])
  const transfers = await withOwnSats(tx, transfersOf(row, ending, day))
  await Promise.all([
    post(tx, transfers, own),
    done ? addDust(tx, ending.dustMsat ?? 0) : undefined,
  ])
  const balances = await readBalances(tx, [row.customer])
  const balanceSats = balances.get(row.customer)?.balanceSats ?? 0
  const reply = withdrawalReply(row, balanceSats, ending)
  const replies = await putReplies(tx, [reply], lease)
  await failpoint('withdraw:before-terminal')
  return replies
}

function transfersOf(row: Withdrawal, ending: WithdrawalEnding, day: string): Transfer[] {
  const account = withdrawalAccount(row.id)
  const cause = { ref: account, day }
  const back = { ...cause, kind: 'withdraw_returned', debit: account } as const
  const customer = customerAccount(row.customer)
  if (ending.state === 'failed') return [{ ...back, credit: customer, sats: row.heldSats }]
  const { returnedSats, heldFeeSats, operatorFeeSats } = settleWithdrawal({
    ...row,
    feeSats: ending.feeSats,
  })
  const out = { ...cause, debit: account, credit: 'lightning' }
  const above = { ...out, debit: 'operator', ref: `${account}:above` }
  return [
    { ...out, kind: 'withdrawn', sats: row.amountSats },
    { ...out, kind: 'withdraw_fee', sats: heldFeeSats },
    { ...above, kind: 'withdraw_fee', sats: operatorFeeSats },
    { ...back, credit: customer, sats: returnedSats },
  ]
}

/** The reply of each step. `balanceSats` is the balance afterwards, without what is on its way. */
export function withdrawalReply(
  row: ReplyTo & Pick<Withdrawal, 'amountSats'>,
  balanceSats: number,
  { state, ...end }: { state: 'sent' | 'unknown' } | WithdrawalEnding,
): NewReply {
  const fee = 'feeSats' in end ? { feeSats: end.feeSats } : {}
  return {
    to: row,
    jobId: null,
    step: `withdrawal_${state}`,
    reply: { type: 'withdrawal', state, sats: row.amountSats, ...fee, balanceSats },
  }
}
