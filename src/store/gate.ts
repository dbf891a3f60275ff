import { TWIN_JOBS, TWIN_SECONDS } from '../limits.ts'
import { type CustomerFacts, type Door, factColumns, factSources } from './customers.ts'
import type { Tx } from './database.ts'
import type { ReplyTo } from './inbox.ts'
import type { NewJob } from './jobs.ts'
import type { Lease } from './lease.ts'
import { GIVE_UP_SECONDS, type NewReply } from './outbox.ts'

/*
 * The gate's two statements, one that reads and one that writes everything, because each further
 * statement of a batch costs as much as ten more requests in it.
 */

/** What the gate asks about one request, and the ids that what comes of it will have. */
export interface GateRead extends CustomerFacts {
  /** This message is in the inbox already. */
  takenIn: boolean
  /** The customer's job of the same text by another door, made within `TWIN_SECONDS`. */
  twinId: number | null
  /** By which door the customer's jobs came so far; null for none. */
  door: Door | null
  jobId: number
  replyId: number
}

/**
 * Reads for all requests, in their order; call it under the pool lock. Twins of a key that comes by another door than
 * before are looked for among its latest jobs above the id `twinsAbove`: an index for texts would cost every job more
 * than twins cost anybody. Of a key that never paid only today is read, because no term of its room looks further back.
 * "Taken in" is no `exists`: planned while the inbox is empty, that reads the whole inbox for each batch ever after.
 */
export async function readGate(
  tx: Tx,
  requests: readonly { to: ReplyTo; requestHash: string }[],
  twinsAbove: number,
): Promise<GateRead[]> {
  return await tx<GateRead[]>`
    select
      (
        select true from inbox i where i.rumor_at = k.rumor_at and i.rumor_id = k.rumor_id
      ) is not null as taken_in,
      case when c.door is distinct from k.via then (
        select t.id from (
          select id, request_hash, via from jobs
          where customer = k.pubkey and id > ${twinsAbove} order by id desc limit ${TWIN_JOBS}::int
        ) t
        where t.request_hash = k.request_hash and t.via <> k.via and exists (
          select from jobs
          where id = t.id and created_at > now() - make_interval(secs => ${TWIN_SECONDS})
        )
        limit 1
      ) end as twin_id,
      c.door,
      nextval('jobs_id_seq') as job_id,
      nextval('outbox_id_seq') as reply_id,
      ${factColumns(tx)}
    from unnest(
      ${requests.map(({ to }) => to.rumorAt)}::bigint[],
      ${requests.map(({ to }) => to.rumorId)}::text[],
      ${requests.map(({ to }) => to.customer)}::text[],
      ${requests.map(({ requestHash }) => requestHash)}::text[],
      ${requests.map(({ to }) => to.via)}::text[]
    ) with ordinality k (rumor_at, rumor_id, pubkey, request_hash, via, place)
    ${factSources(tx, tx`case when c.first_paid_at is null then 1 else 90 end`)}
    order by k.place`.execute()
}

/** The latest job made more than `seconds` ago, 0 for none: walks back over the jobs made since. */
export async function readLatestJobBefore(tx: Tx, seconds: number): Promise<number> {
  const [row] = await tx<{ id: number }[]>`
    select id from jobs where created_at < now() - make_interval(secs => ${seconds})
    order by id desc limit 1`.execute()
  return row?.id ?? 0
}

/** One message with what came of it. */
export interface GateWrite {
  /** Where it stands in the inbox; the customer is who sent it. */
  to: ReplyTo
  relay: string | null
  proof: string
  job: NewJob | null
  reply: { id: number; row: NewReply } | null
}

export interface GateTotals {
  day: string
  /** Used when this is the day's first movement. */
  openingSats: number
  /** Σ reservations of the written jobs. */
  reservedSats: number
  free: number
  partial: number
}

/**
 * Takes messages in and writes their jobs, born leased, with the reservations, counters and
 * replies. Not awaited: it is to be the transaction's last statement. Fails with 23505 for a
 * message that somebody took in since it was read, and then nothing of the batch is written. What a
 * balance pays is not moved here.
 */
export function writeGate(
  tx: Tx,
  writes: readonly GateWrite[],
  totals: GateTotals,
  leases: { job: Lease; reply: Lease },
) {
  const jobs = writes.map(({ job }) => job)
  return tx`
    with w as materialized (
      select * from unnest(
        ${writes.map(({ to }) => to.rumorAt)}::bigint[],
        ${writes.map(({ to }) => to.rumorId)}::text[],
        ${writes.map(({ to }) => to.customer)}::text[],
        ${writes.map(({ to }) => to.via)}::text[],
        ${writes.map(({ to }) => to.form)}::text[],
        ${writes.map(({ to }) => to.programId)}::text[],
        ${writes.map(({ relay }) => relay)}::text[],
        ${writes.map(({ proof }) => proof)}::text[],
        ${jobs.map((job) => job?.id ?? null)}::bigint[],
        ${jobs.map((job) => job?.state ?? null)}::text[],
        ${jobs.map((job) => job?.requestHash ?? null)}::text[],
        ${jobs.map((job) => job?.model ?? null)}::text[],
        ${jobs.map((job) => job?.tier ?? null)}::text[],
        ${jobs.map((job) => job?.tierSource ?? null)}::text[],
        ${jobs.map((job) => job?.serve ?? null)}::text[],
        ${jobs.map((job) => job?.paidFrom ?? null)}::text[],
        ${jobs.map((job) => job?.estimatedSats ?? null)}::bigint[],
        ${jobs.map((job) => job?.chargeSats ?? null)}::bigint[],
        ${jobs.map((job) => job?.promisedSats ?? null)}::bigint[],
        ${jobs.map((job) => job?.reservedSats ?? null)}::bigint[],
        ${jobs.map((job) => job?.paidSats ?? null)}::bigint[],
        ${jobs.map((job) => job?.usdPerBtc ?? null)}::float8[],
        ${jobs.map((job) => job?.inputTokens ?? null)}::int[],
        ${jobs.map((job) => job?.outputTokens ?? null)}::int[],
        ${jobs.map((job) => job?.request ?? null)}::text[],
        ${writes.map(({ reply }) => reply?.id ?? null)}::bigint[],
        ${writes.map(({ reply }) => reply?.row.step ?? null)}::text[],
        ${writes.map(({ reply }) => (reply ? JSON.stringify(reply.row.reply) : null))}::text[]
      ) w (rumor_at, rumor_id, customer, via, form, program_id, relay, proof, job_id, state,
        request_hash, model, tier, tier_source, serve, paid_from, estimated_sats, charge_sats,
        promised_sats, reserved_sats, paid_sats, usd_per_btc, input_tokens, output_tokens, request,
        reply_id, step, reply)
    ), taken_in as (
      insert into inbox (rumor_at, rumor_id, sender, via, relay, proof)
      select rumor_at, rumor_id, customer, via, relay, proof from w
    ), made as (
      insert into jobs (id, state, customer, via, form, program_id, rumor_at, rumor_id,
        request_hash, model, tier, tier_source, serve, paid_from, estimated_sats, charge_sats,
        promised_sats, reserved_sats, reserved_day, paid_sats, held_sats, free_tier, usd_per_btc,
        input_tokens, output_tokens, due_at, lease, epoch, tries)
      overriding system value
      select job_id, state, customer, via, form, program_id, rumor_at, rumor_id, request_hash,
        model, tier, tier_source, serve, paid_from, estimated_sats, charge_sats, promised_sats,
        reserved_sats, case when reserved_sats > 0 then ${totals.day}::text::date end, paid_sats,
        reserved_sats + paid_sats, reserved_sats > 0, usd_per_btc, input_tokens, output_tokens,
        now() + make_interval(secs => ${leases.job.seconds}), ${leases.job.holder}, 1, 1
      from w where job_id is not null
    ), asked as (
      insert into job_texts (job_id, request)
      select job_id, request from w where job_id is not null
    ), replied as (
      insert into outbox (id, customer, via, form, program_id, job_id, step, rumor_at, rumor_id,
        reply, give_up_at, due_at, lease, epoch, tries)
      overriding system value
      select reply_id, customer, via, form, program_id, job_id, step, rumor_at, rumor_id,
        reply::jsonb, now() + make_interval(secs => ${GIVE_UP_SECONDS}),
        now() + make_interval(secs => ${leases.reply.seconds}), ${leases.reply.holder}, 1, 1
      from w where reply_id is not null
    ), reserved as (
      insert into transfers (kind, debit, credit, sats, job_id, day)
      select 'reserve', 'pool', 'job:' || job_id, reserved_sats, job_id, ${totals.day}::text::date
      from w where reserved_sats > 0
    ), debited as (
      update accounts set balance_sats = balance_sats - ${totals.reservedSats}
      where name = 'pool' and ${totals.reservedSats} > 0
    ), counted as (
      insert into customer_days as d (customer, day, absorbed_sats)
      select customer, ${totals.day}::text::date, sum(reserved_sats)::bigint
      from w where reserved_sats > 0 group by customer
      on conflict (customer, day) do update
      set absorbed_sats = d.absorbed_sats + excluded.absorbed_sats
    )
    insert into pool_days as d (day, opening_sats, absorbed_sats, free_count, partial_count)
    select ${totals.day}::text::date, ${totals.openingSats}, ${totals.reservedSats},
      ${totals.free}, ${totals.partial}
    where ${totals.reservedSats} > 0
    on conflict (day) do update set absorbed_sats = d.absorbed_sats + excluded.absorbed_sats,
      free_count = d.free_count + excluded.free_count,
      partial_count = d.partial_count + excluded.partial_count`
}
