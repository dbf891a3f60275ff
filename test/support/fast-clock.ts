import { type Clock, systemClock } from '../../src/clock.ts'

export interface FastClock extends Clock {
  /** Sets the wall clock forward, or back by a negative step; pauses under way are as long as before. */
  step(ms: number): void
}

/** Real pauses and a wall clock, both `times` as fast as they are, which can be set like a machine's. */
export function fastClock(times = 1): FastClock {
  const began = systemClock.now()
  let steppedMs = 0
  return {
    now: () => began + (systemClock.now() - began) * times + steppedMs,
    sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
    step(ms) {
      steppedMs += ms
    },
  }
}
