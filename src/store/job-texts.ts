import type { AnySql, Tx } from './database.ts'

export async function storeResults(
  tx: Tx,
  results: readonly { id: number; result: string }[],
): Promise<void> {
  await tx`
    update job_texts t set result = r.result
    from unnest(${results.map((r) => r.id)}::bigint[], ${results.map((r) => r.result)}::text[])
      r (id, result)
    where t.job_id = r.id`.execute()
}

export async function readRequest(sql: AnySql, jobId: number): Promise<string> {
  const [row] = await sql<{ request: string }[]>`
    select request from job_texts where job_id = ${jobId}`.execute()
  if (!row) throw new Error(`job ${jobId} has no request text`)
  return row.request
}
