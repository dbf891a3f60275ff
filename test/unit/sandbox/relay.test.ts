import { request } from 'node:http'
import { expect, test } from 'vitest'
import type { Filter, NostrEvent } from '../../../src/nostr/types.ts'
import { startRelay } from '../../../src/sandbox/relay.ts'
import { createRelayFaults } from '../../../src/sandbox/relay-faults.ts'
import { createRelayStore } from '../../../src/sandbox/relay-store.ts'
import {
  newIdentity,
  nowSeconds,
  signed,
  type Talk,
  talk,
  verify,
} from '../../support/relay-lab.ts'
import { seeded } from '../../support/seeded.ts'

const alice = newIdentity()
const bob = newIdentity()
const now = nowSeconds()

async function publish(client: Talk, event: NostrEvent): Promise<unknown[]> {
  client.say('EVENT', event)
  return client.next('OK', event.id)
}

async function ask(
  client: Talk,
  ...filters: unknown[]
): Promise<{ ids: string[]; eose: unknown[] }> {
  const id = `s${Math.random()}`
  const before = client.frames.length
  client.say('REQ', id, ...filters)
  const eose = await client.next('EOSE', id)
  const events = client.frames.slice(before).filter((f) => f[0] === 'EVENT' && f[1] === id)
  client.say('CLOSE', id)
  return { ids: events.map((frame) => (frame[2] as NostrEvent).id), eose }
}

test('stored events come newest first, lowest id first within a second, up to the limit', async () => {
  await using relay = await startRelay()
  await using client = await talk(relay.url)
  const events = [0, 0, 0, 5, 9].map((age, n) =>
    signed(alice, { created_at: now - age, content: String(n) }),
  )
  for (const event of [...events].reverse()) await publish(client, event)
  const order = [...events].sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? -1 : 1))
  expect((await ask(client, { kinds: [1] })).ids).toEqual(order.map((e) => e.id))
  expect((await ask(client, { authors: [alice.pubkey], limit: 2 })).ids).toEqual(
    order.slice(0, 2).map((e) => e.id),
  )
  expect((await ask(client, { kinds: [1], until: now - 5, since: now - 5 })).ids).toHaveLength(1)
  expect((await ask(client, { kinds: [2] })).ids).toEqual([])
})

test('EOSE says finish only when nothing more is stored', async () => {
  await using relay = await startRelay()
  await using client = await talk(relay.url)
  for (let n = 0; n < 3; n += 1) await publish(client, signed(alice, { created_at: now - n }))
  expect((await ask(client, { limit: 3 })).eose[2]).toEqual(['finish'])
  expect((await ask(client, { limit: 2 })).eose[2]).toBeUndefined()
  relay.faults.hints = false
  expect((await ask(client, {})).eose[2]).toBeUndefined()
})

test('live events reach the subscriptions that match, and no others', async () => {
  await using relay = await startRelay()
  await using reader = await talk(relay.url)
  await using writer = await talk(relay.url)
  reader.say('REQ', 'mine', { kinds: [4], '#p': [bob.pubkey] })
  reader.say('REQ', 'all', { authors: [alice.pubkey] })
  await reader.next('EOSE', 'all')
  await publish(writer, signed(alice, { kind: 4, tags: [['p', alice.pubkey]] }))
  const forBob = signed(alice, { kind: 4, tags: [['p', bob.pubkey]] })
  await publish(writer, forBob)
  expect((await reader.next('EVENT', 'mine'))[2]).toEqual(forBob)
  reader.say('CLOSE', 'mine')
  await publish(writer, signed(bob, { kind: 4, tags: [['p', bob.pubkey]] }))
  await publish(writer, signed(alice, { kind: 7 }))
  await reader.next('EVENT', 'all')
  await ask(reader, { limit: 0 })
  expect(reader.frames.filter((f) => f[0] === 'EVENT' && f[1] === 'mine')).toHaveLength(1)
  expect(reader.frames.filter((f) => f[0] === 'EVENT' && f[1] === 'all')).toHaveLength(3)
})

test('an event whose id or signature is wrong is refused', async () => {
  await using relay = await startRelay()
  await using client = await talk(relay.url)
  const event = signed(alice, { content: 'true' })
  expect((await publish(client, { ...event, content: 'false' })).slice(2)).toEqual([
    false,
    'invalid: id or signature is wrong',
  ])
  expect((await publish(client, { ...event, sig: signed(bob).sig }))[2]).toBe(false)
  expect((await publish(client, event))[2]).toBe(true)
  expect((await publish(client, event)).slice(2)).toEqual([true, 'duplicate: already have it'])
  expect(relay.events()).toEqual([event])
})

test('a newer version replaces, an older one does not, and in one second the lowest id stays', async () => {
  await using relay = await startRelay()
  await using client = await talk(relay.url)
  for (const kind of [0, 10_050, 30_078]) {
    const tags = [['d', 'x']]
    const old = signed(alice, { kind, tags, created_at: now - 5, content: 'old' })
    const rivals = [1, 2, 3].map((n) =>
      signed(alice, { kind, tags, content: `${n}`, created_at: now }),
    )
    for (const event of [...rivals, old]) await publish(client, event)
    const lowest = rivals.map((e) => e.id).sort()[0]
    expect((await ask(client, { kinds: [kind] })).ids).toEqual([lowest])
  }
  await publish(client, signed(alice, { kind: 30_078, tags: [['d', 'y']] }))
  expect((await ask(client, { kinds: [30_078] })).ids).toHaveLength(2)
  expect((await ask(client, { kinds: [30_078], '#d': ['y'] })).ids).toHaveLength(1)
})

test('ephemeral events pass by and are not stored', async () => {
  await using relay = await startRelay()
  await using client = await talk(relay.url)
  client.say('REQ', 'e', { kinds: [20_001] })
  await client.next('EOSE', 'e')
  const event = signed(alice, { kind: 20_001 })
  client.say('EVENT', event)
  expect((await client.next('EVENT', 'e'))[2]).toEqual(event)
  expect(relay.events()).toEqual([])
})

test('an author deletes own events, a receiver the wraps for it, and they do not come back', async () => {
  await using relay = await startRelay()
  await using client = await talk(relay.url)
  const mine = signed(alice)
  const wrap = signed(alice, { kind: 1_059, tags: [['p', bob.pubkey]] })
  const status = signed(alice, { kind: 30_078, tags: [['d', 'x']] })
  for (const event of [mine, wrap, status]) await publish(client, event)
  const tags = [mine, wrap, status].map((e) => ['e', e.id])
  await publish(client, signed(bob, { kind: 5, tags }))
  expect(relay.events().map((e) => e.kind)).toEqual([1, 30_078, 5])
  await publish(client, signed(alice, { kind: 5, tags: [['e', mine.id]] }))
  await publish(client, signed(alice, { kind: 5, tags: [['a', `30078:${alice.pubkey}:x`]] }))
  expect(relay.events().map((e) => e.kind)).toEqual([5, 5, 5])
  expect((await publish(client, mine))[2]).toBe(false)
})

test('expired events are neither taken nor served', async () => {
  await using relay = await startRelay()
  await using client = await talk(relay.url)
  expect((await publish(client, signed(alice, { tags: [['expiration', `${now - 1}`]] })))[2]).toBe(
    false,
  )
  expect((await publish(client, signed(alice, { tags: [['expiration', `${now + 99}`]] })))[2]).toBe(
    true,
  )
  const store = createRelayStore()
  const event = signed(alice, { tags: [['expiration', `${now + 10}`]] })
  store.add({ event, json: JSON.stringify(event) }, now)
  expect(store.query({}, 500, now).found).toHaveLength(1)
  expect(store.query({}, 500, now + 10).found).toHaveLength(0)
})

test('direct messages go to their authenticated receiver alone', async () => {
  await using relay = await startRelay({ requireAuth: true })
  await using writer = await talk(relay.url)
  await using reader = await talk(relay.url)
  const wrap = signed(alice, { kind: 1_059, tags: [['p', bob.pubkey]] })
  await publish(writer, wrap)
  reader.say('REQ', 'dm', { kinds: [1_059], '#p': [bob.pubkey] })
  expect(String((await reader.next('CLOSED', 'dm'))[2])).toMatch(/^auth-required:/)
  // Mixed with another kind the wraps are left out without a word.
  expect((await ask(reader, { kinds: [1, 1_059], '#p': [bob.pubkey] })).ids).toEqual([])
  const challenge = String(reader.frames.find((frame) => frame[0] === 'AUTH')?.[1])
  const auth = (relayUrl: string, text: string) => {
    const tags = [
      ['relay', relayUrl],
      ['challenge', text],
    ]
    const event = signed(bob, { kind: 22_242, tags })
    reader.say('AUTH', event)
    return reader.next('OK', event.id)
  }
  expect((await auth(relay.url, 'another'))[2]).toBe(false)
  expect((await auth('wss://elsewhere.tld', challenge))[2]).toBe(false)
  expect((await auth(relay.url, challenge))[2]).toBe(true)
  expect((await ask(reader, { kinds: [1_059], '#p': [bob.pubkey] })).ids).toEqual([wrap.id])
  reader.say('REQ', 'others', { kinds: [1_059], '#p': [alice.pubkey] })
  expect(String((await reader.next('CLOSED', 'others'))[2])).toMatch(/^restricted:/)
})

test('with authToWrite nothing is taken before AUTH', async () => {
  await using relay = await startRelay({ authToWrite: true })
  await using client = await talk(relay.url)
  expect(String((await publish(client, signed(alice)))[3])).toMatch(/^auth-required:/)
  expect(relay.events()).toEqual([])
})

test.each([
  ['not JSON', '["EVENT",', 'NOTICE'],
  ['no array', '{}', 'NOTICE'],
  ['an unknown type', '["COUNT","x",{}]', 'NOTICE'],
  ['no event', '["EVENT",{"id":1}]', 'NOTICE'],
  ['a number as id', '["REQ",7,{}]', 'NOTICE'],
  ['no filter', '["REQ","x"]', 'CLOSED'],
  ['a filter that is a list', '["REQ","x",[]]', 'CLOSED'],
  ['a multi-letter tag', '["REQ","x",{"#linky":["a"]}]', 'CLOSED'],
  ['kinds that are text', '["REQ","x",{"kinds":["1"]}]', 'CLOSED'],
  ['a short author', '["REQ","x",{"authors":["ab"]}]', 'CLOSED'],
  ['a fractional limit', '["REQ","x",{"limit":1.5}]', 'CLOSED'],
  ['a long id', `["REQ","${'x'.repeat(65)}",{}]`, 'CLOSED'],
  ['too many filters', `["REQ","x"${',{}'.repeat(21)}]`, 'CLOSED'],
])('%s is answered and the connection lives on', async (_what, text, type) => {
  await using relay = await startRelay()
  await using client = await talk(relay.url)
  client.raw(text)
  await client.next(type)
  expect((await ask(client, { limit: 1 })).ids).toEqual([])
})

test('subscriptions and frames of one client are bounded', async () => {
  await using relay = await startRelay()
  await using client = await talk(relay.url)
  for (let n = 0; n < 65; n += 1) client.say('REQ', `s${n}`, { limit: 0 })
  expect((await client.next('CLOSED', 's64'))[2]).toMatch(/too many/)
  client.raw(JSON.stringify(['EVENT', 'x'.repeat(300_000)]))
  expect(await client.closed).toBe(1009)
})

test('the information document names the bounds', async () => {
  await using relay = await startRelay()
  const text = await new Promise<string>((resolve, reject) => {
    const headers = { accept: 'application/nostr+json' }
    request(relay.url.replace('ws', 'http'), { headers }, (response) => {
      let body = ''
      response.on('data', (chunk) => (body += chunk)).on('end', () => resolve(body))
    })
      .on('error', reject)
      .end()
  })
  expect(JSON.parse(text)).toMatchObject({ limitation: { max_limit: 500, max_subscriptions: 64 } })
})

test('a store above its bound lets the first arrival go, from every index', () => {
  const store = createRelayStore({ eventsMax: 3 })
  const events = [9, 1, 5, 3, 7].map((age) => signed(alice, { created_at: now - age }))
  for (const event of events) store.add({ event, json: JSON.stringify(event) }, now)
  const kept = events.slice(2)
  expect(store.size).toBe(3)
  const ids = (filter: Filter) => store.query(filter, 500, now).found.map((s) => s.event.id)
  for (const filter of [{}, { kinds: [1] }, { authors: [alice.pubkey] }]) {
    expect(ids(filter).sort()).toEqual(kept.map((e) => e.id).sort())
  }
})

const random = seeded()

test(`every index gives what a walk over all events gives, seed ${random.seed}`, () => {
  const store = createRelayStore()
  const keys = Array.from({ length: 6 }, () => newIdentity(random.bytes(32)))
  const events: NostrEvent[] = []
  for (let n = 0; n < 400; n += 1) {
    const tags = [
      ['p', random.pick(keys).pubkey],
      ['t', random.pick(['a', 'b'])],
    ]
    const kind = random.pick([1, 4, 7, 1_059])
    const event = signed(random.pick(keys), { kind, tags, created_at: 1_000 + random.int(50) })
    if (store.add({ event, json: '' }, now) === 'stored') events.push(event)
  }
  events.sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? -1 : 1))
  for (let n = 0; n < 300; n += 1) {
    const maybe = <T>(value: T) => (random.int(2) === 0 ? { value } : {})
    const authors = maybe([random.pick(keys).pubkey, random.pick(keys).pubkey]).value
    const kinds = maybe([random.pick([1, 4, 7, 1_059]), 4]).value
    const p = maybe([random.pick(keys).pubkey, random.pick(keys).pubkey]).value
    const since = maybe(1_000 + random.int(50)).value
    const until = maybe(1_000 + random.int(50)).value
    const limit = 1 + random.int(60)
    const filter = JSON.parse(JSON.stringify({ authors, kinds, '#p': p, since, until, limit }))
    const expected = events.filter(
      (e) =>
        (authors?.includes(e.pubkey) ?? true) &&
        (kinds?.includes(e.kind) ?? true) &&
        (p === undefined || e.tags.some((t) => t[0] === 'p' && p.includes(t[1] ?? ''))) &&
        e.created_at >= (since ?? 0) &&
        e.created_at <= (until ?? 9_999),
    )
    const { found, complete } = store.query(filter, 500, now)
    expect(found.map((s) => s.event.id)).toEqual(expected.slice(0, limit).map((e) => e.id))
    expect(complete).toBe(expected.length <= limit)
  }
})

test('stop ends every connection and gives the port back', async () => {
  const relay = await startRelay()
  const client = await talk(relay.url)
  await Promise.all([relay.stop(), relay.stop()])
  await client.closed
  const again = await startRelay({ port: relay.port })
  expect(again.url).toBe(relay.url)
  await again.stop()
  expect(again.counters.connected).toBe(0)
})

test('each fault shows on the wire and ends when it is switched off', async () => {
  await using relay = await startRelay({ faults: createRelayFaults(() => 0), verify })
  const { faults } = relay
  await using client = await talk(relay.url)
  const event = signed(alice)
  await publish(client, event)
  const frames = async () => {
    const before = client.frames.length
    await ask(client, { kinds: [1] })
    return client.frames.slice(before)
  }
  const events = async () => (await frames()).filter((frame) => frame[0] === 'EVENT')

  faults.dropShare = 1
  expect(await events()).toHaveLength(0)
  faults.dropShare = 0
  faults.duplicates = 9
  expect(await events()).toHaveLength(10)
  faults.duplicates = 0
  faults.forgeFirst = true
  const [forged, honest] = (await events()).map((frame) => frame[2] as NostrEvent)
  expect(forged?.id).toBe(event.id)
  expect(forged?.sig).not.toBe(event.sig)
  expect(honest).toEqual(event)
  faults.forgeFirst = false
  faults.wrongFilterShare = 1
  expect(await events()).toHaveLength(2)
  faults.wrongFilterShare = 0
  faults.withhold = true
  expect(await events()).toHaveLength(0)
  faults.withhold = false
  faults.eose = 'early'
  client.say('REQ', 'early', {})
  expect((await client.next('EOSE', 'early'))[0]).toBe('EOSE')
  await client.next('EVENT', 'early')
  client.say('CLOSE', 'early')
  faults.eose = 'real'
  faults.authStorm = 3
  expect((await frames()).filter((frame) => frame[0] === 'AUTH').length).toBeGreaterThanOrEqual(6)
  faults.authStorm = 0
  faults.closed = 'error: not today'
  client.say('REQ', 'c', {})
  expect((await client.next('CLOSED', 'c'))[2]).toBe('error: not today')
  faults.closed = undefined
  faults.ok = 'refuse'
  expect((await publish(client, signed(alice, { content: 'r' })))[2]).toBe(false)
  faults.ok = 'unstored'
  const lost = signed(alice, { content: 'u' })
  expect((await publish(client, lost))[2]).toBe(true)
  faults.ok = 'none'
  client.say('EVENT', signed(alice, { content: 'n' }))
  await ask(client, { limit: 0 })
  faults.ok = 'real'
  expect(relay.events().map((e) => e.id)).not.toContain(lost.id)
  faults.delayMsMax = 5
  expect(await events()).toHaveLength(2)
  faults.delayMsMax = 0
  faults.halfOpen = true
  client.say('REQ', 'never', {})
  relay.dropConnections()
  await client.closed
})

test('a disconnect storm cuts each connection and leaves the relay listening', async () => {
  const faults = createRelayFaults(() => 0.5, { disconnectMsMax: 20 })
  await using relay = await startRelay({ faults })
  for (let n = 0; n < 3; n += 1) {
    const client = await talk(relay.url)
    await client.closed
  }
  expect(relay.counters.connections).toBe(3)
})
