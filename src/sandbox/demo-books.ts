import { createHash } from 'node:crypto'
import { readOnly, type Sql } from '../store/database.ts'
import { type Job, jobColumns } from '../store/jobs.ts'

/** Figures that the demo reads beside the conversation, to show that what was said is true. */

/** The last job of a customer, undefined when there is none. */
export async function lastJobOf(sql: Sql, customer: string): Promise<Job | undefined> {
  const [job] = await sql<Job[]>`
    select ${jobColumns(sql)} from jobs where customer = ${customer} order by id desc limit 1`
  return job
}

export async function poolSats(sql: Sql): Promise<number> {
  const [pool] = await sql<{ sats: number }[]>`
    select balance_sats as sats from accounts where name = 'pool'`
  return pool?.sats ?? 0
}

/** Number of the last transfer: what a pool status that shows all of them says as its sequence. */
export async function ledgerHead(sql: Sql): Promise<number> {
  const [head] = await sql<{ id: number }[]>`select coalesce(max(id), 0) as id from transfers`
  return head?.id ?? 0
}

/** What the grant of a job says it absorbed; undefined when none was recorded. */
export async function grantOf(sql: Sql, jobId: number): Promise<number | undefined> {
  const [grant] = await sql<{ sats: number }[]>`
    select absorbed_sats as sats from free_tier_grants where job_id = ${jobId}`
  return grant?.sats
}

/** Jobs that were done, by how they were served. */
export async function countDone(sql: Sql): Promise<Record<Job['serve'], number>> {
  const rows = await sql<{ serve: Job['serve']; jobs: number }[]>`
    select serve, count(*) as jobs from jobs where state = 'done' group by serve`
  const counts = { free: 0, partial: 0, gate: 0 }
  for (const { serve, jobs } of rows) counts[serve] = jobs
  return counts
}

export interface Checksum {
  tables: number
  rows: number
  sha256: string
}

/** Over every row of every table but those of messages, in one snapshot. */
export function checksumOf(sql: Sql): Promise<Checksum> {
  return readOnly(sql, async (tx) => {
    const names = await tx<{ name: string }[]>`
      select tablename as name from pg_tables
      where schemaname = 'public' and tablename !~ '^(inbox|outbox)'
      order by tablename`
    const hash = createHash('sha256')
    let rows = 0
    for (const { name } of names) {
      const [table] = await tx<{ count: number; md5: string }[]>`
        select count(*) as count, coalesce(md5(string_agg(t::text, chr(10) order by t::text)), '') as md5
        from ${tx(name)} t`
      rows += table?.count ?? 0
      hash.update(`${name} ${table?.count} ${table?.md5}\n`)
    }
    return { tables: names.length, rows, sha256: hash.digest('hex') }
  })
}
