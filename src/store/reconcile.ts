import type { AnySql } from './database.ts'

/** An invoice as our books have it. */
export interface BookedInvoice {
  paymentHash: string
  state: 'open' | 'expired' | 'paid' | 'given_up'
  amountSats: number
  feeSats: number
  /** Everything that its payment brought to the lightning account. */
  bookedSats: number
  /** Unix seconds. */
  createdAt: number
}

/** Invoices made since then, oldest first. */
export async function readBookedInvoices(
  sql: AnySql,
  sinceSeconds: number,
): Promise<BookedInvoice[]> {
  const rows = await sql<BookedInvoice[]>`
    select i.payment_hash, i.state, i.amount_sats, i.fee_sats,
      (
        coalesce((
          select sum(t.sats) from transfers t
          where t.job_id = i.job_id and t.kind = 'payment'
        ), 0) + coalesce((
          select sum(t.sats) from transfers t
          where t.ref = 'invoice:' || i.payment_hash
            and t.kind in ('top_up', 'late_payment', 'donation')
        ), 0)
      )::bigint as booked_sats,
      floor(extract(epoch from i.created_at))::bigint as created_at
    from invoices i
    where i.created_at >= to_timestamp(${sinceSeconds})
    order by i.created_at`.execute()
  return [...rows]
}

/** A withdrawal as our books have it. */
export interface BookedWithdrawal {
  id: number
  paymentHash: string
  state: 'held' | 'sent' | 'done' | 'failed' | 'unknown'
  reason: string | null
  amountSats: number
  feeSats: number | null
  /** Unix seconds. */
  createdAt: number
}

/** Withdrawals asked for since then, oldest first. */
export async function readBookedWithdrawals(
  sql: AnySql,
  sinceSeconds: number,
): Promise<BookedWithdrawal[]> {
  const rows = await sql<BookedWithdrawal[]>`
    select id, payment_hash, state, reason, amount_sats, fee_sats,
      floor(extract(epoch from created_at))::bigint as created_at
    from withdrawals
    where created_at >= to_timestamp(${sinceSeconds})
    order by id`.execute()
  return [...rows]
}

/** When the operator last said which sats in LNbits are his own, Unix seconds. */
export async function readFloatDeclaredAt(sql: AnySql): Promise<number | null> {
  const [row] = await sql<{ at: number }[]>`
    select floor(extract(epoch from updated_at))::bigint as at from timmy_config
    where key = 'lightning_float_sats'`.execute()
  return row?.at ?? null
}
