import { type Backend, BackendError } from '../backends/backend.ts'
import type { Clock } from '../clock.ts'
import { failpoint } from '../failpoint.ts'
import { STILL_WORKING_SECONDS, WORK_TRIES } from '../limits.ts'
import type { Log } from '../log.ts'
import { inTransaction, type Sql } from '../store/database.ts'
import { readRequest } from '../store/job-texts.ts'
import { type Job, keepAtWork } from '../store/jobs.ts'
import type { Lease } from '../store/lease.ts'
import { type OutboxRow, putReplies } from '../store/outbox.ts'
import type { Batcher } from './batcher.ts'
import { LeaseLost } from './lane.ts'
import type { PricingService } from './prices.ts'
import type { Ending, FinishedWork, Settled } from './settle.ts'
import { workingReply } from './working-reply.ts'

export interface WorkOptions {
  sql: Sql
  backend: Backend
  prices: PricingService
  settle: Batcher<FinishedWork, Settled>
  lease: Lease
  clock: Clock
  log: Log
  deliver(replies: readonly OutboxRow[]): void
  /** A job ended and money moved. */
  settled(): void
}

/**
 * The step of `working` jobs: calls the backend, prices what it used and settles. A crash runs the work again,
 * for the backend is called at least once; what is settled happens once. A job that fails for good, or that
 * took its process down too often, ends in a refund and never in silence.
 */
export function createWork(options: WorkOptions) {
  const { sql, backend, prices, clock, log } = options

  return async function work(job: Job, signal: AbortSignal): Promise<void> {
    await failpoint('work:start')
    const ending = job.tries > WORK_TRIES ? gaveUp : await endingOf(job, signal)
    await failpoint('work:end')
    const { applied, replies } = await options.settle.add({ job, ending })
    await failpoint('settle:committed')
    if (!applied) throw new LeaseLost()
    options.deliver(replies)
    options.settled()
  }

  async function endingOf(job: Job, signal: AbortSignal): Promise<Ending> {
    const request = await readRequest(sql, job.id)
    const finished = new AbortController()
    const reminder = remindOnce(job, AbortSignal.any([signal, finished.signal]))
    try {
      const { result, usage } = await backend.run({
        jobId: String(job.id),
        request,
        model: job.model,
        // A flat price without a cap is quoted with 0 output tokens, which is no cap of 0.
        maxOutputTokens: job.outputTokens > 0 ? job.outputTokens : undefined,
        signal,
      })
      return { kind: 'done', result, ...prices.actual(job, usage) }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (!(error instanceof BackendError)) throw error
      log.debug({ jobId: job.id, code: error.code, tries: job.tries }, 'the backend failed')
      if (error.retryable && job.tries < WORK_TRIES) throw error
      return { kind: 'failed', reason: error.code }
    } finally {
      finished.abort()
      await reminder
    }
  }

  /** Once for a job, across all its tries: its step has that reply already when it is put again. */
  async function remindOnce(job: Job, stop: AbortSignal): Promise<void> {
    await clock.sleep(STILL_WORKING_SECONDS * 1000, stop)
    if (stop.aborted) return
    try {
      const reminder = workingReply(job, STILL_WORKING_SECONDS)
      const replies = await inTransaction(sql, async (tx) =>
        (await keepAtWork(tx, job)) ? putReplies(tx, [reminder], options.lease) : [],
      )
      options.deliver(replies)
    } catch (error) {
      log.warn({ jobId: job.id, err: error }, 'a reminder could not be stored')
    }
  }
}

const gaveUp: Ending = { kind: 'failed', reason: 'backend_failed' }
