import type { Tx } from './database.ts'

/*
 * Double entry. A transfer moves sats from `debit` to `credit` once per (cause, kind); rows are never
 * changed. Balances live where they are guarded: `accounts` (pool, operator, lightning),
 * `customers.balance_sats`, `jobs.held_sats` and `withdrawals.held_sats`, each with a CHECK.
 *
 * Lightning is the one asset: being debited raises it. All others are what it is owed to.
 * Lock order everywhere: pool, then customers, then jobs and withdrawals. Whoever moves money locks the
 * pool row first (`lockPool`), so that no two transactions can wait for each other.
 */

/**
 * Why sats move, and from where to where:
 *
 * seed, pool_add     operator → pool, at the first start and by `tithe pool add`
 * donation           lightning → pool
 * top_up             lightning → customer
 * late_payment       lightning → customer, of an invoice whose job had no use for it, or for all of it
 * incoming_fee       operator → lightning, what the node kept of a payment that came in
 * hold               customer → job, work that is paid from the balance
 * payment            lightning → job, work that is paid by an invoice
 * reserve            pool → job, the pool's part of either, before the cost is known
 * shortfall          operator → job, what it lacks when it ends
 * earned             job → operator, its true cost
 * returned, refund   job → pool and job → customer, what is left
 * credit             operator → pool, the tithe
 * withdraw_hold      customer → withdrawal, the amount and its fee's reserve
 * withdrawn          withdrawal → lightning
 * withdraw_fee       withdrawal → lightning, and operator → lightning above the reserve
 * withdraw_returned  withdrawal → customer, what is left
 * own_sats           lightning → operator, his own sats in LNbits, when they paid a fee (`withOwnSats`)
 */
export type TransferKind =
  | 'seed'
  | 'pool_add'
  | 'donation'
  | 'top_up'
  | 'late_payment'
  | 'incoming_fee'
  | 'hold'
  | 'payment'
  | 'reserve'
  | 'shortfall'
  | 'earned'
  | 'returned'
  | 'refund'
  | 'credit'
  | 'withdraw_hold'
  | 'withdrawn'
  | 'withdraw_fee'
  | 'withdraw_returned'
  | 'own_sats'

export interface Transfer {
  kind: TransferKind
  /** From whom to whom. `lightning` alone grows when it is debited. */
  debit: string
  credit: string
  sats: number
  /** The cause: a job … */
  jobId?: number
  /** … or the name of what else moved the money. */
  ref?: string
  /** UTC day of the database clock. */
  day: string
}

export const customerAccount = (pubkey: string): string => `customer:${pubkey}`
export const jobAccount = (jobId: number): string => `job:${jobId}`
export const withdrawalAccount = (id: number): string => `withdrawal:${id}`

/** Locks the pool row and reads its balance: the first statement of everything that moves money. */
export async function lockPool(tx: Tx): Promise<number> {
  const [row] = await tx<{ balanceSats: number }[]>`
    select balance_sats from accounts where name = 'pool' for update`.execute()
  if (!row) throw new Error('the pool account is missing: the database was not migrated')
  return row.balanceSats
}

/**
 * Writes transfers and moves the balances they name, in one pipelined round trip.
 * `writtenByCaller` names accounts whose row the caller inserts or updates with its balance in the same
 * transaction: a job's state and its hold must change in one statement to satisfy the row's CHECKs.
 * Throws with SQLSTATE 23505 when a cause has moved before, 23514 when a balance would fall below zero, and
 * when an account has no row.
 */
export async function post(
  tx: Tx,
  transfers: readonly Transfer[],
  writtenByCaller: ReadonlySet<string> = new Set(),
): Promise<void> {
  const real = transfers.filter((transfer) => transfer.sats > 0)
  if (real.length === 0) return
  const moved = movements(real)
  const writes: Promise<void>[] = [insertTransfers(tx, real)]
  for (const [prefix, update] of balanceHomes) {
    const homes = [...moved].filter(
      ([account, sats]) =>
        sats !== 0 && account.startsWith(prefix) && !writtenByCaller.has(account),
    )
    if (homes.length === 0) continue
    homes.sort(([a], [b]) => (a < b ? -1 : 1))
    const keys = homes.map(([account]) => account.slice(prefix.length))
    const sats = homes.map(([, moved]) => moved)
    writes.push(update(tx, keys, sats).then(({ count }) => assertMoved(count, homes)))
  }
  await Promise.all(writes)
}

/** A transfer to an account that has no row would be sats that nobody holds. */
function assertMoved(count: number, homes: readonly [account: string, sats: number][]): void {
  if (count === homes.length) return
  throw new Error(`of ${homes.map(([account]) => account).join(', ')} only ${count} have a balance`)
}

/** What each account's balance changes by; Lightning, the asset, counts the other way round. */
export function movements(transfers: readonly Transfer[]): Map<string, number> {
  const moved = new Map<string, number>()
  const add = (account: string, sats: number) => {
    const signed = account === 'lightning' ? -sats : sats
    moved.set(account, (moved.get(account) ?? 0) + signed)
  }
  for (const { debit, credit, sats } of transfers) {
    add(debit, -sats)
    add(credit, sats)
  }
  return moved
}

type BalanceUpdate = (tx: Tx, keys: string[], sats: number[]) => Promise<{ count: number }>

const updateSystem: BalanceUpdate = (tx, names, sats) =>
  tx`
  update accounts a
  set balance_sats = a.balance_sats + m.sats
  from unnest(${names}::text[], ${sats}::bigint[]) m (name, sats)
  where a.name = m.name`.execute()

const updateCustomers: BalanceUpdate = (tx, pubkeys, sats) =>
  tx`
  update customers c
  set balance_sats = c.balance_sats + m.sats
  from unnest(${pubkeys}::text[], ${sats}::bigint[]) m (pubkey, sats)
  where c.pubkey = m.pubkey`.execute()

const updateJobs: BalanceUpdate = (tx, ids, sats) =>
  tx`
  update jobs j
  set held_sats = j.held_sats + m.sats
  from unnest(${ids.map(Number)}::bigint[], ${sats}::bigint[]) m (id, sats)
  where j.id = m.id`.execute()

const updateWithdrawals: BalanceUpdate = (tx, ids, sats) =>
  tx`
  update withdrawals w
  set held_sats = w.held_sats + m.sats
  from unnest(${ids.map(Number)}::bigint[], ${sats}::bigint[]) m (id, sats)
  where w.id = m.id`.execute()

/** In lock order. The first three names have no key behind them. */
const balanceHomes: [prefix: string, update: BalanceUpdate][] = [
  ['pool', (tx, _, sats) => updateSystem(tx, ['pool'], sats)],
  ['operator', (tx, _, sats) => updateSystem(tx, ['operator'], sats)],
  ['lightning', (tx, _, sats) => updateSystem(tx, ['lightning'], sats)],
  ['customer:', updateCustomers],
  ['job:', updateJobs],
  ['withdrawal:', updateWithdrawals],
]

async function insertTransfers(tx: Tx, transfers: readonly Transfer[]): Promise<void> {
  await tx`
    insert into transfers (kind, debit, credit, sats, job_id, ref, day)
    select kind, debit, credit, sats, job_id, ref, day::date
    from unnest(
      ${transfers.map((t) => t.kind)}::text[],
      ${transfers.map((t) => t.debit)}::text[],
      ${transfers.map((t) => t.credit)}::text[],
      ${transfers.map((t) => t.sats)}::bigint[],
      ${transfers.map((t) => t.jobId ?? null)}::bigint[],
      ${transfers.map((t) => t.ref ?? null)}::text[],
      ${transfers.map((t) => t.day)}::text[]
    ) t (kind, debit, credit, sats, job_id, ref, day)`.execute()
}
