import { type Clock, systemClock } from '../../src/clock.ts'
import { armFailpoints, type Failpoint } from '../../src/failpoint.ts'

/** A clock that jumps when a failpoint is passed: a process that was suspended there. */
export interface JumpingClock extends Clock {
  jump(ms: number): void
  sleepAt(at: Failpoint, ms: number): void
}

export function createJumpingClock(): JumpingClock {
  let aheadMs = 0
  return {
    now: () => systemClock.now() + aheadMs,
    sleep: systemClock.sleep,
    jump(ms) {
      aheadMs += ms
    },
    sleepAt(at, ms) {
      armFailpoints((passed) => {
        if (passed === at) aheadMs += ms
      })
    },
  }
}
