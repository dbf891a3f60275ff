/** Asks again until the answer holds; fails with the last answer after `withinMs`. */
export async function until<T>(
  ask: () => T | Promise<T>,
  holds: (answer: T) => boolean,
  withinMs = 10_000,
): Promise<T> {
  const giveUpAt = performance.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (holds(answer)) return answer
    if (performance.now() > giveUpAt) {
      throw new Error(`still not so after ${withinMs} ms: ${JSON.stringify(answer)}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
