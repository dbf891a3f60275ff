import { expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { silentLog } from '../../../src/log.ts'
import { createHeartbeat } from '../../../src/nostr/heartbeat.ts'
import { connectRelay } from '../../../src/nostr/relay.ts'
import { startRelay } from '../../../src/sandbox/relay.ts'
import { bot, countingFeed } from '../../support/feed-lab.ts'
import { scripted, verify } from '../../support/relay-lab.ts'
import { until } from '../../support/until.ts'

/** A live subscription of the bot on these relays, and its heartbeat. */
async function beating(...urls: string[]) {
  const common = { clock: systemClock, log: silentLog, verify, identity: bot }
  const relays = urls.map((url) => connectRelay({ ...common, url }))
  const arrivals: [string, string][] = []
  const feed = countingFeed({
    relays,
    arrived(id, relay) {
      arrivals.push([id, relay])
      heartbeat.arrived(id, relay)
    },
  })
  const heartbeat = createHeartbeat({
    ...{ identity: bot, relays, clock: systemClock, log: silentLog, hearMs: 150 },
    liveSince: feed.liveSince,
  })
  await until('every subscription is live', feed.isLive)
  const stop = async () => {
    await Promise.all([heartbeat.stop(), feed.stop()])
    await Promise.all(relays.map((relay) => relay.stop()))
  }
  return { heartbeat, feed, relays, arrivals, [Symbol.asyncDispose]: stop }
}

test('a relay that answers EOSE and OK and hides the messages is found, the honest one beside it is not', async () => {
  await using honest = await startRelay()
  await using liar = await startRelay()
  await using lab = await beating(honest.url, liar.url)
  liar.faults.withhold = true
  await lab.heartbeat.runOnce()
  expect(lab.relays.map(({ url }) => lab.heartbeat.withholds(url))).toEqual([false, true])
  expect(lab.heartbeat.counts()).toEqual({ heard: 1, missed: 2, unproven: 0 })
})

test('a relay that brings messages again is trusted again', async () => {
  await using relay = await startRelay()
  await using lab = await beating(relay.url)
  const url = lab.relays[0]?.url ?? ''
  relay.faults.withhold = true
  await lab.heartbeat.runOnce()
  expect(lab.heartbeat.withholds(url)).toBe(true)
  relay.faults.withhold = false
  await lab.heartbeat.runOnce()
  expect(lab.heartbeat.withholds(url)).toBe(false)
})

test('one message that is lost is no withholding', async () => {
  await using relay = await startRelay()
  await using lab = await beating(relay.url)
  relay.faults.withhold = true
  const beat = lab.heartbeat.runOnce()
  // It was not passed on when it came, and the second is sent in the moment in which the first is missed.
  await until('the first is taken', () => relay.counters.accepted === 1)
  relay.faults.withhold = false
  await beat
  expect(lab.heartbeat.withholds(lab.relays[0]?.url ?? '')).toBe(false)
  expect(lab.heartbeat.counts()).toEqual({ heard: 1, missed: 1, unproven: 0 })
})

test.each([
  ['refuses our messages', { ok: 'refuse' }],
  ['says nothing to them', { ok: 'none', withhold: true }],
] as const)('a relay that %s is not accused', async (_, faults) => {
  await using relay = await startRelay()
  await using lab = await beating(relay.url)
  Object.assign(relay.faults, faults)
  await lab.heartbeat.runOnce()
  expect(lab.heartbeat.withholds(lab.relays[0]?.url ?? '')).toBe(false)
  expect(lab.heartbeat.counts().missed).toBe(0)
})

test('a relay whose connection broke while we waited is not accused', async () => {
  await using relay = await startRelay()
  await using lab = await beating(relay.url)
  relay.faults.withhold = true
  const beat = lab.heartbeat.runOnce()
  await until('the message is there', () => relay.events().some(({ kind }) => kind === 1_059))
  relay.dropConnections()
  await beat
  expect(lab.heartbeat.withholds(lab.relays[0]?.url ?? '')).toBe(false)
})

test('a relay that brings only what it did not take from us is found', async () => {
  await using liar = await scripted((message, say) => {
    const [type, id] = message
    if (type === 'REQ') say('EOSE', id)
    if (type === 'EVENT') say('OK', (message[1] as { id: string }).id, true, '')
  })
  await using lab = await beating(liar.url)
  await lab.heartbeat.runOnce()
  expect(lab.heartbeat.withholds(lab.relays[0]?.url ?? '')).toBe(true)
})

test('its message looks like any other wrap for us, and goes by itself within an hour', async () => {
  await using relay = await startRelay()
  await using lab = await beating(relay.url)
  await lab.heartbeat.runOnce()
  const [wrap] = relay.events().filter(({ kind }) => kind === 1_059)
  const names = wrap?.tags.map(([name]) => name)
  expect(names).toEqual(['p', 'expiration'])
  expect(wrap?.pubkey).not.toBe(bot.pubkey)
  expect(lab.arrivals).toHaveLength(1)
})

test('stopping does not wait for what is awaited', async () => {
  await using relay = await startRelay()
  await using lab = await beating(relay.url)
  relay.faults.withhold = true
  const beat = lab.heartbeat.runOnce()
  await lab.heartbeat.stop()
  await beat
  expect(lab.heartbeat.withholds(lab.relays[0]?.url ?? '')).toBe(false)
})
