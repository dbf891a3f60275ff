import { expect, test } from 'vitest'
import type { NostrEvent } from '../../../src/nostr/types.ts'
import { startRelay } from '../../../src/sandbox/relay.ts'
import { connected, newIdentity, scripted, signed } from '../../support/relay-lab.ts'
import { until } from '../../support/until.ts'

const alice = newIdentity()

test('a stored text is published byte for byte', async () => {
  await using server = await scripted((message, say) =>
    say('OK', (message[1] as NostrEvent).id, true, ''),
  )
  let text = ''
  await using relay = connected({ url: server.url })
  await until('open', () => relay.state() === 'open')
  for (const ws of server.sockets) ws.on('message', (data) => (text = String(data)))
  // Spaces and order as no JSON.stringify would write them.
  const json = '{ "sig":"ab",  "id":"x1", "n": 1.0 }'
  await relay.publish({ id: 'x1', json }, 5_000)
  expect(text).toBe(`["EVENT",${json}]`)
})

test('publishing while the relay is away makes no second socket', async () => {
  await using server = await startRelay()
  await using relay = connected({
    url: server.url,
    backoff: { firstMs: 100, mostMs: 100 },
    random: () => 0.9,
  })
  await until('open', () => relay.state() === 'open')
  server.dropConnections()
  await until('away', () => relay.state() === 'waiting')
  const outcomes = await Promise.all(
    [1, 2, 3].map((n) => relay.publish(signed(alice, { content: `${n}` }), 5_000)),
  )
  expect(outcomes.map((o) => o.outcome)).toEqual(Array(3).fill('acknowledged'))
  expect(server.counters.connected).toBe(1)
})

test('the same event twice at once is sent once and both are answered', async () => {
  await using server = await startRelay()
  await using relay = connected({ url: server.url })
  const event = signed(alice)
  const both = await Promise.all([relay.publish(event, 5_000), relay.publish(event, 5_000)])
  expect(both.map((o) => o.outcome)).toEqual(['acknowledged', 'acknowledged'])
  expect(server.counters.accepted).toBe(1)
})

test('more than a relay reads at once waits in our hands, not for its deadline', async () => {
  await using server = await startRelay({ verify: () => true })
  await using relay = connected({ url: server.url })
  await until('open', () => relay.state() === 'open')
  const content = 'x'.repeat(100_000)
  const events = Array.from({ length: 120 }, (_, n) => signed(alice, { content: content + n }))
  const outcomes = await Promise.all(events.map((event) => relay.publish(event, 30_000)))
  expect(outcomes.filter((o) => o.outcome !== 'acknowledged')).toEqual([])
})

test('an event in flight when the connection breaks is sent again on the next one', async () => {
  let answers = false
  await using server = await scripted((message, say, ws) => {
    if (answers) say('OK', (message[1] as NostrEvent).id, true, '')
    else ws.terminate()
    answers = true
  })
  await using relay = connected({ url: server.url })
  expect(await relay.publish(signed(alice), 5_000)).toMatchObject({ outcome: 'acknowledged' })
  expect(server.heard).toHaveLength(2)
})

test('an event that was sent and whose relay went away may have been taken: no answer is no refusal', async () => {
  await using server = await scripted(() => {
    // It keeps the event, and is gone before it says so.
    void server[Symbol.asyncDispose]()
  })
  await using relay = connected({ url: server.url })
  await until('open', () => relay.state() === 'open')
  expect((await relay.publish(signed(alice), 5_000)).outcome).toBe('timeout')
})

test.each([
  ['OK true', true, '', 'acknowledged'],
  ['OK true duplicate', true, 'duplicate: have it', 'acknowledged'],
  ['OK false duplicate', false, 'duplicate: exists', 'acknowledged'],
  ['OK false error', false, 'error: unknown', 'refused'],
  ['OK false rate-limited', false, 'rate-limited: slow down', 'refused'],
  ['OK false pow', false, 'pow: 20 bits wanted', 'refused'],
  ['OK false without a prefix', false, 'No.', 'refused'],
])('%s is an outcome', async (_what, accepted, text, outcome) => {
  await using server = await scripted((message, say) =>
    say('OK', (message[1] as NostrEvent).id, accepted, text),
  )
  await using relay = connected({ url: server.url })
  const result = await relay.publish(signed(alice), 5_000)
  expect(result).toMatchObject({ outcome, message: text })
  if (outcome === 'refused')
    expect(result.prefix).toBe(text.includes(':') ? text.split(':')[0] : '')
})

test('no OK at all ends in a time-out, no relay in unreachable, and neither throws', async () => {
  await using mute = await scripted(() => {})
  await using relay = connected({ url: mute.url })
  expect(await relay.publish(signed(alice), 50)).toEqual({ outcome: 'timeout' })
  const gone = await startRelay()
  await gone.stop()
  await using away = connected({
    url: gone.url,
    backoff: { firstMs: 60_000, mostMs: 60_000 },
    random: () => 0.9,
  })
  expect((await away.publish(signed(alice), 60_000)).outcome).toBe('unreachable')
  // The next attempt is further away than the deadline, so there is nothing to wait for.
  expect((await away.publish(signed(alice), 5_000)).outcome).toBe('unreachable')
  expect(away.counters.unreachable).toBe(2)
})
