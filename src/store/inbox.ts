import type { AnySql, Sql } from './database.ts'

export type Via = 'nip17' | 'nip04' | 'nip90'
export type Form = 'json' | 'words'

/** A message's place in the inbox: its own time and recomputed id. */
export interface MessageKey {
  rumorAt: number
  rumorId: string
}

export interface InboxMessage extends MessageKey {
  sender: string
  via: Via
  relay: string | null
  /** The seal or the signed event: the only proof of who asked. */
  proof: string
}

/** How and where a reply goes. */
export interface ReplyTo extends MessageKey {
  customer: string
  via: Via
  form: Form
  programId: string | null
}

/**
 * Takes messages in; answers the ids that were not known before. In the transaction that creates what
 * the message asks for: a row committed on its own turns a crash into silence. Two replicas that were
 * handed the same messages in another order wait for each other's rows, so all insert in one order.
 */
export async function takeIn(tx: AnySql, taken: readonly InboxMessage[]): Promise<Set<string>> {
  const messages = taken.toSorted((a, b) => (a.rumorId < b.rumorId ? -1 : 1))
  const rows = await tx<{ rumorId: string }[]>`
    insert into inbox (rumor_at, rumor_id, sender, via, relay, proof)
    select * from unnest(
      ${messages.map((m) => m.rumorAt)}::bigint[],
      ${messages.map((m) => m.rumorId)}::text[],
      ${messages.map((m) => m.sender)}::text[],
      ${messages.map((m) => m.via)}::text[],
      ${messages.map((m) => m.relay)}::text[],
      ${messages.map((m) => m.proof)}::text[]
    )
    on conflict (rumor_at, rumor_id) do nothing
    returning rumor_id`.execute()
  return new Set(rows.map((row) => row.rumorId))
}

export async function isTakenIn(sql: AnySql, key: MessageKey): Promise<boolean> {
  const rows = await sql`
    select 1 from inbox where rumor_at = ${key.rumorAt} and rumor_id = ${key.rumorId}`.execute()
  return rows.length > 0
}

/** The relay a message came by and the proof of who wrote it. */
export async function readMessageRow(
  sql: AnySql,
  key: MessageKey,
): Promise<{ relay: string | null; proof: string | null } | undefined> {
  const [row] = await sql<{ relay: string | null; proof: string | null }[]>`
    select relay, proof from inbox where rumor_at = ${key.rumorAt} and rumor_id = ${key.rumorId}`.execute()
  return row
}

/** One quarantine row per poisonous message; true when it is the first time. */
export async function quarantine(sql: AnySql, hash: string, reason: string): Promise<boolean> {
  const rows = await sql`
    insert into inbox_quarantine (hash, reason) values (${hash}, ${reason})
    on conflict (hash) do nothing
    returning hash`.execute()
  return rows.length > 0
}

export async function loadCursor(
  sql: Sql,
  relay: string,
  stream: string,
): Promise<number | undefined> {
  const [row] = await sql<{ liveUntil: number }[]>`
    select live_until from inbox_cursors where relay = ${relay} and stream = ${stream}`.execute()
  return row?.liveUntil
}

export interface Cursor {
  relay: string
  stream: string
  /** Unix seconds. */
  liveUntil: number
}

/** Moves cursors forward, never back: a replica that was behind must not undo another's progress. */
export async function saveCursors(sql: Sql, cursors: readonly Cursor[]): Promise<void> {
  await sql`
    insert into inbox_cursors (relay, stream, live_until)
    select relay, stream, max(live_until) from unnest(
      ${cursors.map((c) => c.relay)}::text[], ${cursors.map((c) => c.stream)}::text[],
      ${cursors.map((c) => c.liveUntil)}::bigint[]
    ) c (relay, stream, live_until)
    group by relay, stream order by relay, stream
    on conflict (relay, stream) do update
    set live_until = greatest(inbox_cursors.live_until, excluded.live_until)`.execute()
}
