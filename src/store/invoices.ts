import type { AnySql, Sql, Tx } from './database.ts'
import type { ReplyTo } from './inbox.ts'

export type Purpose = 'job' | 'topup' | 'donate'

/** How long a hash is watched after its expiry, seconds: LNbits turns some expired rows into paid ones late. */
const GRACE_SECONDS = 2 * 86_400

export interface NewInvoice {
  paymentHash: string
  purpose: Purpose
  jobId: number | null
  to: ReplyTo
  amountSats: number
  bolt11: string
  /** Unix seconds, read from the bolt11 itself. */
  expiresAt: number
}

/** A row of `invoices`, and with it where the reply to its payment goes. */
export interface Invoice extends ReplyTo {
  paymentHash: string
  state: 'open' | 'expired' | 'paid' | 'given_up'
  purpose: Purpose
  jobId: number | null
  amountSats: number
  /** Unix seconds. */
  expiresAt: number
}

const invoiceColumns = (sql: AnySql) => sql`
  i.payment_hash, i.state, i.purpose, i.customer, i.job_id, i.via, i.form, i.program_id, i.rumor_at,
  i.rumor_id, i.amount_sats, floor(extract(epoch from i.expires_at))::bigint as expires_at`

/** The first look of its own comes shortly before expiry: the last one that reaches the Lightning node. */
export function insertInvoices(tx: Tx, invoices: readonly NewInvoice[]): Promise<unknown> {
  return tx`
    insert into invoices (payment_hash, purpose, customer, job_id, via, form, program_id, rumor_at,
      rumor_id, amount_sats, bolt11, expires_at, look_at)
    select payment_hash, purpose, customer, job_id, via, form, program_id, rumor_at, rumor_id,
      amount_sats, bolt11, to_timestamp(expires_at),
      greatest(now(), to_timestamp(expires_at) - interval '5 seconds')
    from unnest(
      ${invoices.map((i) => i.paymentHash)}::text[], ${invoices.map((i) => i.purpose)}::text[],
      ${invoices.map((i) => i.to.customer)}::text[], ${invoices.map((i) => i.jobId)}::bigint[],
      ${invoices.map((i) => i.to.via)}::text[], ${invoices.map((i) => i.to.form)}::text[],
      ${invoices.map((i) => i.to.programId)}::text[], ${invoices.map((i) => i.to.rumorAt)}::bigint[],
      ${invoices.map((i) => i.to.rumorId)}::text[], ${invoices.map((i) => i.amountSats)}::bigint[],
      ${invoices.map((i) => i.bolt11)}::text[], ${invoices.map((i) => i.expiresAt)}::float8[]
    ) i (payment_hash, purpose, customer, job_id, via, form, program_id, rumor_at, rumor_id,
      amount_sats, bolt11, expires_at)`.execute()
}

export interface SeenPayment {
  paymentHash: string
  /** What LNbits says came in, sats. */
  amountSats: number
  /** What LNbits kept of it, sats, rounded up. */
  feeSats: number
  /** What the rounding left; absent when nothing. */
  dustMsat?: number
}

/** Marks invoices paid, each once for ever: what comes back is to be booked in this transaction. */
export async function markPaid(
  tx: Tx,
  payments: readonly SeenPayment[],
): Promise<(Invoice & { feeSats: number; seenSats: number })[]> {
  const rows = await tx<(Invoice & { feeSats: number; seenSats: number })[]>`
    update invoices i set state = 'paid', paid_at = now(), fee_sats = p.fee, look_at = null
    from unnest(
      ${payments.map((p) => p.paymentHash)}::text[], ${payments.map((p) => p.amountSats)}::bigint[],
      ${payments.map((p) => p.feeSats)}::bigint[]
    ) p (payment_hash, amount, fee)
    where i.payment_hash = p.payment_hash and i.state <> 'paid'
    returning ${invoiceColumns(tx)}, i.fee_sats, p.amount as seen_sats`.execute()
  return [...rows]
}

export interface WatchedInvoice {
  paymentHash: string
  amountSats: number
}

/**
 * Hashes that may still be paid: open ones, and expired ones within their grace time; with `paymentHash` at most
 * that one. `due`: its own look is due.
 */
export async function readWatched(
  sql: Sql,
  limit: number,
  paymentHash?: string,
): Promise<(WatchedInvoice & { due: boolean })[]> {
  const rows = await sql<(WatchedInvoice & { due: boolean })[]>`
    select payment_hash, amount_sats, look_at <= now() as due from invoices
    where look_at is not null
      and (${paymentHash ?? null}::text is null or payment_hash = ${paymentHash ?? null})
    order by look_at limit ${limit}`.execute()
  return [...rows]
}

/** Invoices that have not expired: those of each customer in turn, and what expires first at first. */
export async function readOpen(sql: Sql, limit: number): Promise<WatchedInvoice[]> {
  const rows = await sql<WatchedInvoice[]>`
    select payment_hash, amount_sats from (
      select payment_hash, amount_sats, expires_at,
        row_number() over (partition by customer order by expires_at) as turn
      from invoices where look_at is not null and expires_at > now()
    ) open
    order by turn, expires_at limit ${limit}`.execute()
  return [...rows]
}

/** What the payment watch has to do. */
export interface WatchPace {
  /** Milliseconds until the first look at one hash is due, negative when it is; null when none is watched. */
  nextLookMs: number | null
  /** Some invoice has not expired: payments may come at any moment. */
  open: boolean
}

export async function readWatchPace(sql: Sql): Promise<WatchPace> {
  const [row] = await sql<WatchPace[]>`
    select extract(epoch from min(look_at) - now())::float8 * 1000 as next_look_ms,
      coalesce(max(expires_at) > now(), false) as open
    from invoices where look_at is not null`
  return row ?? { nextLookMs: null, open: false }
}

/**
 * Hashes whose own look is due; each look is moved on at once, so that replicas do not ask twice. What has not
 * expired goes first, for a look after expiry does not reach the node any more; then customers go round, so that
 * one with a thousand unpaid invoices does not use up the looks of the others.
 */
export async function takeDueLooks(sql: Sql, limit: number): Promise<WatchedInvoice[]> {
  const rows = await sql<WatchedInvoice[]>`
    update invoices i set look_at = now() + interval '10 seconds'
    from (
      select w.payment_hash from (
        select payment_hash, expires_at <= now() as over,
          row_number() over (partition by customer, expires_at <= now() order by look_at) as turn
        from invoices where look_at <= now()
      ) ready join invoices w using (payment_hash)
      where w.look_at <= now()
      order by ready.over, ready.turn, w.look_at limit ${limit} for update of w skip locked
    ) due
    where i.payment_hash = due.payment_hash
    returning i.payment_hash, i.amount_sats`.execute()
  return [...rows]
}

/**
 * LNbits answered "not paid". Before expiry the next look is the one shortly before it. After expiry the hash is
 * watched on, ever more slowly, through a grace time: an answer of `failed` is not the end of an incoming invoice.
 */
export async function noteUnpaid(sql: AnySql, paymentHashes: readonly string[]): Promise<void> {
  await sql`
    update invoices set
      state = case
        when expires_at > now() then state
        when expires_at + make_interval(secs => ${GRACE_SECONDS}) < now() then 'given_up'
        else 'expired' end,
      look_at = case
        when expires_at > now() + interval '10 seconds' then expires_at - interval '5 seconds'
        when expires_at > now() then greatest(now() + interval '1 second', expires_at)
        when expires_at + make_interval(secs => ${GRACE_SECONDS}) < now() then null
        -- A quarter of the time that it has been expired, and never less than half a minute.
        else now() + greatest(interval '30 seconds', (now() - expires_at) / 4) end
    where payment_hash = any(${[...paymentHashes]}::text[]) and state in ('open', 'expired')`.execute()
}

/** The invoice of a job, for a last look before it expires. `overdue`: its grace time is over. */
export async function readInvoiceOfJob(
  sql: AnySql,
  jobId: number,
): Promise<(WatchedInvoice & { overdue: boolean }) | undefined> {
  const [row] = await sql<(WatchedInvoice & { overdue: boolean })[]>`
    select payment_hash, amount_sats,
      expires_at + make_interval(secs => ${GRACE_SECONDS}) < now() as overdue
    from invoices where job_id = ${jobId}`.execute()
  return row
}

/** Jobs whose invoice is still to be made, of all replicas. */
export async function countUninvoiced(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*) as count from jobs where state = 'accepted' and due_at is not null`
  return row?.count ?? 0
}
