import { TWIN_SECONDS } from '../limits.ts'
import type { AnySql, Sql, Tx } from './database.ts'
import type { ReplyTo } from './inbox.ts'
import type { Lease } from './lease.ts'
import { lightningStopped } from './pool.ts'

/**
 * `held`: stored and set aside, LNbits has not been asked. `sent`: LNbits may have paid; only its
 * terminal word ends it. `unknown`: no such word came in time, the operator sees it and may end it.
 */
export type WithdrawalState = 'held' | 'sent' | 'done' | 'failed' | 'unknown'

/** A withdrawal as its lane sees it. Ages are by the database's clock, at the time it was read. */
export interface Withdrawal extends ReplyTo {
  id: number
  state: WithdrawalState
  reason: string | null
  paymentHash: string
  bolt11: string
  amountSats: number
  reserveSats: number
  heldSats: number
  /** Negative when it has expired. */
  expiresInSeconds: number
  sentSecondsAgo: number | null
  absentCount: number
  epoch: number
  tries: number
}

export const withdrawalColumns = (sql: AnySql) => sql`
  id, state, reason, customer, via, form, program_id, rumor_at, rumor_id, payment_hash, bolt11,
  amount_sats, reserve_sats, held_sats,
  extract(epoch from invoice_expires_at - now())::float8 as expires_in_seconds,
  extract(epoch from now() - sent_at)::float8 as sent_seconds_ago, absent_count, epoch, tries`

/** What the hold is decided on; read under the pool's lock it is exact. */
export interface WithdrawalFacts {
  /** UTC day of the database clock. */
  day: string
  availableSats: number
  /** The customer withdrew the same amount by another door, within `TWIN_SECONDS`: one wish, sent twice. */
  isTwin: boolean
  /** An invoice of ours, or one that a withdrawal had before. */
  knownHash: boolean
  openCount: number
  /** Withdrawn today or on its way; what failed does not count. */
  todaySats: number
  /** Asked for today, failed ones too. */
  todayCount: number
  /** What all customers together have withdrawn today or have on its way. */
  todaySatsOfAll: number
  /** Payouts are stopped because LNbits and the ledger disagree. */
  stopped: boolean
}

/** Midnight UTC by the database's clock. */
const dayStart = (sql: AnySql) =>
  sql`date_trunc('day', now() at time zone 'utc') at time zone 'utc'`

export async function readWithdrawalFacts(
  tx: AnySql,
  { to, paymentHash, amountSats }: { to: ReplyTo; paymentHash: string; amountSats: number },
): Promise<WithdrawalFacts> {
  const { customer, via } = to
  const [row] = await tx<WithdrawalFacts[]>`
    select
      to_char(now() at time zone 'utc', 'YYYY-MM-DD') as day,
      coalesce((select balance_sats from customers where pubkey = ${customer}), 0) as available_sats,
      exists (
        select 1 from withdrawals
        where customer = ${customer} and via <> ${via} and amount_sats = ${amountSats}
          and state <> 'failed' and created_at > now() - make_interval(secs => ${TWIN_SECONDS})
      ) as is_twin,
      exists (select 1 from invoices where payment_hash = ${paymentHash})
        or exists (select 1 from withdrawals where payment_hash = ${paymentHash}) as known_hash,
      w.open_count, w.today_sats, w.today_count,
      (
        select coalesce(sum(amount_sats), 0)::bigint from withdrawals
        where created_at >= ${dayStart(tx)} and state <> 'failed'
      ) as today_sats_of_all,
      ${lightningStopped(tx)} as stopped
    from (
      select
        count(*) filter (where finished_at is null) as open_count,
        coalesce(sum(amount_sats) filter (where today and state <> 'failed'), 0)::bigint
          as today_sats,
        count(*) filter (where today) as today_count
      from (
        select state, amount_sats, finished_at,
          created_at >= ${dayStart(tx)} as today
        from withdrawals where customer = ${customer}
      ) own
    ) w`.execute()
  if (!row) throw new Error('a select without a condition gave no row')
  return row
}

export type NewWithdrawal = Pick<
  Withdrawal,
  'id' | 'paymentHash' | 'bolt11' | 'amountSats' | 'reserveSats'
> & {
  to: ReplyTo
  /** Unix seconds, from the bolt11 itself. */
  expiresAt: number
}

export async function takeWithdrawalId(tx: Tx): Promise<number> {
  const [row] = await tx<{ id: number }[]>`
    select nextval(pg_get_serial_sequence('withdrawals', 'id')) as id`.execute()
  if (!row) throw new Error('the sequence of withdrawals gave no number')
  return row.id
}

/** Inserts a withdrawal in `held`, with its whole hold, born leased. */
export async function insertWithdrawal(
  tx: Tx,
  { to, ...w }: NewWithdrawal,
  lease: Lease,
): Promise<Withdrawal> {
  const [row] = await tx<Withdrawal[]>`
    insert into withdrawals (id, state, customer, via, form, program_id, rumor_at, rumor_id,
      payment_hash, bolt11, amount_sats, reserve_sats, held_sats, invoice_expires_at, due_at, lease,
      epoch, tries)
    overriding system value
    values (${w.id}, 'held', ${to.customer}, ${to.via}, ${to.form}, ${to.programId}, ${to.rumorAt},
      ${to.rumorId}, ${w.paymentHash}, ${w.bolt11}, ${w.amountSats}, ${w.reserveSats},
      ${w.amountSats + w.reserveSats}, to_timestamp(${w.expiresAt}),
      now() + make_interval(secs => ${lease.seconds}), ${lease.holder}, 1, 1)
    returning ${withdrawalColumns(tx)}`.execute()
  if (!row) throw new Error('an insert returned no row')
  return row
}

type Fenced = Pick<Withdrawal, 'id' | 'epoch'>

/** held → sent, to be committed right before LNbits is asked to pay. */
export async function markSent(tx: Tx, row: Fenced): Promise<Withdrawal | undefined> {
  const [sent] = await tx<Withdrawal[]>`
    update withdrawals set state = 'sent', sent_at = now(), absent_count = 0, last_error = null
    where id = ${row.id} and epoch = ${row.epoch} and state = 'held'
    returning ${withdrawalColumns(tx)}`.execute()
  return sent
}

/** sent → held: the request to pay has certainly not left this process. */
export async function markUnsent(
  sql: AnySql,
  row: Fenced,
  { afterMs, error }: { afterMs: number; error: string },
): Promise<boolean> {
  const rows = await sql`
    update withdrawals set state = 'held', sent_at = null, lease = null, tries = 0,
      last_error = ${error}, due_at = now() + make_interval(secs => ${afterMs / 1000})
    where id = ${row.id} and epoch = ${row.epoch} and state = 'sent'
    returning id`.execute()
  return rows.length > 0
}

/**
 * Lets a row go until the next question. `absent` counts an answer of "no such payment"; every other
 * answer forgets those before it, so that only an unbroken row of them counts.
 */
export async function askAgain(
  sql: AnySql,
  row: Fenced,
  { afterMs, note, absent = false }: { afterMs: number; note: string; absent?: boolean },
): Promise<boolean> {
  const rows = await sql`
    update withdrawals set lease = null, tries = 0, last_error = ${note},
      absent_count = case when ${absent} then absent_count + 1 else 0 end,
      due_at = now() + make_interval(secs => ${afterMs / 1000})
    where id = ${row.id} and epoch = ${row.epoch} and lease is not null
    returning id`.execute()
  return rows.length > 0
}

/** sent → unknown: parked for the operator, and still asked about now and then. */
export async function park(
  tx: Tx,
  row: Fenced,
  { afterMs, note }: { afterMs: number; note: string },
): Promise<boolean> {
  const rows = await tx`
    update withdrawals set state = 'unknown', reason = ${note}, lease = null, tries = 0,
      last_error = ${note}, due_at = now() + make_interval(secs => ${afterMs / 1000})
    where id = ${row.id} and epoch = ${row.epoch} and state = 'sent'
    returning id`.execute()
  return rows.length > 0
}

export interface WithdrawalFinish {
  state: 'done' | 'failed'
  reason: string | null
  /** The routing fee; null when nothing was paid. */
  feeSats: number | null
}

/**
 * The end of a withdrawal; its hold is emptied in the same statement and must be posted in the same
 * transaction. Answers the UTC day to post under.
 */
export async function finishWithdrawal(
  tx: Tx,
  row: Fenced,
  { state, reason, feeSats }: WithdrawalFinish,
): Promise<string | undefined> {
  const [ended] = await tx<{ day: string }[]>`
    update withdrawals set state = ${state}, reason = ${reason}, fee_sats = ${feeSats},
      held_sats = 0, finished_at = now(), due_at = null, lease = null
    where id = ${row.id} and epoch = ${row.epoch} and state in ('held', 'sent', 'unknown')
    returning to_char(now() at time zone 'utc', 'YYYY-MM-DD') as day`.execute()
  return ended?.day
}

/**
 * Takes a parked withdrawal out of its lane's hands for the operator's word: whatever a step of the
 * lane still tries to write runs into the new epoch. Undefined when it is not parked (any more).
 */
export async function takeParked(tx: Tx, id: number): Promise<Withdrawal | undefined> {
  const [row] = await tx<Withdrawal[]>`
    update withdrawals set epoch = epoch + 1, lease = null
    where id = ${id} and state = 'unknown'
    returning ${withdrawalColumns(tx)}`.execute()
  return row
}

/** An open withdrawal as the operator sees it. */
export interface OpenWithdrawal {
  id: number
  state: 'held' | 'sent' | 'unknown'
  customer: string
  amountSats: number
  reserveSats: number
  paymentHash: string
  /** Unix seconds. */
  createdAt: number
  sentAt: number | null
  invoiceExpiresAt: number
  lastError: string | null
}

/** Everything that has not ended, parked ones first. */
export async function readOpenWithdrawals(sql: Sql): Promise<OpenWithdrawal[]> {
  const rows = await sql<OpenWithdrawal[]>`
    select id, state, customer, amount_sats, reserve_sats, payment_hash,
      floor(extract(epoch from created_at))::bigint as created_at,
      floor(extract(epoch from sent_at))::bigint as sent_at,
      floor(extract(epoch from invoice_expires_at))::bigint as invoice_expires_at, last_error
    from withdrawals where finished_at is null
    order by (state = 'unknown') desc, id`
  return [...rows]
}

export async function readWithdrawalState(
  sql: AnySql,
  id: number,
): Promise<{ state: WithdrawalState; reason: string | null } | undefined> {
  const [row] = await sql<{ state: WithdrawalState; reason: string | null }[]>`
    select state, reason from withdrawals where id = ${id}`.execute()
  return row
}
