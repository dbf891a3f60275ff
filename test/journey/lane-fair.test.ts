import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { Lane } from '../../src/journey/lane.ts'
import { silentLog } from '../../src/log.ts'
import type { Sql } from '../../src/store/database.ts'
import { type Job, readJob } from '../../src/store/jobs.ts'
import { jobLane } from '../../src/store/lanes.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, priced, someKey } from '../support/journey.ts'
import { until } from '../support/until.ts'

/** Jobs that wait for their invoice: `count` of one customer, then one of another. */
async function crowd(sql: Sql, count: number): Promise<{ all: Job[]; last: Job }> {
  const journey = await journeyOn(sql)
  const customer = someKey()
  const all: Job[] = []
  for (let place = 0; place < count; place += 1) {
    all.push(await journey.job(priced({ customer, estimatedSats: 40 })))
  }
  const last = await journey.job(priced({ estimatedSats: 40 }))
  return { all: [...all, last], last }
}

function quoteLane(sql: Sql, ran: number[], slots: number): Lane<Job> {
  return new Lane<Job>({
    name: 'quote',
    sql,
    queries: jobLane('accepted'),
    async step(job) {
      ran.push(job.id)
      await sql`update jobs set due_at = null, lease = null where id = ${job.id}`
    },
    slots,
    leaseSeconds: 30,
    holder: 'a',
    clock: systemClock,
    log: silentLog,
    idleMs: 20,
    fairBy: (job) => job.customer,
  })
}

test('a customer with one job is claimed before the second job of one with many', async () => {
  await using db = await freshDatabase()
  const { all, last } = await crowd(db.sql, 30)
  await db.sql`update jobs set lease = null, due_at = now() - interval '1 second' * (100 - id)`
  const ran: number[] = []
  const lane = quoteLane(db.sql, ran, 2)
  lane.start()
  await until('all have run', () => ran.length === all.length)
  await lane.stop(1_000)
  expect(ran.indexOf(last.id)).toBeLessThan(2)
})

test('a customer with one job does not wait behind all that another has in the room', async () => {
  await using db = await freshDatabase()
  const { all, last } = await crowd(db.sql, 30)
  const ran: number[] = []
  const lane = quoteLane(db.sql, ran, 3)
  // Born leased, as accepted by this process: no claim sorts them.
  const rows = await Promise.all(all.map(({ id }) => readJob(db.sql, id)))
  for (const row of rows) if (row) lane.take([row])
  lane.start()
  await until('all have run', () => ran.length === all.length)
  await lane.stop(1_000)
  expect(new Set(ran).size).toBe(all.length)
  expect(ran.indexOf(last.id)).toBeLessThan(3 + 3 + 3)
})
