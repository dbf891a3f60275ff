import { expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import type { Filter, NostrEvent } from '../../../src/nostr/types.ts'
import { startRelay } from '../../../src/sandbox/relay.ts'
import {
  bareServer,
  connected,
  newIdentity,
  openResources,
  scripted,
  signed,
} from '../../support/relay-lab.ts'
import { until } from '../../support/until.ts'

const alice = newIdentity()
const bob = newIdentity()

test('what is subscribed before the relay is open is asked once it is', async () => {
  await using server = await startRelay()
  await using relay = connected({ url: server.url })
  const seen: NostrEvent[] = []
  let eoses = 0
  relay.subscribe({
    filters: [{ kinds: [1] }],
    onEvent: (event) => seen.push(event),
    onEose: () => (eoses += 1),
  })
  await until('EOSE', () => eoses === 1)
  const event = signed(alice)
  expect(await relay.publish(event, 5_000)).toMatchObject({ outcome: 'acknowledged' })
  await until('the live event', () => seen.length === 1)
  expect(seen).toEqual([event])
})

test('a relay that is down at start is found when it comes up', async () => {
  const first = await startRelay()
  await first.stop()
  await using relay = connected({ url: first.url })
  await until('a failed attempt', () => relay.state() === 'waiting')
  await using second = await startRelay({ port: first.port })
  await until('open', () => relay.state() === 'open')
  expect(second.counters.connected).toBe(1)
})

test('a restart of the relay is noticed within a second with the usual pauses', async () => {
  const first = await startRelay()
  await using relay = connected({ url: first.url, backoff: { firstMs: 250, mostMs: 300_000 } })
  await until('open', () => relay.state() === 'open')
  await first.stop()
  await until('away', () => relay.state() === 'waiting')
  await using _second = await startRelay({ port: first.port })
  const cameUpAt = performance.now()
  await until('open again', () => relay.state() === 'open')
  expect(performance.now() - cameUpAt).toBeLessThan(1_000)
})

test('a reconnect asks with the same filter, whatever was seen before', async () => {
  // A client that asks for what is newer than the newest seen loses every back-dated wrap.
  await using server = await scripted((message, say) => {
    if (message[0] !== 'REQ') return
    say('EVENT', message[1], signed(alice, { created_at: 2_000_000_000 }))
    say('EOSE', message[1])
  })
  await using relay = connected({ url: server.url })
  const filter: Filter = { kinds: [1], since: 1_000 }
  let eoses = 0
  relay.subscribe({ filters: [filter], onEvent() {}, onEose: () => (eoses += 1) })
  await until('EOSE', () => eoses === 1)
  server.dropAll()
  await until('EOSE again', () => eoses === 2)
  expect(server.heard.map((message) => message[2])).toEqual([filter, filter])
})

test('a filter is copied: the caller may reuse it, and no relay writes into it', async () => {
  await using server = await scripted(() => {})
  await using one = connected({ url: server.url })
  await using two = connected({ url: server.url })
  const filter: Filter = Object.freeze({ kinds: [1], since: 5 })
  const own: Filter = { kinds: [1] }
  one.subscribe({ filters: [filter], onEvent() {} })
  two.subscribe({ filters: [own], onEvent() {} })
  own.kinds?.push(2)
  own.limit = 1
  await until('two REQs', () => server.heard.length === 2)
  expect(server.heard.map((message) => message[2])).toContainEqual({ kinds: [1] })
  expect(filter).toEqual({ kinds: [1], since: 5 })
})

test('one connection lost is told at once, while another lives', async () => {
  await using a = await startRelay()
  await using b = await startRelay()
  await using one = connected({ url: a.url })
  await using two = connected({ url: b.url })
  await until('both open', () => one.state() === 'open' && two.state() === 'open')
  const states: string[] = []
  one.onState((state) => states.push(`a ${state}`))
  two.onState((state) => states.push(`b ${state}`))
  a.dropConnections()
  await until('open again', () => states.at(-1) === 'a open')
  expect(states).toEqual(['a waiting', 'a connecting', 'a open'])
})

test('EOSE is the relay’s own or none', async () => {
  await using server = await scripted((message, say) => {
    if (message[0] === 'REQ') say('EVENT', message[1], signed(alice))
    else say('OK', (message[1] as NostrEvent).id, true, '')
  })
  await using relay = connected({ url: server.url, pingMs: 20, pongMs: 10, authMs: 5 })
  const onEose = vi.fn()
  let events = 0
  relay.subscribe({ filters: [{ kinds: [1] }], onEvent: () => (events += 1), onEose })
  await until('the event', () => events === 1)
  const before = relay.lastPongAt() ?? 0
  await until('every time-out of the connection', () => (relay.lastPongAt() ?? 0) > before)
  expect(onEose).not.toHaveBeenCalled()
})

test.each([
  [['finish'], 'finish'],
  [['more', 'other'], 'more'],
  ['finish', 'finish'],
  [[], undefined],
  [7, undefined],
  [{ finish: true }, undefined],
])('the third element %j of EOSE is read as %s', async (third, hint) => {
  await using server = await scripted((message, say) => say('EOSE', message[1], third))
  await using relay = connected({ url: server.url })
  const hints: unknown[] = []
  relay.subscribe({ filters: [{}], onEvent() {}, onEose: (given) => hints.push(given) })
  await until('EOSE', () => hints.length === 1)
  expect(hints).toEqual([hint])
})

test('CLOSED ends a subscription with its prefix, and it is not asked again', async () => {
  await using server = await scripted((message, say) => {
    if (message[0] === 'REQ') say('CLOSED', message[1], 'error: no such thing')
  })
  await using relay = connected({ url: server.url })
  const closed: string[] = []
  relay.subscribe({
    filters: [{}],
    onEvent() {},
    onClosed: (prefix, text) => closed.push(prefix, text),
  })
  await until('CLOSED', () => closed.length === 2)
  expect(closed).toEqual(['error', 'error: no such thing'])
  server.dropAll()
  await until('open again', () => relay.counters.opens === 2)
  expect(server.heard).toHaveLength(1)
})

test('closing twice, after CLOSED, or on a stopped relay is harmless', async () => {
  await using server = await startRelay()
  const relay = connected({ url: server.url })
  const other = relay.subscribe({ filters: [{ kinds: [7] }], onEvent() {} })
  let live = 0
  relay.subscribe({ filters: [{ kinds: [1] }], onEvent: () => (live += 1) })
  await until('open', () => relay.state() === 'open')
  other.close()
  other.close()
  await relay.publish(signed(alice), 5_000)
  await until('the live one lives', () => live === 1)
  await relay.stop()
  other.close()
  const late = relay.subscribe({ filters: [{}], onEvent() {} })
  late.close()
  expect(await relay.publish(signed(alice), 100)).toMatchObject({ outcome: 'unreachable' })
})

test('a link that died without a word is cut after ping and pong, and made anew', async () => {
  await using server = await startRelay()
  await using relay = connected({ url: server.url, pingMs: 40, pongMs: 20 })
  await until('open', () => relay.state() === 'open')
  const openedAt = relay.lastPongAt() ?? 0
  await until('a pong', () => (relay.lastPongAt() ?? 0) > openedAt)
  server.faults.halfOpen = true
  await until('cut', () => relay.counters.drops === 1)
  expect(relay.lastPongAt()).toBeUndefined()
  server.faults.halfOpen = false
  await until('open again', () => relay.state() === 'open' && relay.counters.opens > 1)
})

test('a relay we stopped reading is not taken for dead, and goes on where it was', async () => {
  await using server = await scripted((message, say) => {
    if (message[0] === 'EVENT') say('EVENT', 't1', message[1])
  })
  await using relay = connected({ url: server.url, pingMs: 210, pongMs: 200 })
  const seen: string[] = []
  relay.subscribe({ filters: [{ kinds: [1] }], onEvent: (event) => seen.push(event.content) })
  await until('the REQ', () => server.heard.length === 1)
  let pings = 0
  for (const ws of server.sockets) ws.on('ping', () => (pings += 1))
  relay.pause()
  void relay.publish(signed(alice, { content: 'waits' }), 5_000)
  await until('a second ping, so the first one’s pong is overdue', () => pings === 2)
  expect(seen).toEqual([])
  relay.resume()
  await until('the event', () => seen.length === 1)
  expect(relay.counters.drops).toBe(0)
})

test('a peer that accepts and never shakes hands is given up', async () => {
  await using server = await bareServer((socket) => socket.write('HTTP/1.1 101 '))
  await using relay = connected({ url: server.url, handshakeMs: 50 })
  await until('another attempt', () => server.sockets.size > 1)
  expect(relay.counters.opens).toBe(0)
})

test('pauses grow with full jitter to their bound and start anew after a stable connection', async () => {
  const pauses: number[] = []
  let nowMs = 0
  // Pauses of the clock are skipped and recorded; only those between attempts are told apart by length.
  const clock = {
    now: () => nowMs,
    sleep: (ms: number, signal?: AbortSignal) => {
      if (ms > 100_000 || ms === 5_000) return systemClock.sleep(ms, signal)
      pauses.push(ms)
      return systemClock.sleep(0)
    },
  }
  const gone = await startRelay()
  await gone.stop()
  await using relay = connected({
    ...{ url: gone.url, clock, random: () => 0.5, pingMs: 500_000, pongMs: 200_000 },
    backoff: { firstMs: 1_000, mostMs: 16_000 },
  })
  await until('eight attempts', () => pauses.length >= 7)
  expect(pauses.slice(0, 7)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000])
  await using server = await startRelay({ port: gone.port })
  await until('open', () => relay.state() === 'open')
  nowMs += 60_000
  const before = pauses.length
  server.dropConnections()
  await until('a pause', () => pauses.length > before)
  expect(pauses[before]).toBe(500)
})

test('stop leaves no socket and no timer, in every state', async () => {
  const gone = await startRelay()
  await gone.stop()
  await using silent = await bareServer(() => {})
  const server = await startRelay()
  const before = openResources().length
  const open = connected({ url: server.url, identity: bob })
  const waiting = connected({ url: gone.url, backoff: { firstMs: 60_000, mostMs: 60_000 } })
  const connecting = connected({ url: silent.url })
  await until('states', () => open.state() === 'open' && waiting.state() === 'waiting')
  const pending = [open, waiting, connecting].map((r) => r.publish(signed(alice), 60_000))
  server.faults.halfOpen = true
  open.subscribe({ filters: [{}], onEvent() {} })
  await Promise.all([open.stop(), open.stop(), waiting.stop(), connecting.stop()])
  await Promise.all(pending)
  expect([open, waiting, connecting].map((r) => r.state())).toEqual(Array(3).fill('stopped'))
  await server.stop()
  for (const socket of silent.sockets) socket.destroy()
  await until('as before', () => openResources().length <= before)
})
