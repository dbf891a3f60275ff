import type { AnySql } from './database.ts'

/**
 * One line of the books for somebody who does not know them: a job that was settled, or sats that came or went
 * without one. Amounts are sats; what a line does not have is 0.
 */
export interface ExportLine {
  /** UTC, such as `2026-11-22T10:15:00Z`. */
  at: string
  kind: 'job' | 'top_up' | 'late_payment' | 'donation' | 'withdrawal'
  /** The job's or withdrawal's number, or the payment hash. */
  id: string
  customer: string
  model: string | null
  /** Came in over Lightning. */
  receivedSats: number
  /** Taken from the customer's prepaid balance. */
  fromBalanceSats: number
  /** What the job cost its customer in the end: the income. */
  chargedSats: number
  /** Put on the customer's balance: refunds, top-ups, late payments. */
  toBalanceSats: number
  /** Paid by the pool for the customer. */
  fromPoolSats: number
  /** Put into the pool. */
  toPoolSats: number
  /** Paid by the operator, because quote or pool did not reach. */
  shortfallSats: number
  /** Went out over Lightning. */
  sentSats: number
  /** Kept by LNbits or by the route. */
  feeSats: number
  /** The BTC price the job was quoted with; null where none was needed. */
  usdPerBtc: number | null
}

/** Everything that was settled on these UTC days (`YYYY-MM-DD`, both included), in order of time. */
export async function readExport(
  sql: AnySql,
  { from, to }: { from: string; to: string },
): Promise<ExportLine[]> {
  const rows = await sql<ExportLine[]>`
    with span as (
      select ${from}::text::date::timestamp at time zone 'utc' as first,
        (${to}::text::date + 1)::timestamp at time zone 'utc' as next
    ), lines as (
      select j.finished_at as at, 'job' as kind, j.id::text as id, j.customer, j.model,
        case when j.paid_from = 'invoice' then j.paid_sats else 0 end as received_sats,
        case when j.paid_from = 'balance' then j.paid_sats else 0 end as from_balance_sats,
        j.paid_sats - j.refund_sats as charged_sats,
        j.refund_sats as to_balance_sats, j.absorbed_sats as from_pool_sats,
        coalesce((
          select sats from transfers t where t.job_id = j.id and t.kind = 'credit'
        ), 0) as to_pool_sats,
        j.shortfall_sats, 0::bigint as sent_sats,
        coalesce((select fee_sats from invoices i where i.job_id = j.id and i.state = 'paid'), 0)
          as fee_sats,
        j.usd_per_btc
      from jobs j, span
      where j.state in ('done', 'failed') and j.finished_at >= span.first
        and j.finished_at < span.next
      union all
      select t.at, t.kind, i.payment_hash, i.customer, null,
        t.sats, 0, 0, case when t.kind = 'donation' then 0 else t.sats end, 0,
        case when t.kind = 'donation' then t.sats else 0 end, 0, 0,
        case when t.kind = 'late_payment' and j.state in ('done', 'failed', 'working') then 0
          else i.fee_sats end,
        null
      from transfers t join invoices i on t.ref = 'invoice:' || i.payment_hash
      left join jobs j on j.id = i.job_id, span
      where t.kind in ('top_up', 'late_payment', 'donation') and t.at >= span.first
        and t.at < span.next
      union all
      select w.finished_at, 'withdrawal', w.id::text, w.customer, null,
        0, 0, 0, 0, 0, 0, 0, w.amount_sats, coalesce(w.fee_sats, 0), null
      from withdrawals w, span
      where w.state = 'done' and w.finished_at >= span.first and w.finished_at < span.next
    )
    select to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as at, kind, id, customer,
      model, received_sats, from_balance_sats, charged_sats, to_balance_sats, from_pool_sats,
      to_pool_sats, shortfall_sats, sent_sats, fee_sats, usd_per_btc
    from lines order by lines.at, kind, id`.execute()
  return [...rows]
}

/** UTC days of the first and the latest movement of sats; undefined on empty books. */
export async function readExportSpan(
  sql: AnySql,
): Promise<{ first: string; last: string } | undefined> {
  const [row] = await sql<{ first: string | null; last: string }[]>`
    select to_char(min(at) at time zone 'utc', 'YYYY-MM-DD') as first,
      to_char(now() at time zone 'utc', 'YYYY-MM-DD') as last
    from transfers`.execute()
  return row?.first ? { first: row.first, last: row.last } : undefined
}
