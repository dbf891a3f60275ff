import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { Lane, LeaseLost } from '../../src/journey/lane.ts'
import { silentLog } from '../../src/log.ts'
import type { Sql } from '../../src/store/database.ts'
import type { Job } from '../../src/store/jobs.ts'
import { jobLane } from '../../src/store/lanes.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, priced } from '../support/journey.ts'
import { until } from '../support/until.ts'

function lane(
  sql: Sql,
  step: (row: Job, signal: AbortSignal) => Promise<void>,
  options: { holder?: string; slots?: number; leaseSeconds?: number; idleMs?: number } = {},
): Lane<Job> {
  return new Lane<Job>({
    name: 'work',
    sql,
    queries: jobLane('working'),
    step,
    slots: options.slots ?? 4,
    leaseSeconds: options.leaseSeconds ?? 30,
    holder: options.holder ?? 'a',
    clock: systemClock,
    log: silentLog,
    idleMs: options.idleMs ?? 20,
  })
}

/** Jobs at work that nobody holds. */
async function freeJobs(sql: Sql, count: number): Promise<Job[]> {
  const journey = await journeyOn(sql)
  const jobs = await Promise.all(Array.from({ length: count }, () => journey.paid(priced())))
  await sql`update jobs set lease = null, due_at = now(), tries = 0`
  return jobs
}

test('two lanes share the due rows and none is handed out twice', async () => {
  await using db = await freshDatabase({ max: 8 })
  const jobs = await freeJobs(db.sql, 40)
  const seen: number[] = []
  const step = async (job: Job) => {
    seen.push(job.id)
    await db.sql`update jobs set due_at = null where id = ${job.id}`
  }
  const lanes = [lane(db.sql, step, { holder: 'a' }), lane(db.sql, step, { holder: 'b' })]
  for (const one of lanes) one.start()
  await until('every job was handed out', () => seen.length >= jobs.length)
  await Promise.all(lanes.map((one) => one.stop(1_000)))
  expect(seen.sort((a, b) => a - b)).toEqual(jobs.map((job) => job.id).sort((a, b) => a - b))
})

test('a row whose owner died is claimed when its lease is over, with a higher epoch', async () => {
  await using db = await freshDatabase()
  const [job] = await freeJobs(db.sql, 1)
  await db.sql`
    update jobs set lease = 'dead', epoch = 7, tries = 1, due_at = now() + interval '100 ms'`
  const claims: Job[] = []
  const next = lane(db.sql, async (row) => void claims.push(row))
  next.start()
  await until('the row was claimed', () => claims.length > 0)
  await next.stop(1_000)
  expect(claims[0]).toMatchObject({ id: job?.id, epoch: 8, tries: 2 })
})

test('a held row is renewed, and one that was taken over is aborted', async () => {
  await using db = await freshDatabase()
  await freeJobs(db.sql, 1)
  let reason: unknown
  const slow = lane(
    db.sql,
    (_, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason
          resolve()
        })
      }),
    { leaseSeconds: 0.3 },
  )
  slow.start()
  const dueAt = async () =>
    (await db.sql<{ at: number }[]>`select extract(epoch from due_at)::float8 as at from jobs`)[0]
      ?.at ?? 0
  await until('the row is held', () => slow.heldCount() === 1)
  const first = await dueAt()
  await until('the lease was renewed', async () => (await dueAt()) > first)
  await db.sql`update jobs set epoch = epoch + 1, lease = 'other'`
  await until('the step was aborted', () => reason !== undefined)
  expect(reason).toBeInstanceOf(LeaseLost)
  await slow.stop(1_000)
})

test('a step that throws is tried again, and its error is on the row', async () => {
  await using db = await freshDatabase()
  await freeJobs(db.sql, 1)
  const tries: number[] = []
  const failing = lane(db.sql, async (row) => {
    tries.push(row.tries)
    if (row.tries < 3) throw new Error('the backend is out')
    await db.sql`update jobs set due_at = null`
  })
  failing.start()
  await until('three tries', () => tries.length === 3)
  await failing.stop(1_000)
  expect(tries).toEqual([1, 2, 3])
  const [row] = await db.sql`select last_error from jobs`
  expect(row).toEqual({ lastError: 'Error: the backend is out' })
})

test('a stop gives back what does not end in time, due at once', async () => {
  await using db = await freshDatabase()
  await freeJobs(db.sql, 3)
  const stuck = lane(db.sql, () => new Promise(() => {}), { slots: 3 })
  stuck.start()
  await until('three rows are held', () => stuck.heldCount() === 3)
  await stuck.stop(10)
  const rows = await db.sql`select lease, due_at <= now() as due, tries from jobs`
  expect(rows).toEqual(Array.from({ length: 3 }, () => ({ lease: null, due: true, tries: 0 })))
})

test('rows beyond a second round of slots are given back at once', async () => {
  await using db = await freshDatabase()
  const jobs = await freeJobs(db.sql, 6)
  await db.sql`update jobs set lease = 'a', epoch = 1, due_at = now() + interval '30 s', tries = 1`
  const small = lane(db.sql, () => new Promise(() => {}), { slots: 2 })
  small.take(jobs.map((job) => ({ ...job, epoch: 1 })))
  await until('two rows are free', async () => {
    const [row] = await db.sql<{ free: number }[]>`
      select count(*) as free from jobs where lease is null`
    return row?.free === 2
  })
  expect(small.heldCount()).toBe(4)
  await small.stop(10)
})

test('an idle lane asks the database no more than six times a minute', async () => {
  await using db = await freshDatabase()
  let looks = 0
  let now = 0
  const queries = jobLane('working')
  const idle = new Lane<Job>({
    name: 'work',
    sql: db.sql,
    queries: {
      ...queries,
      claim: (...given) => {
        looks += 1
        return queries.claim(...given)
      },
    },
    step: async () => {},
    slots: 4,
    leaseSeconds: 1e6,
    holder: 'a',
    clock: {
      now: () => now,
      async sleep(ms, signal) {
        const renewal = ms > 1e7
        if (!renewal) now += ms
        if (!renewal && now < 60_000) return
        if (signal?.aborted) return
        await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()))
      },
    },
    log: silentLog,
  })
  idle.start()
  await until('a minute has passed', () => now >= 60_000)
  await idle.stop(0)
  expect(looks).toBeLessThanOrEqual(7)
})
