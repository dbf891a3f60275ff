import type { AnySql, Tx } from './database.ts'
import type { Lease } from './lease.ts'
import type { Form, ReplyTo, Via } from './inbox.ts'

/** How long an undelivered reply is tried, seconds: a relay list may be down for a weekend. */
export const GIVE_UP_SECONDS = 3 * 86_400

export interface NewReply {
  to: ReplyTo
  jobId: number | null
  /** One distinct reply per step of a job. */
  step: string
  reply: Record<string, unknown>
}

/** A reply as its lane sees it. */
export interface OutboxRow {
  id: number
  customer: string
  via: Via
  form: Form
  programId: string | null
  jobId: number | null
  step: string
  rumorAt: number | null
  rumorId: string | null
  reply: Record<string, unknown>
  /** Unix seconds; the date of its rumor, so that wrapping twice gives one message. */
  createdAt: number
  givenUp: boolean
  delivered: boolean
  /** An earlier reply of the same job has not arrived yet, and this one has not waited long for it. */
  isBehind: boolean
  epoch: number
  tries: number
  /** Its events, when they were stored together with it. */
  stored?: StoredReply
}

/**
 * Puts replies in the outbox, born leased to `lease`: after the commit they are handed to the deliver
 * lane without a claim. A step of a job that has its reply already adds nothing.
 */
export function putReplies(
  tx: AnySql,
  replies: readonly NewReply[],
  lease: Lease,
): Promise<OutboxRow[]> {
  if (replies.length === 0) return Promise.resolve([])
  const rows = tx<OutboxRow[]>`
    insert into outbox (customer, via, form, program_id, job_id, step, rumor_at, rumor_id, reply,
      give_up_at, due_at, lease, epoch, tries)
    select customer, via, form, program_id, job_id, step, rumor_at, rumor_id, reply::jsonb,
      now() + make_interval(secs => ${GIVE_UP_SECONDS}),
      now() + make_interval(secs => ${lease.seconds}), ${lease.holder}, 1, 1
    from unnest(
      ${replies.map((r) => r.to.customer)}::text[],
      ${replies.map((r) => r.to.via)}::text[],
      ${replies.map((r) => r.to.form)}::text[],
      ${replies.map((r) => r.to.programId)}::text[],
      ${replies.map((r) => r.jobId)}::bigint[],
      ${replies.map((r) => r.step)}::text[],
      ${replies.map((r) => r.to.rumorAt)}::bigint[],
      ${replies.map((r) => r.to.rumorId)}::text[],
      ${replies.map((r) => JSON.stringify(r.reply))}::text[]
    ) r (customer, via, form, program_id, job_id, step, rumor_at, rumor_id, reply)
    on conflict (job_id, step) do nothing
    returning ${outboxColumns(tx)}`.execute()
  return rows.then((inserted) => [...inserted])
}

/**
 * Whether a customer was sent this within a day. Whoever asks in the same transaction and then sends it is alone
 * with that: others of this customer wait for the end of it.
 */
export async function wasTold(tx: Tx, customer: string, step: string): Promise<boolean> {
  await tx`select pg_advisory_xact_lock(hashtextextended(${step} || ' ' || ${customer}, 0))`.execute()
  const rows = await tx`
    select 1 from outbox
    where customer = ${customer} and step = ${step} and created_at > now() - interval '1 day'
    limit 1`.execute()
  return rows.length > 0
}

/** How long a reply waits for an undelivered one before it. */
const BEHIND_SECONDS = 20

/** Columns of an `OutboxRow`; `from` is what the statement calls the row. */
export const outboxColumns = (sql: AnySql, from = 'outbox') => sql`
  id, customer, via, form, program_id, job_id, step, rumor_at, rumor_id, reply,
  floor(extract(epoch from created_at))::bigint as created_at,
  give_up_at <= now() as given_up, delivered_at is not null as delivered, epoch, tries,
  ${sql(from)}.created_at > now() - make_interval(secs => ${BEHIND_SECONDS}) and exists (
    select 1 from outbox earlier
    where earlier.job_id = ${sql(from)}.job_id and earlier.id < ${sql(from)}.id
      and earlier.delivered_at is null and earlier.due_at is not null
  ) as is_behind`

export interface StoredEvent {
  part: number
  eventId: string
  eventJson: string
}

export interface Publication {
  part: number
  relay: string
  acknowledged: boolean
  /** Final: this relay will never take it. */
  refused: boolean
  /** What the last try came to, when it was not an OK: `timeout`, `refused: pow: …`. Null before the first. */
  error: string | null
}

/** A signed reply and what became of it: one event a part, and each part's publication by relay. */
export interface StoredReply {
  events: StoredEvent[]
  publications: Publication[]
}

export async function readEvents(sql: AnySql, outboxId: number): Promise<StoredReply> {
  const [events, publications] = await Promise.all([
    sql<StoredEvent[]>`
      select part, event_id, event_json from outbox_events
      where outbox_id = ${outboxId} order by part`.execute(),
    sql<Publication[]>`
      select part, relay, acknowledged_at is not null as acknowledged,
        refused_at is not null as refused, last_error as error
      from outbox_publications where outbox_id = ${outboxId} order by part, relay`.execute(),
  ])
  return { events: [...events], publications: [...publications] }
}

/**
 * Stores signed events and the relays they go to, once: a second writer finds them there, fails with 23505 and
 * stores nothing. Not awaited: it is to be the transaction's last statement.
 */
export function storeEvents(tx: Tx, signed: readonly ({ outboxId: number } & StoredReply)[]) {
  const events = signed.flatMap((s) => s.events.map((e) => ({ ...e, outboxId: s.outboxId })))
  const publications = signed.flatMap((s) =>
    s.publications.map((p) => ({ ...p, outboxId: s.outboxId })),
  )
  return tx`
    with stored as (
      insert into outbox_events (outbox_id, part, event_id, event_json)
      select * from unnest(
        ${events.map((e) => e.outboxId)}::bigint[],
        ${events.map((e) => e.part)}::int[],
        ${events.map((e) => e.eventId)}::text[],
        ${events.map((e) => e.eventJson)}::text[])
    )
    insert into outbox_publications (outbox_id, part, relay)
    select * from unnest(
      ${publications.map((p) => p.outboxId)}::bigint[],
      ${publications.map((p) => p.part)}::int[],
      ${publications.map((p) => p.relay)}::text[])`
}

export type PublicationResult = Publication & { outboxId: number }

/** Puts other events in the place of those that no relay has; false when the row was taken over meanwhile. */
export async function replaceEvents(
  sql: AnySql,
  row: Pick<OutboxRow, 'id' | 'epoch'>,
  events: readonly StoredEvent[],
): Promise<boolean> {
  // Under the row's lock: it cannot be claimed between the look at its epoch and the change.
  const rows = await sql`
    with held as (
      select id from outbox where id = ${row.id} and epoch = ${row.epoch} for update
    )
    update outbox_events e set event_id = k.event_id, event_json = k.event_json
    from unnest(
      ${events.map((e) => e.part)}::int[],
      ${events.map((e) => e.eventId)}::text[],
      ${events.map((e) => e.eventJson)}::text[]
    ) k (part, event_id, event_json), held
    where e.outbox_id = held.id and e.part = k.part
    returning e.part`.execute()
  return rows.length === events.length
}

export interface OutboxEnd {
  id: number
  epoch: number
  /** At least one relay said OK to every part. */
  delivered: boolean
  /** Seconds until the next try, or null when nothing is left to try. */
  againSeconds: number | null
  error: string | null
}

/** Type of a boolean: the driver takes a bare list of them for a single one. */
const BOOLEAN = 16

/**
 * Records what relays answered and when to try again; fenced by epoch. Rows are locked in the order of ids,
 * as renewals of leases do. The disk is not waited for: an answer that a crash takes away is asked for again, by
 * the same events, and this is the only transaction of a reply that nobody else builds on.
 */
export async function settlePublications(
  sql: Tx,
  results: readonly PublicationResult[],
  ends: readonly OutboxEnd[],
): Promise<void> {
  const ids = ends.map((end) => end.id)
  await Promise.all([
    sql`set local synchronous_commit to off`.execute(),
    sql`select from outbox where id = any(${ids}::bigint[]) order by id for update`.execute(),
    sql`
      update outbox_publications p set
        acknowledged_at = case when r.acknowledged then coalesce(p.acknowledged_at, now())
          else p.acknowledged_at end,
        refused_at = case when r.refused then coalesce(p.refused_at, now()) else p.refused_at end,
        -- A relay that took it and never answered still may have it when it cannot be reached later.
        last_error = case when p.last_error like 'timeout%' and r.error like 'unreachable%'
          then p.last_error else r.error end
      from unnest(
        ${results.map((r) => r.outboxId)}::bigint[],
        ${results.map((r) => r.part)}::int[],
        ${results.map((r) => r.relay)}::text[],
        ${sql.array(
          results.map((r) => r.acknowledged),
          BOOLEAN,
        )}::boolean[],
        ${sql.array(
          results.map((r) => r.refused),
          BOOLEAN,
        )}::boolean[],
        ${results.map((r) => r.error)}::text[]
      ) r (outbox_id, part, relay, acknowledged, refused, error)
      where p.outbox_id = r.outbox_id and p.part = r.part and p.relay = r.relay`.execute(),
    sql`
      update outbox o set
        lease = null,
        due_at = now() + make_interval(secs => e.again_seconds),
        delivered_at = case when e.delivered then coalesce(o.delivered_at, now())
          else o.delivered_at end,
        last_error = e.error
      from unnest(
        ${ends.map((e) => e.id)}::bigint[],
        ${ends.map((e) => e.epoch)}::int[],
        ${sql.array(
          ends.map((e) => e.delivered),
          BOOLEAN,
        )}::boolean[],
        ${ends.map((e) => e.againSeconds)}::float8[],
        ${ends.map((e) => e.error)}::text[]
      ) e (id, epoch, delivered, again_seconds, error)
      where o.id = e.id and o.epoch = e.epoch`.execute(),
  ])
}
