import { setTimeout as pause } from 'node:timers/promises'

/** Looks every few milliseconds until `look` answers something; fails at the deadline. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  deadlineMs = 15_000,
): Promise<NonNullable<T>> {
  const end = performance.now() + deadlineMs
  for (;;) {
    const seen = await look()
    if (seen) return seen
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await pause(2)
  }
}

/** Asks again until the answer holds; fails with the last answer at the deadline. */
export async function askUntil<T>(
  ask: () => T | Promise<T>,
  holds: (answer: T) => boolean,
  deadlineMs = 10_000,
): Promise<T> {
  const end = performance.now() + deadlineMs
  for (;;) {
    const answer = await ask()
    if (holds(answer)) return answer
    if (performance.now() > end) {
      throw new Error(`still not so after ${deadlineMs} ms: ${JSON.stringify(answer)}`)
    }
    await pause(10)
  }
}
