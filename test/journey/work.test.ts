import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Backend, BackendError } from '../../src/backends/backend.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { createWork } from '../../src/journey/work.ts'
import { WORK_TRIES } from '../../src/limits.ts'
import { silentLog } from '../../src/log.ts'
import { LeaseLost } from '../../src/journey/lane.ts'
import type { Job } from '../../src/store/jobs.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { journeyOn, priced, type TestJourney } from '../support/journey.ts'

let db: TestDatabase
let journey: TestJourney

beforeAll(async () => {
  db = await freshDatabase()
  journey = await journeyOn(db.sql)
})

afterAll(() => db[Symbol.asyncDispose]())

/** The step with a backend that does this, and how often it was called. */
function working(run: Backend['run'], clock: Clock = systemClock) {
  let runs = 0
  const step = createWork({
    ...{ sql: db.sql, settle: journey.settle, clock, log: silentLog },
    backend: {
      name: 'test',
      run(work) {
        runs += 1
        return run(work)
      },
    },
    prices: {
      models: [],
      estimateRequestCost: async () => ({ refused: 'no_rate' }),
      actual: () => ({ actualSats: 7, usage: { input: 1, output: 1 } }),
    },
    lease: { holder: 'test', seconds: 30 },
    deliver: () => undefined,
    settled: () => undefined,
  })
  const work = async (job: Job, signal = new AbortController().signal) => {
    await step(job, signal)
    return journey.read(job.id)
  }
  return { work, runs: () => runs }
}

const done = async () => ({ result: 'done', usage: null })

/** A paid job of 40 sats that was claimed this often. */
const claimed = async (tries: number) => ({ ...(await journey.paid(priced())), tries })

test('a job that took its process down too often is refunded without another try', async () => {
  const { work, runs } = working(done)
  expect(await work(await claimed(WORK_TRIES))).toMatchObject({ state: 'done' })
  const ended = await work(await claimed(WORK_TRIES + 1))
  expect(ended).toMatchObject({ state: 'failed', reason: 'backend_failed', refundSats: 40 })
  expect(runs()).toBe(1)
  await journey.expectClean()
})

test('a failure that may pass is tried again until the last try, and then refunded', async () => {
  const { work } = working(async () => {
    throw new BackendError('backend_timeout', 'too slow', { retryable: true })
  })
  const early = await claimed(WORK_TRIES - 1)
  await expect(work(early)).rejects.toThrow('too slow')
  expect(await journey.read(early.id)).toMatchObject({ state: 'working', heldSats: 40 })
  expect(await work(await claimed(WORK_TRIES))).toMatchObject({
    ...{ state: 'failed', reason: 'backend_timeout', refundSats: 40 },
  })
  await journey.expectClean()
})

test('a failure for good is refunded at once', async () => {
  const { work } = working(async () => {
    throw new BackendError('rejected', 'not this', { retryable: false })
  })
  expect(await work(await claimed(1))).toMatchObject({
    ...{ state: 'failed', reason: 'rejected', refundSats: 40 },
  })
  await journey.expectClean()
})

test('work that is stopped is no failure: the job goes on elsewhere', async () => {
  const stopping = new AbortController()
  const { work } = working(async () => {
    stopping.abort(new Error('shutting down'))
    throw new BackendError('backend_failed', 'stopped', { retryable: false })
  })
  const job = await claimed(1)
  await expect(work(job, stopping.signal)).rejects.toThrow('shutting down')
  expect(await journey.read(job.id)).toMatchObject({ state: 'working', heldSats: 40 })
  await journey.expectClean()
})

test('who lost a job does not tell its customer that work goes on', async () => {
  const job = await claimed(1)
  // Another replica took it over, and its customer has the result.
  await journey.finish(job, 7)
  const { work } = working(
    async () => {
      await systemClock.sleep(50)
      return done()
    },
    { ...systemClock, sleep: async () => undefined },
  )
  await expect(work(job)).rejects.toThrow(LeaseLost)
  const told = await db.sql`select step from outbox where job_id = ${job.id} order by id`
  expect(told.map(({ step }) => step)).toEqual(['working', 'end'])
})
