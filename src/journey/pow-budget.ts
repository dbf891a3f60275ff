import type { Clock } from '../clock.ts'
import { POW_MS, POW_SHARE } from '../limits.ts'

/**
 * Proof of work for relays that customers name: one at a time, and for a part of all time, or whoever lists a relay
 * that wants work has the daemon compute for nothing.
 */
export interface PowBudget {
  /** Does the work within moments; undefined when it has to be tried again later. */
  spend<T>(work: () => Promise<T>): Promise<T | undefined>
}

/** Longest wait for a turn: of replies that are due together, only one would be served at each of their retries. */
const TURN_MS = 2_000
/** Between two looks whether the work of another is done. */
const LOOK_MS = 10

export function createPowBudget(clock: Clock): PowBudget {
  let busy = false
  let endedAt = Number.NEGATIVE_INFINITY
  let restMs = 0
  // Away from the end of the last work in either direction: a clock that is set must not put work off.
  const leftOfRestMs = () => Math.max(0, restMs - Math.abs(clock.now() - endedAt))

  return {
    async spend(work) {
      let leftMs = TURN_MS
      while (busy || leftOfRestMs() > 0) {
        const pauseMs = Math.max(LOOK_MS, leftOfRestMs())
        if (pauseMs > leftMs) return undefined
        leftMs -= pauseMs
        await clock.sleep(pauseMs)
      }
      const began = clock.now()
      busy = true
      try {
        return await work()
      } finally {
        busy = false
        endedAt = clock.now()
        const tookMs = Math.min(POW_MS, Math.max(0, endedAt - began))
        restMs = tookMs * (1 / POW_SHARE - 1)
      }
    },
  }
}
