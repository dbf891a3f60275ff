import type { AnySql, Sql } from './database.ts'

/**
 * Date and number of the next pool status. The date grows by at least a second each time and across restarts,
 * because relays may keep the older of two events of one second; the number is the head of the ledger. In one
 * transaction with the figures it makes their order the order of the dates: its row is the lock.
 */
export async function nextStatus(sql: AnySql): Promise<{ at: number; seq: number }> {
  const [row] = await sql<{ at: number; seq: number }[]>`
    update outbox_status set
      published_at = greatest(published_at + 1, floor(extract(epoch from now()))::bigint),
      sequence = greatest(sequence, (select coalesce(max(id), 0) from transfers))
    returning published_at as at, sequence as seq`.execute()
  if (!row) throw new Error('the pool status row is missing: the database was not migrated')
  return row
}

/** Where replicas and commands tell of what the pool status shows; a hint that may be lost. */
export const STATUS_CHANNEL = 'tithe_pool_status'

/** `changed`: the figures are others. `left`: nobody has the turn to publish. Within a transaction, at its commit. */
export async function tellOfStatus(sql: AnySql, what: 'changed' | 'left'): Promise<void> {
  await sql`select pg_notify(${STATUS_CHANNEL}, ${what})`
}

/** Unix seconds of the first boot of this database. */
export async function readBornAt(sql: Sql): Promise<number> {
  const [row] = await sql<{ at: number }[]>`
    select floor(extract(epoch from (value ->> 'at')::timestamptz))::bigint as at
    from timmy_config where key = 'pool_seeded'`
  return row?.at ?? 0
}
