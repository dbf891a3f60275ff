import { setTimeout as wait } from 'node:timers/promises'

/** The one reader of wall-clock time and the one maker of pauses, so that tests can own both. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Resolves after `ms`, or at once when `signal` aborts: a stopping loop never waits out its pause. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await wait(ms, undefined, signal ? { signal } : {})
    } catch (error) {
      if (!signal?.aborted) throw error
    }
  },
}

/** Unix seconds, as Nostr counts time. */
export const unixSeconds = (clock: Clock): number => Math.floor(clock.now() / 1000)
