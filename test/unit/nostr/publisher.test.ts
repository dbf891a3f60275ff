import { expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { OWED_BY_ANSWERING, OWED_BY_SILENT } from '../../../src/limits.ts'
import { silentLog } from '../../../src/log.ts'
import { createPublisher, type PublisherOptions } from '../../../src/nostr/publisher.ts'
import type { NostrEvent } from '../../../src/nostr/types.ts'
import { startRelay } from '../../../src/sandbox/relay.ts'
import { fastClock } from '../../support/fast-clock.ts'
import { connected, newIdentity, openResources, scripted, signed } from '../../support/relay-lab.ts'
import { until } from '../../support/until.ts'

const alice = newIdentity()

const stored = (event: NostrEvent) => ({ id: event.id, json: JSON.stringify(event) })

/** A publisher that counts the connections it makes. */
function counting(some: Partial<PublisherOptions> = {}) {
  const made: string[] = []
  const publisher = createPublisher({
    own: [],
    clock: systemClock,
    log: silentLog,
    connect(url) {
      made.push(url)
      return connected({ url, backoff: { firstMs: 60_000, mostMs: 60_000 }, random: () => 0.9 })
    },
    ...some,
  })
  return Object.assign(publisher, { made, [Symbol.asyncDispose]: () => publisher.stop() })
}

test('the operator’s relays are reached over their standing connections, in any spelling', async () => {
  await using server = await startRelay()
  await using relay = connected({ url: server.url })
  await using publisher = counting({ own: [relay] })
  const urls = [server.url, `${server.url}/`, server.url.toUpperCase()]
  const outcomes = await publisher.publish(stored(signed(alice)), urls, 5_000)
  expect([...outcomes.keys()]).toEqual(urls)
  expect([...outcomes.values()].map((o) => o.outcome)).toEqual(Array(3).fill('acknowledged'))
  expect(publisher.made).toEqual([])
  expect(server.counters).toMatchObject({ connections: 1, accepted: 1 })
})

test('each relay has its own answer, and a slow one holds up no other’s connection', async () => {
  await using good = await startRelay()
  await using refusing = await startRelay()
  refusing.faults.ok = 'refuse'
  refusing.faults.okMessage = 'blocked: not here'
  await using mute = await scripted(() => {})
  const gone = await startRelay()
  await gone.stop()
  await using publisher = counting()
  const urls = [good.url, refusing.url, mute.url, gone.url]
  const outcomes = await publisher.publish(stored(signed(alice)), urls, 100)
  expect([...outcomes].map(([url, o]) => [url, o.outcome, o.prefix])).toEqual([
    [good.url, 'acknowledged', undefined],
    [refusing.url, 'refused', 'blocked'],
    [mute.url, 'timeout', undefined],
    [gone.url, 'unreachable', undefined],
  ])
})

test('once a relay has the event a silent one is waited for a moment longer, not to the end', async () => {
  await using good = await startRelay()
  await using mute = await scripted(() => {})
  await using publisher = counting()
  const outcomes = await publisher.publish(stored(signed(alice)), [mute.url, good.url], 3_600_000)
  expect([...outcomes].map(([url, o]) => [url, o.outcome])).toEqual([
    [mute.url, 'timeout'],
    [good.url, 'acknowledged'],
  ])
  await until('sent', () => mute.heard.length === 1)
})

test('a relay that answers nothing keeps two events waiting, one that answers many more', async () => {
  await using relay = await startRelay()
  await using publisher = counting()
  relay.faults.ok = 'none'
  const send = (content: string, timeoutMs: number) =>
    publisher
      .publish(stored(signed(alice, { content })), [relay.url], timeoutMs)
      .then((o) => o.get(relay.url))
  const sendAll = (name: string, timeoutMs: number) =>
    Promise.all(Array.from({ length: 40 }, (_, at) => send(`${name} ${at}`, timeoutMs)))
  const count = (answers: Awaited<ReturnType<typeof sendAll>>, message: string | undefined) =>
    answers.filter((answer) => answer?.message === message).length
  const silent = await sendAll('silent', 300)
  expect(count(silent, 'it owes answers')).toBe(40 - OWED_BY_SILENT)
  relay.faults.ok = 'real'
  expect(await send('one', 5_000)).toMatchObject({ outcome: 'acknowledged' })
  const answered = await sendAll('answered', 5_000)
  expect(count(answered, 'it owes answers')).toBe(40 - OWED_BY_ANSWERING)
})

test('a connection is kept for the next reply and ended when it was idle for long', async () => {
  const clock = fastClock()
  const quick = {
    ...clock,
    sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 1_000, signal),
  }
  await using server = await startRelay()
  await using publisher = counting({ clock: quick })
  for (const content of ['a', 'b', 'c']) {
    await publisher.publish(stored(signed(alice, { content })), [server.url], 5_000)
  }
  expect(publisher.made).toHaveLength(1)
  expect(publisher.status()).toMatchObject({ adhoc: 1, busy: 0 })
  clock.step(60_000)
  await until('ended', () => server.counters.connected === 0)
  expect(publisher.status().adhoc).toBe(0)
  await publisher.publish(stored(signed(alice)), [server.url], 5_000)
  expect(publisher.made).toHaveLength(2)
})

test('a relay that is down is not dialled again by every reply', async () => {
  const gone = await startRelay()
  await gone.stop()
  await using publisher = counting()
  for (const content of ['a', 'b', 'c']) {
    const outcomes = await publisher.publish(stored(signed(alice, { content })), [gone.url], 1_000)
    expect(outcomes.get(gone.url)?.outcome).toBe('unreachable')
  }
  expect(publisher.made).toHaveLength(1)
})

test('the cap makes room by ending dead and idle connections, and never one in use', async () => {
  const a = await startRelay()
  const b = await startRelay()
  await using mute = await scripted(() => {})
  const gone = await startRelay()
  await gone.stop()
  const publisher = counting({ maxAdhoc: 2 })
  const send = (url: string, timeoutMs = 5_000) =>
    publisher
      .publish(stored(signed(alice, { content: url })), [url], timeoutMs)
      .then((o) => o.get(url)?.outcome)
  expect(await send(a.url)).toBe('acknowledged')
  expect(await send(gone.url)).toBe('unreachable')
  // The dead one goes first although it was used last.
  const waiting = send(mute.url, 60_000)
  await until('in use', () => mute.heard.length === 1)
  expect(a.counters.connected).toBe(1)
  expect(await send(b.url)).toBe('acknowledged')
  await until('the idle one ended', () => a.counters.connected === 0)
  const second = publisher.publish(stored(signed(alice, { content: '2' })), [mute.url], 60_000)
  b.faults.ok = 'none'
  const busy = send(b.url, 60_000)
  expect(await send(a.url)).toBe('unreachable')
  expect(publisher.status()).toEqual({ adhoc: 2, busy: 2, refusedForWantOfRoom: 1 })
  await publisher.stop()
  await Promise.all([waiting, second, busy, a.stop(), b.stop()])
})

test('stop ends every connection it made and answers what waits', async () => {
  await using mute = await scripted(() => {})
  const before = openResources().length
  const publisher = counting()
  const waiting = publisher.publish(stored(signed(alice)), [mute.url], 60_000)
  await until('sent', () => mute.heard.length === 1)
  await Promise.all([publisher.stop(), publisher.stop()])
  expect((await waiting).get(mute.url)?.outcome).toBe('timeout')
  expect(
    (await publisher.publish(stored(signed(alice)), [mute.url], 50)).get(mute.url)?.outcome,
  ).toBe('unreachable')
  await until('as before', () => openResources().length <= before)
})
