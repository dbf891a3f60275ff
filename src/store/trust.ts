import type { Tier } from '../money/tiers.ts'
import type { AnySql, Tx } from './database.ts'

/** Why a key is banned when an operator's mute list says so: what the list bans, it lifts again. */
export const MUTED = 'muted'

/** A version of a list, by NIP-01's order of replaceable events. */
export interface ListVersion {
  address: string
  /** Unix seconds, by the list's author. */
  eventAt: number
  eventId: string
  keys: number
}

/**
 * Notes that this version is obeyed; false when a newer one was, and then nothing is noted. Of two of one second
 * the lower id counts.
 */
export async function obeyList(tx: Tx, version: ListVersion): Promise<boolean> {
  const { address, eventAt, eventId, keys } = version
  const rows = await tx`
    insert into trust_lists as t (address, event_at, event_id, keys)
    values (${address}, ${eventAt}, ${eventId}, ${keys})
    on conflict (address) do update
    set event_at = excluded.event_at, event_id = excluded.event_id, keys = excluded.keys,
      obeyed_at = now()
    where excluded.event_at > t.event_at
      or (excluded.event_at = t.event_at and excluded.event_id <= t.event_id)
    returning address`.execute()
  return rows.length > 0
}

export async function wasObeyed(sql: AnySql, address: string): Promise<boolean> {
  const rows = await sql`select 1 from trust_lists where address = ${address}`.execute()
  return rows.length > 0
}

export interface TrustChange {
  granted: number
  takenBack: number
}

/**
 * Grants `tier` to these keys in the name of one source, and takes it back from every other key that has it from
 * there. What the operator granted is left alone, and of the two sources `list` goes before `rank`.
 */
export async function applyTrust(
  tx: Tx,
  { source, tier, keys }: { source: 'list' | 'rank'; tier: Tier; keys: readonly string[] },
): Promise<TrustChange> {
  const wanted = [...new Set(keys)].sort()
  await addKeys(tx, wanted)
  const granted = await tx`
    update customers set granted_tier = ${tier}, granted_source = ${source}
    where pubkey = any(${wanted}::text[])
      and (granted_source is null or granted_source = ${source}
        or (${source} = 'list' and granted_source = 'rank'))
      and (granted_tier, granted_source) is distinct from (${tier}, ${source})
    returning pubkey`.execute()
  const takenBack = await tx`
    update customers set granted_tier = null, granted_source = null
    where granted_source = ${source} and pubkey <> all(${wanted}::text[])
    returning pubkey`.execute()
  return { granted: granted.length, takenBack: takenBack.length }
}

/** Grants `tier` by rank to keys that are new, and takes nothing back. */
export async function addRanked(tx: Tx, tier: Tier, keys: readonly string[]): Promise<number> {
  const rows = await tx`
    update customers set granted_tier = ${tier}, granted_source = 'rank'
    where pubkey = any(${[...keys]}::text[]) and granted_source is null
    returning pubkey`.execute()
  return rows.length
}

/**
 * Bans these keys as muted. With `lift` every other key that was banned so is served again; the operator's own
 * bans stay.
 */
export async function applyMutes(
  tx: Tx,
  { keys, lift }: { keys: readonly string[]; lift: boolean },
): Promise<{ banned: number; lifted: number }> {
  const wanted = [...new Set(keys)].sort()
  await addKeys(tx, wanted)
  const banned = await tx`
    update customers set banned_at = now(), ban_reason = ${MUTED}
    where pubkey = any(${wanted}::text[]) and banned_at is null
    returning pubkey`.execute()
  const lifted = lift
    ? await tx`
        update customers set banned_at = null, ban_reason = null
        where ban_reason = ${MUTED} and pubkey <> all(${wanted}::text[])
        returning pubkey`.execute()
    : []
  return { banned: banned.length, lifted: lifted.length }
}

const addKeys = (tx: Tx, keys: readonly string[]) =>
  tx`
    insert into customers (pubkey) select pubkey from unnest(${[...keys]}::text[]) k (pubkey)
    on conflict (pubkey) do nothing`.execute()

/** Keys whose rank is worth asking for: customers that asked for work or paid, latest first. */
export async function readRankable(
  sql: AnySql,
  { limit, newerThanSeconds }: { limit: number; newerThanSeconds?: number },
): Promise<string[]> {
  const rows = await sql<{ pubkey: string }[]>`
    select pubkey from customers c
    where (${newerThanSeconds ?? null}::float8 is null
        or created_at > now() - make_interval(secs => ${newerThanSeconds ?? null}))
      and (exists (select 1 from jobs j where j.customer = c.pubkey)
        or exists (select 1 from invoices i where i.customer = c.pubkey)
        or granted_source = 'rank')
    order by created_at desc limit ${limit}`.execute()
  return rows.map((row) => row.pubkey)
}
