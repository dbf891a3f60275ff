import { expect, test } from 'vitest'
import type { NostrEvent } from '../../../src/nostr/types.ts'
import { startRelay } from '../../../src/sandbox/relay.ts'
import { createRelayFaults, withBrokenSignature } from '../../../src/sandbox/relay-faults.ts'
import {
  answering,
  author,
  BACKDATE,
  bot,
  countingFeed,
  DAY,
  dmStream,
  filtersOf,
  memoryCursors,
  wrapAt,
} from '../../support/feed-lab.ts'
import { fastClock } from '../../support/fast-clock.ts'
import { connected, nowSeconds, scripted, signed, talk } from '../../support/relay-lab.ts'
import { until } from '../../support/until.ts'
import { seeded } from '../../support/seeded.ts'

const now = nowSeconds()
const all = (count: number) => Array(count).fill(1)

test('a first run looks back once, a later one from its cursor, and no event’s date moves that', async () => {
  await using server = await answering(({ until }) =>
    until ? [] : [wrapAt(now + 9 * 365 * DAY), wrapAt(now)],
  )
  const cursors = memoryCursors()
  await using relay = connected({ url: server.url })
  await using feed = countingFeed({ relays: [relay], cursors })
  await until('live', feed.isLive)
  expect(filtersOf(server)[0]?.since).toBeCloseTo(now - BACKDATE - 1, -1)
  cursors.at.set(`${relay.url} dm`, now - 1_000)
  await feed.stop()
  server.heard.length = 0
  await using again = countingFeed({ relays: [relay], cursors })
  await until('live', again.isLive)
  server.dropAll()
  await until('a second connection', () => relay.counters.opens === 2 && again.isLive())
  const since = filtersOf(server).map((filter) => filter.since)
  expect(new Set(since)).toEqual(new Set([now - 1_000 - BACKDATE - 1]))
})

test('direct messages have a REQ of their own', async () => {
  await using server = await answering(() => [])
  await using relay = connected({ url: server.url })
  const streams = [
    dmStream,
    { name: 'legacy', filter: { kinds: [4], '#p': [bot.pubkey] }, backdateSeconds: 900 },
    { name: 'jobs', filter: { kinds: [5_050], '#p': [bot.pubkey] }, backdateSeconds: 900 },
  ]
  await using feed = countingFeed({ relays: [relay], streams })
  await until('live', feed.isLive)
  expect(filtersOf(server).map((filter) => filter.kinds)).toEqual([[1_059], [4], [5_050]])
  const ids = server.heard.map((message) => message[1])
  expect(new Set(ids).size).toBe(ids.length)
})

const habits = [
  {},
  { hints: false },
  { hints: false, silentCap: 100 },
  { hints: false, silentCap: 375 },
  { hints: false, silentCap: 100, untilExclusive: true },
  { hints: false, silentCap: 100, sinceExclusive: true },
  { hints: false, silentCap: 100, untilExclusive: true, sinceExclusive: true },
]

test.each(habits)('a backfill of 1,200 wraps is complete on a relay with %j', async (habit) => {
  const random = seeded()
  await using server = await startRelay({
    faults: createRelayFaults(Math.random, habit),
    verify: () => true,
  })
  await using client = await talk(server.url)
  const wraps: NostrEvent[] = []
  // Seconds shared by up to 60 events, so that every page ends in the middle of one.
  for (let n = 0; n < 1_200; n += 1) {
    wraps.push(wrapAt(now - DAY + 37 * Math.floor(random.int(1_200) / 60), author, `${n}`))
  }
  wraps.push(wrapAt(now - 2 * DAY), wrapAt(now))
  for (const wrap of wraps) client.say('EVENT', wrap)
  await until('stored', () => server.counters.accepted === wraps.length)
  await using relay = connected({ url: server.url })
  await using feed = countingFeed({ relays: [relay], known: () => false })
  await until('live', feed.isLive)
  expect(wraps.filter((wrap) => !feed.seen.has(wrap.id)).length, `seed ${random.seed}`).toBe(0)
})

test('a second with more events than a page is passed, and what lies behind it arrives', async () => {
  await using server = await startRelay({
    faults: createRelayFaults(Math.random, { silentCap: 20, hints: false }),
  })
  await using client = await talk(server.url)
  const crowd = Array.from({ length: 50 }, (_, n) => wrapAt(now - 100, author, `${n}`))
  const behind = Array.from({ length: 50 }, (_, n) => wrapAt(now - 101 - n))
  for (const wrap of [...crowd, ...behind]) client.say('EVENT', wrap)
  await until('stored', () => server.counters.accepted === 100)
  await using relay = connected({ url: server.url })
  await using feed = countingFeed({ relays: [relay] })
  await until('live', feed.isLive)
  expect(behind.filter((wrap) => !feed.seen.has(wrap.id))).toEqual([])
})

test('finish ends the paging after one REQ, and without it an empty page does', async () => {
  await using server = await startRelay()
  await using relay = connected({ url: server.url })
  await relay.publish(wrapAt(now), 5_000)
  await using feed = countingFeed({ relays: [relay] })
  await until('live', feed.isLive)
  expect(server.counters.requests).toBe(1)
  expect(feed.status().lines[0]?.pages).toBe(1)
})

test('wraps that arrive while older pages are read are not lost', async () => {
  await using server = await startRelay({
    faults: createRelayFaults(Math.random, { silentCap: 10, hints: false, delayMsMax: 1 }),
  })
  await using client = await talk(server.url)
  for (let n = 0; n < 60; n += 1) client.say('EVENT', wrapAt(now - DAY - n))
  await until('stored', () => server.counters.accepted === 60)
  await using relay = connected({ url: server.url })
  await using feed = countingFeed({ relays: [relay] })
  const late: NostrEvent[] = []
  for (let n = 0; !feed.isLive(); n += 1) {
    // Dated anywhere in the window, as wraps are: not only newer than what is being read.
    const wrap = wrapAt(now - ((n * 7_919) % (2 * DAY)), author, 'late')
    late.push(wrap)
    client.say('EVENT', wrap)
    await client.next('OK', wrap.id)
  }
  await until('all', () => late.every((wrap) => feed.seen.has(wrap.id)))
  expect(feed.seen.size).toBe(60 + late.length)
})

test('a relay that breaks every connection long before its last page is read to the end', async () => {
  const stored = Array.from({ length: 150 }, (_, n) => wrapAt(now - 60 * n, author, `${n}`))
  const sent = new WeakMap<object, number>()
  await using server = await scripted((message, say, ws) => {
    const [type, id, filter] = message as [string, string, { since: number; until?: number }]
    if (type !== 'REQ') return
    const { since, until = now } = filter
    const found = stored.filter((e) => e.created_at >= since && e.created_at <= until)
    for (const event of found.slice(0, 20)) {
      say('EVENT', id, event)
      sent.set(ws, (sent.get(ws) ?? 0) + 1)
      if ((sent.get(ws) ?? 0) >= 50) return ws.terminate()
    }
    say('EOSE', id)
  })
  await using relay = connected({ url: server.url })
  await using feed = countingFeed({ relays: [relay], known: (id) => feed.seen.has(id) })
  await until('all', () => feed.seen.size === stored.length, 3_000)
  expect([...feed.seen.values()]).toEqual(all(stored.length))
})

test('one event of the year 3000 does not lead the paging there', async () => {
  const far = wrapAt(32_500_000_000)
  await using server = await answering(({ until }) => (until === undefined ? [far] : []))
  await using relay = connected({ url: server.url })
  await using feed = countingFeed({ relays: [relay] })
  await until('live', feed.isLive)
  expect(filtersOf(server)[1]?.until).toBeLessThan(now + 2 * DAY)
})

test('a relay that sends the same page whatever is asked for is left after it', async () => {
  const page = [wrapAt(now), wrapAt(now - 5)]
  await using server = await answering(() => page)
  await using relay = connected({ url: server.url })
  await using feed = countingFeed({ relays: [relay] })
  await until('live', feed.isLive)
  expect(server.heard.length).toBeLessThan(12)
})

test('a lying relay first and an honest one second: the wrap is delivered', async () => {
  const wrap = wrapAt(now)
  await using liar = await answering(({ until }) =>
    until ? [] : [withBrokenSignature(wrap), wrapAt(now - 1)],
  )
  await using one = connected({ url: liar.url })
  await using honest = await startRelay()
  await using two = connected({ url: honest.url })
  await two.publish(wrap, 5_000)
  const seen = new Set<string>()
  await using first = countingFeed({ relays: [one], known: (id, sig) => seen.has(id + sig) })
  await until('the liar is read', first.isLive)
  expect(one.counters.forged).toBe(1)
  await using second = countingFeed({
    relays: [one, two],
    known: (id, sig) => seen.has(id + sig),
    async onEvent(event) {
      seen.add(event.id + event.sig)
    },
  })
  await until('delivered', () => seen.has(wrap.id + wrap.sig))
  expect(second.status().retries).toBe(0)
})

test('copies from five relays at once are handed on once while the first is being committed', async () => {
  const servers = await Promise.all([1, 2, 3, 4, 5].map(() => startRelay()))
  const relays = servers.map((server) => connected({ url: server.url }))
  const wrap = wrapAt(now)
  let calls = 0
  let commit = () => {}
  const cursors = memoryCursors()
  const feed = countingFeed({
    relays,
    cursors,
    onEvent: () =>
      new Promise((resolve) => {
        calls += 1
        commit = resolve
      }),
  })
  await until('live', feed.isLive)
  await Promise.all(relays.map((relay) => relay.publish(wrap, 5_000)))
  await until('all five have it', () => feed.status().lines.every((line) => line.uncommitted === 1))
  expect(calls).toBe(1)
  // Every relay's cursor waits for the one commit, whoever brought the event.
  expect(await feed.runOnce()).toEqual({ advanced: 0, held: 5 })
  commit()
  await until('committed', () => feed.status().pending === 0)
  expect(await feed.runOnce()).toEqual({ advanced: 5, held: 0 })
  await feed.stop()
  await Promise.all([...relays, ...servers].map((each) => each.stop()))
})

test('a relay that is silent, closed or half-open costs the others nothing', async () => {
  const silent = await scripted(() => {})
  const closing = await scripted((message, say) => say('CLOSED', message[1], 'error: no'))
  await using honest = await startRelay()
  const gone = await startRelay()
  await gone.stop()
  const urls = [silent.url, closing.url, gone.url, honest.url]
  const relays = urls.map((url) => connected({ url }))
  const feed = countingFeed({ relays })
  await until('the honest one is live', () => feed.liveSince(honest.url) !== undefined)
  const wrap = wrapAt(now)
  await relays[3]?.publish(wrap, 5_000)
  await until('delivered', () => feed.seen.has(wrap.id))
  expect(urls.slice(0, 3).map((url) => feed.liveSince(url))).toEqual(Array(3).fill(undefined))
  await feed.stop()
  await Promise.all(relays.map((relay) => relay.stop()))
  await silent[Symbol.asyncDispose]()
  await closing[Symbol.asyncDispose]()
})

test('a REQ that gets neither EOSE nor CLOSED is asked again, and live wraps arrive meanwhile', async () => {
  let answers = false
  await using server = await scripted((message, say) => {
    const [type, id, filter] = message as [string, string, { until?: number }]
    if (type !== 'REQ') return
    if (filter.until === undefined) say('EVENT', id, wrapAt(now, author, `${server.heard.length}`))
    if (answers) say('EOSE', id)
  })
  await using relay = connected({ url: server.url })
  await using feed = countingFeed({ relays: [relay], eoseMs: 20 })
  await until('asked again', () => filtersOf(server).length >= 3)
  expect(feed.isLive()).toBe(false)
  expect(await feed.runOnce()).toEqual({ advanced: 0, held: 1 })
  expect(feed.seen.size).toBeGreaterThan(0)
  answers = true
  await until('live', feed.isLive)
  expect(await feed.runOnce()).toEqual({ advanced: 1, held: 0 })
})

test('a live subscription that the relay closes is asked anew from the cursor', async () => {
  await using server = await answering(() => [])
  await using relay = connected({ url: server.url })
  await using feed = countingFeed({ relays: [relay] })
  await until('live', feed.isLive)
  const [sub] = server.heard.map((message) => message[1])
  for (const ws of server.sockets) ws.send(JSON.stringify(['CLOSED', sub, 'error: shutting down']))
  await until('asked anew', () => filtersOf(server).length === 2 && feed.isLive())
})

test('wraps behind AUTH are read, stored and live', async () => {
  await using server = await startRelay({ requireAuth: true })
  await using writer = await talk(server.url)
  const stored = wrapAt(now - DAY)
  const live = wrapAt(now - 2 * DAY)
  writer.say('EVENT', stored)
  await writer.next('OK', stored.id)
  await using relay = connected({ url: server.url, identity: bot })
  await using feed = countingFeed({ relays: [relay] })
  await until('the stored one', () => feed.seen.has(stored.id) && feed.isLive())
  writer.say('EVENT', live)
  await until('the live one', () => feed.seen.has(live.id))
  expect([...feed.seen.values()]).toEqual(all(2))
})

test('far-future and forged events count nowhere but at their relay', async () => {
  const clock = fastClock()
  await using server = await startRelay({ clock })
  await using relay = connected({ url: server.url })
  server.faults.forgeFirst = true
  server.faults.wrongFilterShare = 0.5
  server.faults.duplicates = 2
  await using feed = countingFeed({ relays: [relay] })
  await until('live', feed.isLive)
  for (let n = 0; n < 20; n += 1) await relay.publish(wrapAt(now - n, author, `${n}`), 5_000)
  await relay.publish(signed(author, { kind: 1_059, tags: [['p', author.pubkey]] }), 5_000)
  await until('all honest ones', () => feed.seen.size === 20)
  expect(relay.counters.forged).toBe(20)
})
