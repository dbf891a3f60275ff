import type { AnySql } from './database.ts'
import type { JobState } from './job-states.ts'
import { type Job, jobColumns } from './jobs.ts'

export interface JobFilter {
  states?: readonly JobState[] | undefined
  customer?: string | undefined
  limit: number
}

/** A job as a list shows it. Times are Unix seconds. */
export type ListedJob = Job & { finishedAt: number | null; lastError: string | null }

/** The latest jobs of all customers, newest first. */
export async function readLatestJobs(
  sql: AnySql,
  { states, customer, limit }: JobFilter,
): Promise<ListedJob[]> {
  const rows = await sql<ListedJob[]>`
    select ${jobColumns(sql)}, floor(extract(epoch from finished_at))::bigint as finished_at,
      last_error
    from jobs
    where (${states ?? null}::text[] is null or state = any(${states ? [...states] : null}::text[]))
      and (${customer ?? null}::text is null or customer = ${customer ?? null})
    order by id desc limit ${limit}`.execute()
  return [...rows]
}

/** A job with all that its row says. */
export async function readListedJob(sql: AnySql, id: number): Promise<ListedJob | undefined> {
  const [row] = await sql<ListedJob[]>`
    select ${jobColumns(sql)}, floor(extract(epoch from finished_at))::bigint as finished_at,
      last_error
    from jobs where id = ${id}`.execute()
  return row
}

/** Milliseconds since the epoch: what happened within one second still has an order. */
const ms = (sql: AnySql, column: string) =>
  sql`floor(extract(epoch from ${sql(column)}) * 1000)::bigint`

/** When a job came, began and ended, Unix milliseconds. */
export interface JobTimes {
  createdAt: number
  startedAt: number | null
  finishedAt: number | null
  dueAt: number | null
  lease: string | null
  requestChars: number
  resultChars: number | null
}

export async function readJobTimes(sql: AnySql, id: number): Promise<JobTimes | undefined> {
  const [row] = await sql<JobTimes[]>`
    select ${ms(sql, 'created_at')} as created_at, ${ms(sql, 'started_at')} as started_at,
      ${ms(sql, 'finished_at')} as finished_at, ${ms(sql, 'due_at')} as due_at, lease,
      length(t.request) as request_chars, length(t.result) as result_chars
    from jobs join job_texts t on t.job_id = id
    where id = ${id}`.execute()
  return row
}

export interface JobTransfer {
  id: number
  kind: string
  debit: string
  credit: string
  sats: number
  /** Unix milliseconds. */
  at: number
}

/** Every movement of sats that this job caused, late payments of its invoice among them. */
export async function readJobTransfers(sql: AnySql, id: number): Promise<JobTransfer[]> {
  const rows = await sql<JobTransfer[]>`
    select id, kind, debit, credit, sats, ${ms(sql, 'at')} as at
    from transfers
    where job_id = ${id}
      or ref = (select 'invoice:' || payment_hash from invoices where job_id = ${id})
    order by id`.execute()
  return [...rows]
}

export interface JobInvoice {
  paymentHash: string
  state: 'open' | 'expired' | 'paid' | 'given_up'
  amountSats: number
  feeSats: number
  /** Unix milliseconds. */
  createdAt: number
  expiresAt: number
  paidAt: number | null
}

export async function readJobInvoice(sql: AnySql, id: number): Promise<JobInvoice | undefined> {
  const [row] = await sql<JobInvoice[]>`
    select payment_hash, state, amount_sats, fee_sats, ${ms(sql, 'created_at')} as created_at,
      ${ms(sql, 'expires_at')} as expires_at, ${ms(sql, 'paid_at')} as paid_at
    from invoices where job_id = ${id}`.execute()
  return row
}

export interface JobReply {
  id: number
  step: string
  /** Unix milliseconds. */
  createdAt: number
  deliveredAt: number | null
  /** Nothing is left to try. */
  isOver: boolean
  tries: number
  lastError: string | null
}

export async function readJobReplies(sql: AnySql, id: number): Promise<JobReply[]> {
  const rows = await sql<JobReply[]>`
    select id, step, ${ms(sql, 'created_at')} as created_at,
      ${ms(sql, 'delivered_at')} as delivered_at, due_at is null as is_over, tries, last_error
    from outbox where job_id = ${id} order by id`.execute()
  return [...rows]
}

export interface JobPublication {
  outboxId: number
  part: number
  eventId: string
  relay: string
  /** Unix milliseconds. */
  acknowledgedAt: number | null
  refusedAt: number | null
  lastError: string | null
}

/** What each relay said to each event of each reply of the job. */
export async function readJobPublications(sql: AnySql, id: number): Promise<JobPublication[]> {
  const rows = await sql<JobPublication[]>`
    select p.outbox_id, p.part, e.event_id, p.relay, ${ms(sql, 'acknowledged_at')} as acknowledged_at,
      ${ms(sql, 'refused_at')} as refused_at, p.last_error
    from outbox o
    join outbox_events e on e.outbox_id = o.id
    join outbox_publications p on p.outbox_id = e.outbox_id and p.part = e.part
    where o.job_id = ${id}
    order by p.outbox_id, p.part, p.relay`.execute()
  return [...rows]
}
