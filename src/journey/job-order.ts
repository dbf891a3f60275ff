import type { Clock } from '../clock.ts'
import { ORDERED_JOBS } from '../limits.ts'

/** A reply waits this long for the one before it: a relay that hangs must not hold up a result. */
const TURN_MS = 3_000

export interface JobOrder {
  /** Runs after what came before for the same job, or when that takes too long. */
  run<T>(jobId: number, step: () => Promise<T>): Promise<T>
  /** Whether this process has had a reply of the job: then it knows what went before, done or not. */
  knows(jobId: number): boolean
}

/** Keeps the replies of one job in their order: a result must not arrive before "at work". */
export function createJobOrder(clock: Clock): JobOrder {
  // Insertion order is age: the oldest job is forgotten first.
  const last = new Map<number, Promise<unknown>>()

  return {
    knows: (jobId) => last.has(jobId),
    run(jobId, step) {
      const before = last.get(jobId)
      const now = before ? inTurn(before).then(step) : step()
      last.delete(jobId)
      last.set(
        jobId,
        now.catch(() => {}),
      )
      const [oldest] = last.keys()
      if (last.size > ORDERED_JOBS && oldest !== undefined) last.delete(oldest)
      return now
    },
  }

  async function inTurn(before: Promise<unknown>): Promise<void> {
    const over = new AbortController()
    await Promise.race([before, clock.sleep(TURN_MS, over.signal)])
    over.abort()
  }
}
