import type { AnySql } from './database.ts'

/** What a list of customers shows beside their standing. Times are Unix seconds. */
export interface ListedCustomer {
  pubkey: string
  jobs: number
  lastJobAt: number | null
  createdAt: number
  banReason: string | null
}

/** The customers who paid most in 90 days first; those who paid alike by their latest job. */
export async function readCustomerList(
  sql: AnySql,
  { limit, bannedOnly = false }: { limit: number; bannedOnly?: boolean },
): Promise<ListedCustomer[]> {
  const rows = await sql<ListedCustomer[]>`
    select c.pubkey, coalesce(j.jobs, 0) as jobs,
      floor(extract(epoch from j.last_job_at))::bigint as last_job_at,
      floor(extract(epoch from c.created_at))::bigint as created_at, c.ban_reason
    from customers c
    left join (
      select customer, count(*) as jobs, max(created_at) as last_job_at from jobs group by customer
    ) j on j.customer = c.pubkey
    left join (
      select customer, sum(net_paid_sats) as sats from customer_days
      where day > (now() at time zone 'utc')::date - 90 group by customer
    ) d on d.customer = c.pubkey
    where not ${bannedOnly} or c.banned_at is not null
    order by coalesce(d.sats, 0) desc, j.last_job_at desc nulls last, c.pubkey
    limit ${limit}`.execute()
  return [...rows]
}

/** How many keys there are, those that only ever asked or were granted a tier among them. */
export async function countCustomers(sql: AnySql): Promise<{ all: number; banned: number }> {
  const [row] = await sql<{ all: number; banned: number }[]>`
    select count(*) as all, count(banned_at) as banned from customers`.execute()
  return row ?? { all: 0, banned: 0 }
}
