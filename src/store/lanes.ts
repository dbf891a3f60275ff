import type { AnySql, Sql } from './database.ts'
import { type Job, jobColumns } from './jobs.ts'
import { type OutboxRow, outboxColumns } from './outbox.ts'
import { type Withdrawal, withdrawalColumns } from './withdrawals.ts'

/** A claimed row knows its fence; ids are unique within one table. */
export interface Claimed {
  id: number
  epoch: number
  tries: number
}

/**
 * How a lane claims, renews and lets go of the rows of one table. All times come from the database's clock;
 * processes hand in durations. `due_at` is schedule, timer and lease expiry in one, so a row whose owner died
 * becomes due by itself.
 */
export interface LaneQueries<Row extends Claimed> {
  /** Claims up to `count` due rows; `waitMs` is the time until the next one is due, or null for none. */
  claim(
    sql: Sql,
    count: number,
    holder: string,
    leaseSeconds: number,
  ): Promise<{ rows: Row[]; waitMs: number | null }>
  /** Keeps what is held; answers the ids that are still ours. */
  renew(sql: Sql, held: readonly Claimed[], leaseSeconds: number): Promise<Set<number>>
  /** Lets a row go and makes it due again after `afterMs`; `progress` forgets the tries so far. */
  retry(
    sql: AnySql,
    row: Claimed,
    options: { afterMs: number; error: string | null; progress: boolean },
  ): Promise<boolean>
  /** Gives back all that is held, due at once, for the other replicas. */
  release(sql: Sql, held: readonly Claimed[]): Promise<void>
}

/** Lanes of the jobs table claim one state each; a state this version does not know is never claimed. */
export function jobLane(state: 'accepted' | 'awaiting_payment' | 'working'): LaneQueries<Job> {
  return {
    async claim(sql, count, holder, leaseSeconds) {
      const ofState = sql`state = ${state}`
      const rows = await sql<(Job & { waitMs: number | null })[]>`
        with due as (
          ${state === 'working' ? dueFirst(sql, state, count) : dueInTurn(sql, 'jobs', ofState, count)}
        ), claimed as (
          update jobs j set lease = ${holder}, due_at = now() + make_interval(secs => ${leaseSeconds}),
            epoch = epoch + 1, tries = tries + 1
          from due where j.id = due.id returning j.*
        )
        select w.wait_ms, ${jobColumns(sql)}
        from (
          select extract(epoch from min(due_at) - now())::float8 * 1000 as wait_ms
          from jobs where state = ${state} and due_at > now()
        ) w left join claimed on true`
      return split(rows)
    },
    ...onceClaimed('jobs'),
  }
}

const dueFirst = (sql: Sql, state: string, count: number) => sql`
  select id from jobs where state = ${state} and due_at <= now()
  order by due_at limit ${count} for update skip locked`

/**
 * What asks LNbits goes round among customers: the first row of each, then the second. What is due is looked at
 * again after locking, because the turns were counted without.
 */
const dueInTurn = (
  sql: Sql,
  table: 'jobs' | 'withdrawals',
  ofState: Fragment,
  count: number,
) => sql`
  select t.id from (
    select id, due_at, row_number() over (partition by customer order by due_at, id) as turn
    from ${sql(table)} where ${ofState} and due_at <= now()
  ) ready join ${sql(table)} t using (id)
  where ${ofState} and t.due_at <= now()
  order by ready.turn, ready.due_at limit ${count} for update of t skip locked`

type Fragment = ReturnType<typeof dueFirst>

export const outboxLane: LaneQueries<OutboxRow> = {
  async claim(sql, count, holder, leaseSeconds) {
    const rows = await sql<(OutboxRow & { waitMs: number | null })[]>`
      with due as (
        select id from outbox where due_at <= now()
        order by due_at, id limit ${count} for update skip locked
      ), claimed as (
        update outbox o set lease = ${holder}, due_at = now() + make_interval(secs => ${leaseSeconds}),
          epoch = epoch + 1, tries = tries + 1
        from due where o.id = due.id returning o.*
      )
      select w.wait_ms, ${outboxColumns(sql, 'claimed')}
      from (
        select extract(epoch from min(due_at) - now())::float8 * 1000 as wait_ms
        from outbox where due_at > now()
      ) w left join claimed on true
      -- As they were put: of one job, what is told first must go out first.
      order by id`
    return split(rows)
  },
  ...onceClaimed('outbox'),
}

/** One lane has all withdrawals that are not over: what is asked of LNbits must stand in one line. */
export const withdrawalLane: LaneQueries<Withdrawal> = {
  async claim(sql, count, holder, leaseSeconds) {
    const rows = await sql<(Withdrawal & { waitMs: number | null })[]>`
      with due as (
        ${dueInTurn(sql, 'withdrawals', sql`state in ('held', 'sent', 'unknown')`, count)}
      ), claimed as (
        update withdrawals t set lease = ${holder}, due_at = now() + make_interval(secs => ${leaseSeconds}),
          epoch = epoch + 1, tries = tries + 1
        from due where t.id = due.id returning t.*
      )
      select w.wait_ms, ${withdrawalColumns(sql)}
      from (
        select extract(epoch from min(due_at) - now())::float8 * 1000 as wait_ms
        from withdrawals where due_at > now()
      ) w left join claimed on true`
    return split(rows)
  },
  ...onceClaimed('withdrawals'),
}

/** Where replicas tell each other that rows became due; a hint that carries the table and may be lost. */
export const LANE_CHANNEL = 'tithe_lane'

type LaneTable = 'jobs' | 'outbox' | 'withdrawals'

/** What is done with claimed rows is the same for every table. */
function onceClaimed(table: LaneTable): Omit<LaneQueries<Claimed>, 'claim'> {
  return {
    renew: (sql, held, leaseSeconds) => renewed(sql, table, held, leaseSeconds),
    retry: (sql, row, options) => retried(sql, table, row, options),
    release: (sql, held) => released(sql, table, held),
  }
}

function split<Row extends Claimed>(
  rows: readonly (Row & { waitMs: number | null })[],
): { rows: Row[]; waitMs: number | null } {
  return { rows: rows.filter((row) => row.id !== null), waitMs: rows[0]?.waitMs ?? null }
}

/** The rows that are still ours, locked in the order of ids: a batch that ends some of them does the same. */
const heldRows = (sql: Sql, table: LaneTable, held: readonly Claimed[]) => sql`
  select o.id from ${sql(table)} o
  join unnest(${held.map((row) => row.id)}::bigint[], ${held.map((row) => row.epoch)}::int[])
    h (id, epoch) on o.id = h.id and o.epoch = h.epoch
  where o.lease is not null
  order by o.id for update of o`

async function renewed(
  sql: Sql,
  table: LaneTable,
  held: readonly Claimed[],
  leaseSeconds: number,
): Promise<Set<number>> {
  const rows = await sql<{ id: number }[]>`
    update ${sql(table)} t set due_at = now() + make_interval(secs => ${leaseSeconds})
    from (${heldRows(sql, table, held)}) k
    where t.id = k.id
    returning t.id`
  return new Set(rows.map((row) => row.id))
}

async function retried(
  sql: AnySql,
  table: LaneTable,
  row: Claimed,
  { afterMs, error, progress }: { afterMs: number; error: string | null; progress: boolean },
): Promise<boolean> {
  const rows = await sql`
    update ${sql(table)} set lease = null, last_error = ${error},
      due_at = now() + make_interval(secs => ${afterMs / 1000}),
      tries = case when ${progress} then 0 else tries end
    where id = ${row.id} and epoch = ${row.epoch} and lease is not null
    returning id`
  return rows.length > 0
}

async function released(sql: Sql, table: LaneTable, held: readonly Claimed[]): Promise<void> {
  await sql`
    with free as (
      update ${sql(table)} t set lease = null, due_at = now(), tries = greatest(t.tries - 1, 0)
      from (${heldRows(sql, table, held)}) k
      where t.id = k.id
      returning t.id
    )
    select pg_notify(${LANE_CHANNEL}, ${table}) from free limit 1`
}
