import type { Serve } from '../money/decide.ts'
import type { Tier } from '../money/tiers.ts'
import type { GrantSource } from './customers.ts'
import type { AnySql, Tx } from './database.ts'
import type { ReplyTo } from './inbox.ts'
import type { JobState } from './job-states.ts'
import type { Lease } from './lease.ts'

export type PaidFrom = 'pool' | 'balance' | 'invoice'

/** A row of `jobs`, and with it where its replies go. */
export interface Job extends ReplyTo {
  id: number
  state: JobState
  reason: string | null
  model: string
  tier: Tier
  tierSource: 'earned' | GrantSource
  serve: Serve
  paidFrom: PaidFrom | null
  /** The full price; `chargeSats` is the customer's part of it, `promisedSats` what an invoice left to the pool. */
  estimatedSats: number
  chargeSats: number
  promisedSats: number
  /** What the pool gave before its true cost was known, and the UTC day whose budgets that counts against. */
  reservedSats: number
  reservedDay: string | null
  paidSats: number
  /** What was paid and reserved, while the job is at work; 0 before and after. */
  heldSats: number
  /** Whether the pool paid a part. */
  freeTier: boolean
  /** What the work cost, and how that was divided; null and 0 until it has ended. */
  actualSats: number | null
  absorbedSats: number
  refundSats: number
  shortfallSats: number
  usdPerBtc: number | null
  /** As estimated: counted, and the cap. */
  inputTokens: number
  outputTokens: number
  /** Unix seconds. */
  createdAt: number
  startedAt: Date | null
  epoch: number
  tries: number
}

export const jobColumns = (sql: AnySql) => sql`
  id, state, reason, customer, via, form, program_id, rumor_at, rumor_id, model, tier, tier_source,
  serve, paid_from, estimated_sats, charge_sats, promised_sats, reserved_sats,
  to_char(reserved_day, 'YYYY-MM-DD') as reserved_day, paid_sats, held_sats, free_tier, actual_sats,
  absorbed_sats, refund_sats, shortfall_sats, usd_per_btc, input_tokens, output_tokens,
  floor(extract(epoch from created_at))::bigint as created_at, started_at, epoch, tries`

export type NewJob = Pick<
  Job,
  | keyof ReplyTo
  | 'id'
  | 'model'
  | 'tier'
  | 'tierSource'
  | 'serve'
  | 'paidFrom'
  | 'estimatedSats'
  | 'chargeSats'
  | 'promisedSats'
  | 'reservedSats'
  | 'reservedDay'
  | 'paidSats'
  | 'usdPerBtc'
  | 'inputTokens'
  | 'outputTokens'
> & { state: 'accepted' | 'working'; requestHash: string; request: string }

/** accepted → awaiting_payment: its invoice stands. Answers the ids it applied to. */
export async function awaitPayment(
  tx: Tx,
  jobs: readonly { id: number; epoch: number; expiresAt: number }[],
): Promise<Set<number>> {
  const [, rows] = await Promise.all([
    lockInOrder(tx, jobs),
    tx<{ id: number }[]>`
      update jobs j
      set state = 'awaiting_payment', lease = null, tries = 0, last_error = null,
        due_at = to_timestamp(k.expires_at)
      from unnest(
        ${jobs.map((j) => j.id)}::bigint[], ${jobs.map((j) => j.epoch)}::int[],
        ${jobs.map((j) => j.expiresAt)}::float8[]
      ) k (id, epoch, expires_at)
      where j.id = k.id and j.epoch = k.epoch and j.state = 'accepted'
      returning j.id`.execute(),
  ])
  return new Set(rows.map((row) => row.id))
}

/** accepted → refused. False: the world moved on. */
export async function refuse(
  tx: Tx,
  job: { id: number; epoch: number },
  reason: string,
): Promise<boolean> {
  const rows = await tx`
    update jobs set state = 'refused', reason = ${reason}, finished_at = now(), due_at = null,
      lease = null
    where id = ${job.id} and epoch = ${job.epoch} and state = 'accepted'
    returning id`.execute()
  return rows.length > 0
}

/** Locks jobs in the order of their ids, after the pool: a payment and an expiry cannot both have one. */
export async function lockJobs(tx: Tx, ids: readonly number[]): Promise<Map<number, Job>> {
  const rows = await tx<Job[]>`
    select ${jobColumns(tx)} from jobs where id = any(${[...ids]}::bigint[]) order by id for update`.execute()
  return new Map(rows.map((row) => [row.id, row]))
}

/** awaiting_payment → working: the invoice is paid and `reservedSats` left the pool for it. Born leased. */
export async function startPaidWork(
  tx: Tx,
  paid: {
    job: Pick<Job, 'id' | 'tier' | 'tierSource'>
    paidSats: number
    reservedSats: number
    day: string
  },
  lease: Lease,
): Promise<Job | undefined> {
  const [row] = await tx<Job[]>`
    update jobs set
      state = 'working', reason = null, paid_from = 'invoice',
      tier = ${paid.job.tier}, tier_source = ${paid.job.tierSource},
      paid_sats = ${paid.paidSats},
      reserved_sats = ${paid.reservedSats},
      reserved_day = ${paid.reservedSats > 0 ? paid.day : null}::text::date,
      free_tier = ${paid.reservedSats > 0},
      held_sats = ${paid.paidSats + paid.reservedSats},
      due_at = now() + make_interval(secs => ${lease.seconds}),
      lease = ${lease.holder}, epoch = epoch + 1, tries = 1, last_error = null
    where id = ${paid.job.id} and state = 'awaiting_payment'
    returning ${jobColumns(tx)}`.execute()
  return row
}

/** accepted or awaiting_payment → expired. Fenced by epoch when a lane asks, not when the customer cancels. */
export async function expire(
  tx: Tx,
  jobId: number,
  reason: 'unpaid' | 'cancelled',
  epoch?: number,
): Promise<Job | undefined> {
  const [row] = await tx<Job[]>`
    update jobs set state = 'expired', reason = ${reason}, finished_at = now(), due_at = null,
      lease = null, epoch = epoch + 1
    where id = ${jobId} and state in ('accepted', 'awaiting_payment')
      and (${epoch ?? null}::int is null or epoch = ${epoch ?? null})
    returning ${jobColumns(tx)}`.execute()
  return row
}

export interface FinishedJob {
  id: number
  epoch: number
  state: 'done' | 'failed'
  reason: string | null
  actualSats: number
  absorbedSats: number
  refundSats: number
  shortfallSats: number
  usedInput: number | null
  usedOutput: number | null
}

/** Whether the job is still this claim's to work on; nobody ends it or takes it over until the transaction is over. */
export async function keepAtWork(tx: Tx, job: Pick<Job, 'id' | 'epoch'>): Promise<boolean> {
  const rows = await tx`
    select 1 from jobs where id = ${job.id} and epoch = ${job.epoch} and state = 'working'
    for share`.execute()
  return rows.length > 0
}

/** Before a statement that updates many: each takes its rows in the order of ids, as renewals of leases do. */
async function lockInOrder(tx: Tx, jobs: readonly { id: number }[]): Promise<void> {
  if (jobs.length < 2) return
  const ids = jobs.map((job) => job.id)
  await tx`select from jobs where id = any(${ids}::bigint[]) order by id for update`.execute()
}

/** working → done or failed, fenced by epoch; the hold is emptied in the same statement. */
export async function finishJobs(tx: Tx, jobs: readonly FinishedJob[]): Promise<Set<number>> {
  const [, rows] = await Promise.all([
    lockInOrder(tx, jobs),
    tx<{ id: number }[]>`
      update jobs j
      set state = k.state, reason = k.reason, actual_sats = k.actual, absorbed_sats = k.absorbed,
        refund_sats = k.refund, shortfall_sats = k.shortfall, used_input_tokens = k.used_input,
        used_output_tokens = k.used_output, held_sats = 0, free_tier = k.absorbed > 0,
        finished_at = now(), due_at = null, lease = null
      from unnest(
        ${jobs.map((j) => j.id)}::bigint[], ${jobs.map((j) => j.epoch)}::int[],
        ${jobs.map((j) => j.state)}::text[], ${jobs.map((j) => j.reason)}::text[],
        ${jobs.map((j) => j.actualSats)}::bigint[], ${jobs.map((j) => j.absorbedSats)}::bigint[],
        ${jobs.map((j) => j.refundSats)}::bigint[], ${jobs.map((j) => j.shortfallSats)}::bigint[],
        ${jobs.map((j) => j.usedInput)}::int[], ${jobs.map((j) => j.usedOutput)}::int[]
      ) k (id, epoch, state, reason, actual, absorbed, refund, shortfall, used_input, used_output)
      where j.id = k.id and j.epoch = k.epoch and j.state = 'working'
      returning j.id`.execute(),
  ])
  return new Set(rows.map((row) => row.id))
}

/** With `customer` only that customer's own job: somebody else's reads as absent. */
export async function readJob(
  sql: AnySql,
  jobId: number,
  customer?: string,
): Promise<Job | undefined> {
  const [row] = await sql<Job[]>`
    select ${jobColumns(sql)} from jobs
    where id = ${jobId} and (${customer ?? null}::text is null or customer = ${customer ?? null})`.execute()
  return row
}

export async function readJobsOf(sql: AnySql, customer: string, limit: number): Promise<Job[]> {
  const rows = await sql<Job[]>`
    select ${jobColumns(sql)} from jobs where customer = ${customer} order by id desc limit ${limit}`.execute()
  return [...rows]
}

/** The jobs that these messages of a customer made, oldest first. */
export async function findJobsOfRumors(
  sql: AnySql,
  customer: string,
  rumorIds: readonly string[],
): Promise<number[]> {
  const rows = await sql<{ id: number }[]>`
    select id from jobs
    where customer = ${customer} and rumor_id = any(${[...rumorIds]}::text[])
    order by id`.execute()
  return rows.map((row) => row.id)
}
