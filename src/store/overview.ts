import type { AnySql } from './database.ts'

/** One lane of the daemon: what waits in it, by the database's clock. */
export interface Queue {
  lane: 'quote' | 'expiry' | 'work' | 'withdraw' | 'outbox'
  /** Rows that are not over. */
  open: number
  /** Rows a replica works on. */
  held: number
  /** Rows nobody has taken although their time has come. */
  due: number
  /** Age of the oldest of those, seconds; null when there is none. */
  oldestDueSeconds: number | null
}

/** Every lane in the order a request passes them. */
export async function readQueues(sql: AnySql): Promise<Queue[]> {
  const rows = await sql<Queue[]>`
    select l.lane, count(q.lane) as open,
      count(*) filter (where q.lease is not null and q.due_at > now()) as held,
      count(*) filter (where q.due_at <= now()) as due,
      extract(epoch from now() - min(q.due_at) filter (where q.due_at <= now()))::float8
        as oldest_due_seconds
    from (values (1, 'quote'), (2, 'expiry'), (3, 'work'), (4, 'withdraw'), (5, 'outbox'))
      l (place, lane)
    left join (
      select case state when 'accepted' then 'quote' when 'working' then 'work' else 'expiry' end
        as lane, lease, due_at
      from jobs where due_at is not null
      union all
      select 'withdraw', lease, due_at from withdrawals where finished_at is null
      union all
      select 'outbox', lease, due_at from outbox where due_at is not null
    ) q on q.lane = l.lane
    group by l.place, l.lane
    order by l.place`.execute()
  return [...rows]
}

/** What waits for the world outside. */
export interface Waiting {
  openInvoices: number
  openInvoicesSats: number
  openWithdrawals: number
  /** Parked for the operator: nobody knows whether they were paid. */
  unknownWithdrawals: number
  unknownWithdrawalsSats: number
  /** Replies that no relay has acknowledged. */
  undelivered: number
}

export async function readWaiting(sql: AnySql): Promise<Waiting> {
  const [row] = await sql<Waiting[]>`
    select i.open_invoices, i.open_invoices_sats, w.open_withdrawals, w.unknown_withdrawals,
      w.unknown_withdrawals_sats,
      (select count(*) from outbox where due_at is not null and delivered_at is null) as undelivered
    from (
      select count(*) as open_invoices, coalesce(sum(amount_sats), 0)::bigint as open_invoices_sats
      from invoices where look_at is not null and state = 'open'
    ) i, (
      select count(*) as open_withdrawals,
        count(*) filter (where state = 'unknown') as unknown_withdrawals,
        coalesce(sum(amount_sats) filter (where state = 'unknown'), 0)::bigint
          as unknown_withdrawals_sats
      from withdrawals where finished_at is null
    ) w`.execute()
  if (!row) throw new Error('a select without a condition gave no row')
  return row
}

/** What the last 24 hours brought, by the database's clock. */
export interface LastDay {
  requests: number
  free: number
  partial: number
  gate: number
  refused: number
  failed: number
  expired: number
  paidInvoices: number
  paidInvoicesSats: number
  shortfalls: number
  shortfallsSats: number
}

export async function readLastDay(sql: AnySql): Promise<LastDay> {
  const [row] = await sql<LastDay[]>`
    select
      (select count(*) from inbox where seen_at > now() - interval '1 day') as requests,
      j.free, j.partial, j.gate, j.refused, j.failed, j.expired,
      i.paid_invoices, i.paid_invoices_sats, t.shortfalls, t.shortfalls_sats
    from (
      select count(*) filter (where serve = 'free') as free,
        count(*) filter (where serve = 'partial') as partial,
        count(*) filter (where serve = 'gate') as gate,
        count(*) filter (where state = 'refused') as refused,
        count(*) filter (where state = 'failed') as failed,
        count(*) filter (where state = 'expired') as expired
      from jobs where created_at > now() - interval '1 day'
    ) j, (
      select count(*) as paid_invoices, coalesce(sum(amount_sats), 0)::bigint as paid_invoices_sats
      from invoices where paid_at > now() - interval '1 day'
    ) i, (
      select count(*) as shortfalls, coalesce(sum(sats), 0)::bigint as shortfalls_sats
      from transfers where kind = 'shortfall' and at > now() - interval '1 day'
    ) t`.execute()
  if (!row) throw new Error('a select without a condition gave no row')
  return row
}

/** Jobs that are looked at for failures in a row. */
const ENDED_JOBS = 50

/**
 * How many of the latest jobs that reached the backend, newest first and up to the first that was done, failed
 * at it. By number and not by end, because only that has an index.
 */
export async function readBackendFailures(sql: AnySql): Promise<number> {
  const rows = await sql<{ state: string }[]>`
    select state from jobs
    where state = 'done'
      or (state = 'failed' and reason in ('backend_failed', 'backend_timeout'))
    order by id desc limit ${ENDED_JOBS}`.execute()
  const done = rows.findIndex(({ state }) => state === 'done')
  return done === -1 ? rows.length : done
}
