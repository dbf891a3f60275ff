/** The one reader of wall-clock time and the one maker of pauses, so that tests can own both. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Resolves after `ms`, or at once when `signal` aborts: a stopping loop never waits out its pause. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  // By hand: the timer of node:timers/promises makes an error with a stack for each pause that is cut short.
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const end = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      signal?.addEventListener('abort', end)
    }),
}

/** Unix seconds, as Nostr counts time. */
export const unixSeconds = (clock: Clock): number => Math.floor(clock.now() / 1000)
