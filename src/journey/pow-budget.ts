import type { Clock } from '../clock.ts'
import { POW_SHARE } from '../limits.ts'

/**
 * Proof of work for relays that customers name: one at a time, and for a part of all time, or whoever lists a relay
 * that wants work has the daemon compute for nothing.
 */
export interface PowBudget {
  /** Does the work now; undefined when it has to be tried again later. */
  spend<T>(work: () => Promise<T>): Promise<T | undefined>
}

export function createPowBudget(clock: Clock): PowBudget {
  let busy = false
  let freeAt = Number.NEGATIVE_INFINITY

  return {
    async spend(work) {
      const began = clock.now()
      if (busy || began < freeAt) return undefined
      busy = true
      try {
        return await work()
      } finally {
        busy = false
        const took = clock.now() - began
        freeAt = clock.now() + took * (1 / POW_SHARE - 1)
      }
    },
  }
}
