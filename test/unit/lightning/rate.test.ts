import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../src/clock.ts'
import { createBtcRate } from '../../../src/lightning/rate.ts'
import { silentLog } from '../../../src/log.ts'

const START_MS = 1_790_000_000_000

/** A clock whose hand the test moves, and a feed that says what it is told and counts who asks. */
function setUp(first: number | undefined | Error) {
  let nowMs = START_MS
  let price: number | undefined | Error = first
  let asked = 0
  const clock: Clock = { now: () => nowMs, sleep: async () => undefined }
  const lnbits = {
    async rate() {
      asked += 1
      if (price instanceof Error) throw price
      return price === undefined ? undefined : { satsPerUnit: 1e8 / price, btcPrice: price }
    },
  }
  return {
    source: createBtcRate({ lnbits, clock, log: silentLog }),
    say: (next: number | undefined | Error) => {
      price = next
    },
    pass: (seconds: number) => {
      nowMs += seconds * 1000
    },
    asked: () => asked,
    at: (seconds: number) => START_MS / 1000 + seconds,
  }
}

/** A reading behind the answer ends before the next answer is asked for. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('the BTC rate', () => {
  test('is read once and then given without waiting', async () => {
    const feed = setUp(100_000)
    const answers = await Promise.all([feed.source.current(), feed.source.current()])
    expect(answers).toEqual(Array(2).fill({ usdPerBtc: 100_000, at: feed.at(0) }))
    feed.pass(59)
    await feed.source.current()
    expect(feed.asked()).toBe(1)
  })

  test('is read anew behind the answer after a minute', async () => {
    const feed = setUp(100_000)
    await feed.source.current()
    feed.say(101_000)
    feed.pass(60)
    expect(await feed.source.current()).toEqual({ usdPerBtc: 100_000, at: feed.at(0) })
    await settle()
    expect(await feed.source.current()).toEqual({ usdPerBtc: 101_000, at: feed.at(60) })
    expect(feed.asked()).toBe(2)
  })

  test('that LNbits does not come back with keeps nobody waiting for long (trap 17)', async () => {
    const waits: number[] = []
    let nowMs = START_MS
    const clock: Clock = {
      now: () => nowMs,
      async sleep(ms) {
        waits.push(ms)
        nowMs += ms
      },
    }
    const lnbits = { rate: () => new Promise<never>(() => {}) }
    const source = createBtcRate({ lnbits, clock, log: silentLog })
    expect(await source.current()).toEqual({ none: 'no_rate' })
    expect(await source.current()).toEqual({ none: 'no_rate' })
    expect(waits).toEqual([5_000])
  })

  test('is none when LNbits says zero, and is asked for again only after a while (trap 13)', async () => {
    const feed = setUp(undefined)
    expect(await feed.source.current()).toEqual({ none: 'no_rate' })
    expect(await feed.source.current()).toEqual({ none: 'no_rate' })
    expect(feed.asked()).toBe(1)
    feed.say(100_000)
    feed.pass(10)
    expect(await feed.source.current()).toMatchObject({ usdPerBtc: 100_000 })
  })

  test.for([Number.NaN, -1, 0.5, 999, 10_000_001, Number.POSITIVE_INFINITY])(
    'is none when LNbits says %s',
    async (price) => {
      expect(await setUp(price).source.current()).toMatchObject({ none: expect.any(String) })
    },
  )

  test('outlives an outage for ten minutes and no longer (T28)', async () => {
    const feed = setUp(100_000)
    await feed.source.current()
    feed.say(new Error('down'))
    feed.pass(600)
    expect(await feed.source.current()).toMatchObject({ usdPerBtc: 100_000 })
    await settle()
    feed.pass(11)
    expect(await feed.source.current()).toEqual({ none: 'unreachable' })
  })

  test('does not follow a jump, a hundredfold least of all (T28)', async () => {
    const feed = setUp(100_000)
    await feed.source.current()
    for (const price of [10_000_000, 89_000, 111_000]) {
      feed.say(price)
      feed.pass(60)
      await feed.source.current()
      await settle()
      expect(await feed.source.current()).toMatchObject({ usdPerBtc: 100_000, at: feed.at(0) })
    }
  })

  test('follows a real move once time has confirmed it', async () => {
    const feed = setUp(100_000)
    await feed.source.current()
    feed.say(85_000)
    let last: unknown
    for (let minute = 0; minute < 30; minute++) {
      feed.pass(60)
      last = await feed.source.current()
      await settle()
    }
    expect(last).toMatchObject({ usdPerBtc: 85_000 })
  })

  test('is the operator’s own where one is set, and nobody is asked', async () => {
    const clock: Clock = { now: () => START_MS, sleep: async () => undefined }
    const lnbits = { rate: () => Promise.reject(new Error('asked')) }
    const source = createBtcRate({ fixedUsd: 90_000, lnbits, clock, log: silentLog })
    expect(await source.current()).toEqual({ usdPerBtc: 90_000, at: START_MS / 1000 })
  })
})
