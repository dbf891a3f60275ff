import type { AnySql, Tx } from './database.ts'
import { LANE_CHANNEL } from './lanes.ts'
import { GIVE_UP_SECONDS } from './outbox.ts'

/** A trouble that operators were told of. */
export interface OpenAlert {
  name: string
  /** It was told a day ago or earlier. */
  isOld: boolean
}

/** Reads what is open and keeps everybody else from changing it until the transaction ends. */
export async function lockAlerts(tx: Tx): Promise<OpenAlert[]> {
  await tx`select pg_advisory_xact_lock(hashtext('outbox_alerts'))`.execute()
  const rows = await tx<OpenAlert[]>`
    select name, told_at < now() - interval '1 day' as is_old from outbox_alerts`.execute()
  return [...rows]
}

export async function raiseAlerts(tx: Tx, names: readonly string[]): Promise<void> {
  await tx`
    insert into outbox_alerts (name) select name from unnest(${[...names]}::text[]) n (name)
    on conflict (name) do update set told_at = now()`.execute()
}

export async function clearAlerts(tx: Tx, names: readonly string[]): Promise<void> {
  await tx`delete from outbox_alerts where name = any(${[...names]}::text[])`.execute()
}

/**
 * Puts alerts in the outbox, one row for each operator, due at once: the deliver lane of any replica signs and
 * sends them like replies, and tries as long.
 */
export async function putAlerts(
  tx: AnySql,
  alerts: readonly Record<string, unknown>[],
  operators: readonly string[],
): Promise<number> {
  const rows = await tx`
    with told as (
      insert into outbox (customer, via, form, step, reply, give_up_at, due_at)
      select o.pubkey, 'nip17', 'words', 'alert', a.reply::jsonb,
        now() + make_interval(secs => ${GIVE_UP_SECONDS}), now()
      from unnest(${alerts.map((alert) => JSON.stringify(alert))}::text[]) a (reply)
      cross join unnest(${[...operators]}::text[]) o (pubkey)
      returning id
    )
    select id, pg_notify(${LANE_CHANNEL}, 'outbox') from told`.execute()
  return rows.length
}
