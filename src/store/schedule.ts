import type { Sql } from './database.ts'
import { GONE_SECONDS } from './replicas.ts'

/** What has a due time: the states that a lane works on, and the tables that have a lane of their own. */
export const scheduled = [
  'accepted',
  'awaiting_payment',
  'working',
  'outbox',
  'withdrawals',
  'invoices',
] as const
export type Scheduled = (typeof scheduled)[number]

/** Milliseconds until the first row is due, negative when it is; null where nothing is due ever. */
export type Schedule = Record<Scheduled, number | null>

/** The replicas that report themselves: whether another one does, and whether this one alone. */
export interface Company {
  others: boolean
  alone: boolean
}

/**
 * When each lane and the payment watch have to look next, in one statement, so that an idle process does not
 * ask for each of them. An invoice that has not expired is due at any time.
 */
export async function readSchedule(sql: Sql, holder: string): Promise<Schedule & Company> {
  const inMs = (state: string) => sql`
    extract(epoch from (
      select min(due_at) from jobs where state = ${state} and due_at is not null
    ) - now())::float8 * 1000`
  const [row] = await sql<Record<string, number | null>[]>`
    select
      ${inMs('accepted')} as accepted,
      ${inMs('awaiting_payment')} as awaiting_payment,
      ${inMs('working')} as working,
      extract(epoch from (select min(due_at) from outbox where due_at is not null) - now())::float8
        * 1000 as outbox,
      extract(epoch from (
        select min(due_at) from withdrawals where due_at is not null
      ) - now())::float8 * 1000 as withdrawals,
      (
        select case when max(expires_at) > now() then 0
          else extract(epoch from min(look_at) - now())::float8 * 1000 end
        from invoices where look_at is not null
      ) as invoices,
      (
        select count(*) filter (where holder <> ${holder})
        from outbox_replicas where seen_at > now() - make_interval(secs => ${GONE_SECONDS})
        having count(*) > 0
      ) as others`
  return {
    others: (row?.others ?? 0) > 0,
    alone: row?.others === 0,
    accepted: row?.accepted ?? null,
    awaiting_payment: row?.awaitingPayment ?? null,
    working: row?.working ?? null,
    outbox: row?.outbox ?? null,
    withdrawals: row?.withdrawals ?? null,
    invoices: row?.invoices ?? null,
  }
}
