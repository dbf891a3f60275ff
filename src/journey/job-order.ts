import type { Clock } from '../clock.ts'

/** A reply waits this long for the one before it: a relay that hangs must not hold up a result. */
const TURN_MS = 3_000

export interface JobOrder {
  /** Runs after what came before for the same job, or when that takes too long. */
  run(jobId: number, step: () => Promise<void>): Promise<void>
  /** Whether something of this job is under way in this process. */
  isUnderWay(jobId: number): boolean
}

/** Keeps the replies of one job in their order: a result must not arrive before "at work". */
export function createJobOrder(clock: Clock): JobOrder {
  const last = new Map<number, Promise<void>>()

  return {
    isUnderWay: (jobId) => last.has(jobId),
    run(jobId, step) {
      const before = last.get(jobId)
      const now = before ? inTurn(before).then(step) : step()
      const done = now
        .catch(() => {})
        .then(() => {
          if (last.get(jobId) === done) last.delete(jobId)
        })
      last.set(jobId, done)
      return now
    },
  }

  async function inTurn(before: Promise<void>): Promise<void> {
    const over = new AbortController()
    await Promise.race([before, clock.sleep(TURN_MS, over.signal)])
    over.abort()
  }
}
