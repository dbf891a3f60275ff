import { expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { createCommits } from '../../../src/nostr/feed-commits.ts'
import type { NostrEvent } from '../../../src/nostr/types.ts'
import { startRelay } from '../../../src/sandbox/relay.ts'
import { author, countingFeed, DAY, memoryCursors, wrapAt } from '../../support/feed-lab.ts'
import { fastClock } from '../../support/fast-clock.ts'
import { connected, nowSeconds, openResources, talk } from '../../support/relay-lab.ts'
import { until } from '../../support/until.ts'
import { seeded, sweepRounds } from '../../support/seeded.ts'

const now = nowSeconds()

/** The clock's present, Unix seconds, as cursors count. */
const secondsOf = (clock: { now(): number }) => Math.floor(clock.now() / 1000)

test('the cursor stays while an event is not committed, and moves when it is', async () => {
  await using server = await startRelay()
  await using relay = connected({ url: server.url })
  const cursors = memoryCursors()
  let commit: (() => void) | undefined
  await using feed = countingFeed({
    relays: [relay],
    cursors,
    onEvent: () => new Promise((resolve) => (commit = resolve)),
  })
  await until('live', feed.isLive)
  expect(await feed.runOnce()).toEqual({ advanced: 1, held: 0 })
  expect(cursors.at.get(`${relay.url} dm`)).toBeGreaterThanOrEqual(now)
  await relay.publish(wrapAt(now), 5_000)
  await until('handed on', () => commit !== undefined)
  expect(await feed.runOnce()).toEqual({ advanced: 0, held: 1 })
  commit?.()
  await until('committed', () => feed.status().pending === 0)
})

test('a rejected event keeps the cursor back and is handed on until it is taken', async () => {
  await using server = await startRelay()
  await using relay = connected({ url: server.url })
  const cursors = memoryCursors()
  let database = false
  let taken = 0
  await using feed = countingFeed({
    relays: [relay],
    cursors,
    async onEvent() {
      if (!database) throw new Error('no database')
      taken += 1
    },
  })
  await until('live', feed.isLive)
  await relay.publish(wrapAt(now), 5_000)
  await until('rejected twice', () => feed.status().retries >= 2)
  expect(await feed.runOnce()).toEqual({ advanced: 0, held: 1 })
  database = true
  await until('taken', () => taken === 1)
  await until('committed', () => feed.status().pending === 0)
  expect((await feed.runOnce()).advanced).toBe(1)
})

test('the cursor stays without EOSE, without a connection and without a fresh pong', async () => {
  const clock = fastClock()
  await using server = await startRelay()
  server.faults.eose = 'never'
  await using relay = connected({
    url: server.url,
    clock,
    backoff: { firstMs: 60_000, mostMs: 60_000 },
  })
  await using feed = countingFeed({ relays: [relay], clock })
  await until('open', () => relay.state() === 'open')
  expect((await feed.runOnce()).advanced).toBe(0)
  server.faults.eose = 'real'
  await until('live', feed.isLive)
  clock.step(39_000)
  expect((await feed.runOnce()).advanced).toBe(1)
  clock.step(2_000)
  expect((await feed.runOnce()).advanced).toBe(0)
  server.dropConnections()
  await until('away', () => relay.state() === 'waiting')
  expect((await feed.runOnce()).advanced).toBe(0)
})

test('the cursor is never ahead of the last pong', async () => {
  const clock = fastClock()
  await using server = await startRelay()
  await using relay = connected({ url: server.url, clock })
  const cursors = memoryCursors()
  await using feed = countingFeed({ relays: [relay], clock, cursors })
  await until('live', feed.isLive)
  clock.step(30_000)
  await feed.runOnce()
  const pong = Math.floor((relay.lastPongAt() ?? 0) / 1000)
  expect(cursors.at.get(`${relay.url} dm`)).toBe(pong)
})

test('under traffic that never pauses the cursor follows one look behind', async () => {
  const commits = createCommits()
  const resolves: ((done: boolean) => void)[] = []
  const arrive = () => commits.track(new Promise((resolve) => resolves.push(resolve)))
  const commit = async () => {
    resolves.shift()?.(true)
    await Promise.resolve()
    await Promise.resolve()
  }
  expect(commits.reached(10)).toBe(10)
  arrive()
  arrive()
  expect(commits.reached(20)).toBeUndefined()
  await commit()
  arrive()
  expect(commits.reached(30)).toBeUndefined()
  await commit()
  // Both that had come by 20 are committed; the one after is not.
  expect(commits.reached(40)).toBe(20)
  expect(commits.reached(50)).toBeUndefined()
  await commit()
  expect(commits.reached(60)).toBe(60)
})

test('a cursor from a clock that was ahead is not believed beyond the present', async () => {
  await using server = await startRelay()
  await using client = await talk(server.url)
  const wrap = wrapAt(now - DAY)
  client.say('EVENT', wrap)
  await client.next('OK', wrap.id)
  const cursors = memoryCursors()
  await using relay = connected({ url: server.url })
  cursors.at.set(`${relay.url} dm`, now + 30 * DAY)
  await using feed = countingFeed({ relays: [relay], cursors })
  await until('the wrap', () => feed.seen.has(wrap.id) && feed.isLive())
  await feed.runOnce()
  expect(cursors.at.get(`${relay.url} dm`)).toBeLessThan(now + DAY)
})

test('a cursor store that fails is tried again and costs no event', async () => {
  await using server = await startRelay()
  await using relay = connected({ url: server.url })
  const cursors = memoryCursors()
  const fails = ['load', 'save', 'save again']
  const wrap = wrapAt(now)
  await relay.publish(wrap, 5_000)
  await using feed = countingFeed({
    relays: [relay],
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) },
    cursors: {
      async load(url, stream) {
        if (fails[0] === 'load') throw new Error(`no database for ${fails.shift()}`)
        return cursors.load(url, stream)
      },
      async save(url, stream, at) {
        if (fails.length > 0) throw new Error(`no database for ${fails.shift()}`)
        await cursors.save(url, stream, at)
      },
    },
  })
  await until('the wrap', () => feed.seen.has(wrap.id))
  await until('live', feed.isLive)
  fails.push('save')
  expect(await feed.runOnce()).toEqual({ advanced: 0, held: 1 })
  expect(await feed.runOnce()).toEqual({ advanced: 1, held: 0 })
})

test('the first run is written down, so that a stop within its first minute loses nothing', async () => {
  const clock = fastClock()
  await using server = await startRelay({ clock })
  await using relay = connected({ url: server.url, clock })
  const cursors = memoryCursors()
  const feed = countingFeed({ relays: [relay], clock, cursors })
  await until('written', () => cursors.at.has(`${relay.url} dm`))
  await feed.stop()
  const wrap = wrapAt(now - 2 * DAY)
  await relay.publish(wrap, 5_000)
  clock.step(12 * 3_600_000)
  await using again = countingFeed({ relays: [relay], clock, cursors })
  await until('the wrap', () => again.seen.has(wrap.id))
})

test('relays are read no further while too much is uncommitted, and nothing of it is lost', async () => {
  await using server = await startRelay()
  await using client = await talk(server.url)
  // Large enough that one read of the socket brings a few and not all.
  const content = 'x'.repeat(4_000)
  const wraps = Array.from({ length: 300 }, (_, n) => wrapAt(now - n, author, content))
  for (const wrap of wraps.slice(0, 150)) client.say('EVENT', wrap)
  await until('stored', () => server.counters.accepted === 150)
  await using relay = connected({ url: server.url })
  const waiting: (() => void)[] = []
  const committed = new Set<string>()
  await using feed = countingFeed({
    relays: [relay],
    pendingMax: 20,
    eoseMs: 20,
    onEvent: (event) =>
      new Promise((resolve) => {
        waiting.push(() => {
          committed.add(event.id)
          resolve()
        })
      }),
  })
  await until('full', () => feed.status().pending >= 20)
  for (const wrap of wraps.slice(150)) client.say('EVENT', wrap)
  await until('stored', () => server.counters.accepted === 300)
  expect(feed.status().pending).toBeLessThan(150)
  await until('drained', () => {
    for (const commit of waiting.splice(0)) commit()
    return committed.size === 300
  })
  expect(relay.counters.drops).toBe(0)
})

test('stop waits for the event in progress, may come before start or twice, and leaves nothing open', async () => {
  await using server = await startRelay()
  const relay = connected({ url: server.url })
  await until('open', () => relay.state() === 'open' && relay.info() !== undefined)
  const before = openResources().length
  let begun = false
  let finish = () => {}
  let finished = false
  const feed = countingFeed({
    relays: [relay],
    async onEvent() {
      begun = true
      await new Promise<void>((resolve) => (finish = resolve))
      finished = true
    },
  })
  await until('live', feed.isLive)
  await relay.publish(wrapAt(now), 5_000)
  await until('begun', () => begun)
  const stops = Promise.all([feed.stop(), feed.stop()])
  finish()
  await stops
  expect(finished).toBe(true)
  expect(feed.status().lines.map((line) => line.state)).toEqual(['waiting'])
  await relay.publish(wrapAt(now, author, 'later'), 5_000)
  await until('no pause of ours', () => openResources().length <= before + 1)
  await relay.stop()
  const never = countingFeed({ relays: [] })
  await never.stop()
})

const random = seeded()

/**
 * A day and more of outages: the connection drops, the daemon stops for hours, the relay restarts its
 * sockets, wraps are published all the while and dated up to two days back. A client that resumes from
 * the newest event it saw loses most of them.
 */
test(`every back-dated wrap is delivered through random outages, seed ${random.seed}`, async () => {
  const clock = fastClock()
  await using server = await startRelay({ clock })
  await using writer = connected({ url: server.url, clock })
  const cursors = memoryCursors()
  const delivered = new Map<string, number>()
  const published: NostrEvent[] = []
  const connect = () => connected({ url: server.url, clock, pingMs: 20, pongMs: 10 })
  const listen = (relay: ReturnType<typeof connect>) =>
    countingFeed({
      relays: [relay],
      clock,
      cursors,
      known: (id) => delivered.has(id),
      async onEvent(event) {
        // The commit takes a moment, and now and then it fails.
        await Promise.resolve()
        if (random.int(10) === 0) throw new Error('rolled back')
        delivered.set(event.id, (delivered.get(event.id) ?? 0) + 1)
      },
    })
  let relay = connect()
  let feed = listen(relay)
  let advances = 0
  for (let step = 0; step < sweepRounds(120, 2_000); step += 1) {
    const what = random.int(8)
    if (what < 4) {
      const wrap = wrapAt(secondsOf(clock) - random.int(2 * DAY), author, `${step}`)
      published.push(wrap)
      expect(await writer.publish(wrap, 5_000)).toMatchObject({ outcome: 'acknowledged' })
    } else if (what === 4) server.dropConnections()
    else if (what === 5) clock.step(random.int(20_000))
    else if (what === 6) {
      const fresh = () => clock.now() - (relay.lastPongAt() ?? 0) < 1_000
      await until('live, with a fresh pong', () => feed.isLive() && fresh())
      advances += (await feed.runOnce()).advanced
    } else {
      await feed.stop()
      await relay.stop()
      clock.step(random.int(12 * 3_600_000))
      relay = connect()
      feed = listen(relay)
    }
  }
  const missing = () => published.filter((wrap) => !delivered.has(wrap.id)).length
  await until('all delivered', () => missing() === 0)
  await feed.stop()
  await relay.stop()
  expect([...delivered.values()].every((times) => times === 1)).toBe(true)
  expect(advances).toBeGreaterThan(0)
})
