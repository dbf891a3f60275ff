import type { AnySql } from './database.ts'

/**
 * What a replica knows of its surroundings. Durations, because its clock and the database's may differ; they
 * are as old as the word itself.
 */
export interface ReplicaFacts {
  /**
   * The operator's relays; `url` may hold an access token and is for the operator alone. `liveMs`: how long
   * every subscription on it is live; `deafMs`: how long one is not. One of the two is null.
   */
  relays: { url: string; state: string; liveMs: number | null; deafMs: number | null }[]
  /** `events`: the websocket is up. `downMs`: how long it has not answered; null while it does. */
  lnbits: { up: boolean; events: boolean; balanceSats: number | null; downMs: number | null }
  backend: string
  /** Address of the status port. */
  http: string
}

export interface Replica {
  holder: string
  version: string
  /** Unix seconds by the database's clock. */
  startedAt: number
  seenSecondsAgo: number
  facts: ReplicaFacts
}

/** Silence after which a replica counts as gone, seconds: six words of it. */
export const GONE_SECONDS = 60
/** Rows of replicas that died are kept for a day, for who asks what there was. */
const KEPT = '1 day'

export async function reportReplica(
  sql: AnySql,
  replica: Pick<Replica, 'holder' | 'version' | 'facts'> & { upSeconds: number },
): Promise<void> {
  const { holder, version, facts, upSeconds } = replica
  await sql`
    with gone as (
      delete from outbox_replicas where seen_at < now() - ${KEPT}::interval
    )
    insert into outbox_replicas as r (holder, version, started_at, facts)
    values (${holder}, ${version}, now() - make_interval(secs => ${upSeconds}),
      ${JSON.stringify(facts)}::text::jsonb)
    on conflict (holder) do update set seen_at = now(), facts = excluded.facts`.execute()
}

/** A replica that stopped is not running: its word goes with it. */
export async function forgetReplica(sql: AnySql, holder: string): Promise<void> {
  await sql`delete from outbox_replicas where holder = ${holder}`.execute()
}

/** The replicas that run now, oldest first. */
export async function readReplicas(sql: AnySql): Promise<Replica[]> {
  const rows = await sql<Replica[]>`
    select holder, version, floor(extract(epoch from started_at))::bigint as started_at,
      greatest(extract(epoch from now() - seen_at), 0)::float8 as seen_seconds_ago, facts
    from outbox_replicas
    where seen_at > now() - make_interval(secs => ${GONE_SECONDS})
    order by started_at, holder`.execute()
  return [...rows]
}
