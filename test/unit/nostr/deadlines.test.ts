import { expect, test } from 'vitest'
import { createBudget } from '../../../src/nostr/budget.ts'
import { createDeadlines } from '../../../src/nostr/deadlines.ts'
import { fastClock } from '../../support/fast-clock.ts'

/** A clock whose pauses end when the test says so. */
function handClock() {
  let nowMs = 0
  const pauses: { endsAt: number; end(): void }[] = []
  return {
    now: () => nowMs,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        pauses.push({ endsAt: nowMs + ms, end: resolve })
        signal?.addEventListener('abort', () => resolve())
      }),
    pauses,
    async pass(ms: number) {
      nowMs += ms
      for (const pause of pauses) if (pause.endsAt <= nowMs) pause.end()
      await Promise.resolve()
      await Promise.resolve()
    },
  }
}

test('each deadline falls once, none early, and those taken back never', async () => {
  const clock = handClock()
  const deadlines = createDeadlines(clock)
  const fallen: string[] = []
  deadlines.after(1_000, () => fallen.push('a'))
  const cancel = deadlines.after(1_000, () => fallen.push('b'))
  await clock.pass(50)
  deadlines.after(1_000, () => fallen.push('c'))
  cancel()
  cancel()
  await clock.pass(949)
  expect(fallen).toEqual([])
  await clock.pass(100)
  expect(fallen).toEqual(['a', 'c'])
  await clock.pass(5_000)
  expect(fallen).toEqual(['a', 'c'])
})

test('many deadlines of one length share few pauses', async () => {
  const clock = handClock()
  const deadlines = createDeadlines(clock)
  let fallen = 0
  for (let n = 0; n < 1_000; n += 1) {
    deadlines.after(10_000, () => (fallen += 1))
    await clock.pass(10)
  }
  expect(clock.pauses.length).toBeLessThanOrEqual(17)
  await clock.pass(20_000)
  expect(fallen).toBe(1_000)
})

test('a stop forgets all and ends the pauses', async () => {
  const clock = handClock()
  const deadlines = createDeadlines(clock)
  let fallen = 0
  deadlines.after(10, () => (fallen += 1))
  deadlines.stop()
  deadlines.after(10, () => (fallen += 1))
  await clock.pass(1_000)
  expect(fallen).toBe(0)
})

test('a budget refills with time, never above its burst, and a clock set back gives nothing', () => {
  const clock = fastClock()
  const budget = createBudget({ perSecond: 1, burst: 3, clock })
  const spent = () => {
    let count = 0
    while (count < 100 && budget.spend(1)) count += 1
    return count
  }
  expect(spent()).toBe(3)
  clock.step(2_000)
  expect(spent()).toBe(2)
  clock.step(3_600_000)
  expect(spent()).toBe(3)
  clock.step(-7_200_000)
  expect(spent()).toBe(0)
  clock.step(1_000)
  expect(spent()).toBe(1)
})
