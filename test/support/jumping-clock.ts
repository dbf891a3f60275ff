import { armFailpoints, type Failpoint } from '../../src/failpoint.ts'
import { type FastClock, fastClock } from './fast-clock.ts'

/** A clock that jumps when a failpoint is passed: a process that was suspended there. */
export interface JumpingClock extends FastClock {
  sleepAt(at: Failpoint, ms: number): void
}

export function createJumpingClock(): JumpingClock {
  const clock = fastClock()
  return {
    ...clock,
    sleepAt(at, ms) {
      armFailpoints((passed) => {
        if (passed === at) clock.step(ms)
      })
    },
  }
}
