import { expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { createRelayLists, type RelayListsOptions } from '../../../src/nostr/relay-lists.ts'
import type { Identity, NostrEvent } from '../../../src/nostr/types.ts'
import { startRelay } from '../../../src/sandbox/relay.ts'
import { fastClock } from '../../support/fast-clock.ts'
import {
  connected,
  newIdentity,
  nowSeconds,
  scripted,
  signed,
  verify,
} from '../../support/relay-lab.ts'
import { until } from '../../support/until.ts'

const now = nowSeconds()

const dmList = (author: Identity, urls: string[], created_at = now) =>
  signed(author, { kind: 10_050, created_at, tags: urls.map((url) => ['relay', url]) })

const nip65 = (author: Identity, tags: string[][]) => signed(author, { kind: 10_002, tags })

const lists = (some: Partial<RelayListsOptions> & Pick<RelayListsOptions, 'fetchFrom'>) =>
  createRelayLists({ clock: systemClock, verify, trusted: [], timeoutMs: 200, ...some })

async function relayWith(events: NostrEvent[]) {
  const server = await startRelay()
  const relay = connected({ url: server.url })
  for (const event of events) await relay.publish(event, 5_000)
  return {
    server,
    relay,
    async [Symbol.asyncDispose]() {
      await relay.stop()
      await server.stop()
    },
  }
}

test('both lists and the profile of a key come from one look-up', async () => {
  const alice = newIdentity()
  await using lab = await relayWith([
    dmList(alice, ['wss://a.tld/', 'wss://b.tld']),
    nip65(alice, [
      ['r', 'wss://both.tld'],
      ['r', 'wss://read.tld', 'read'],
      ['r', 'wss://write.tld', 'write'],
      ['r', 'wss://empty.tld', ''],
      ['x', 'wss://other.tld'],
    ]),
    signed(alice, { kind: 0, content: '{"name":"x","bot":true}' }),
  ])
  expect(await lists({ fetchFrom: () => [lab.relay] }).lookup(alice.pubkey)).toEqual({
    dm: { state: 'found', urls: ['wss://a.tld', 'wss://b.tld'] },
    read: { state: 'found', urls: ['wss://both.tld', 'wss://read.tld', 'wss://empty.tld'] },
    profileIsBot: true,
  })
})

test.each([
  ['{"bot":true}', true],
  ['{"bot":"true"}', false],
  ['{}', false],
  ['[', false],
  ['null', false],
])('the profile %s says bot: %s', async (content, isBot) => {
  const alice = newIdentity()
  await using lab = await relayWith([signed(alice, { kind: 0, content })])
  const found = await lists({ fetchFrom: () => [lab.relay] }).lookup(alice.pubkey)
  expect(found.profileIsBot).toBe(isBot)
})

test('absent needs an EOSE; a relay that is mute, down or refusing makes it failed', async () => {
  const alice = newIdentity()
  await using lab = await relayWith([])
  await using mute = await scripted(() => {})
  await using refusing = await scripted((message, say) => say('CLOSED', message[1], 'error: no'))
  const one = connected({ url: mute.url })
  const two = connected({ url: refusing.url })
  const three = connected({ url: lab.server.url.replace(/\d+$/, '1') })
  await until('down', () => three.state() === 'waiting')
  const state = async (...relays: (typeof one)[]) =>
    (await lists({ fetchFrom: () => relays }).lookup(alice.pubkey)).dm.state
  expect(await state(lab.relay)).toBe('absent')
  expect(await state()).toBe('failed')
  expect(await state(one)).toBe('failed')
  expect(await state(two)).toBe('failed')
  expect(await state(three)).toBe('failed')
  // Half of those asked is not enough: the list may be where nobody answered.
  expect(await state(lab.relay, one)).toBe('failed')
  // A relay that is known to be down is not asked, so it does not count.
  expect(await state(lab.relay, three)).toBe('absent')
  await Promise.all([one, two, three].map((relay) => relay.stop()))
})

test('a mute relay does not delay what another one knows', async () => {
  const alice = newIdentity()
  await using lab = await relayWith([dmList(alice, ['wss://a.tld'])])
  await using mute = await scripted(() => {})
  await using relay = connected({ url: mute.url })
  const found = lists({ fetchFrom: () => [relay, lab.relay], timeoutMs: 60_000 })
  expect((await found.lookup(alice.pubkey)).dm).toEqual({ state: 'found', urls: ['wss://a.tld'] })
})

test('the newest version of all relays wins, and in one second the lowest id', async () => {
  const alice = newIdentity()
  const rivals = ['wss://x.tld', 'wss://y.tld'].map((url) => dmList(alice, [url]))
  const lowest = [...rivals].sort((a, b) => (a.id < b.id ? -1 : 1))[0]
  await using old = await relayWith([dmList(alice, ['wss://old.tld'], now - 99)])
  await using one = await relayWith(rivals.slice(0, 1))
  await using two = await relayWith(rivals.slice(1))
  const fetchFrom = () => [one.relay, old.relay, two.relay]
  const { dm } = await lists({ fetchFrom }).lookup(alice.pubkey)
  expect(dm.urls).toEqual([lowest?.tags[0]?.[1]])
})

test('hostile entries are left out, the operator’s own relays stay, and four are the most', async () => {
  const alice = newIdentity()
  const own = 'ws://127.0.0.1:7777'
  const urls = [
    'ws://10.0.0.1',
    'wss://169.254.169.254',
    'wss://localhost:5432',
    'not a url',
    own,
    ...['a', 'b', 'c', 'd', 'e'].map((name) => `wss://${name}.tld`),
  ]
  await using lab = await relayWith([dmList(alice, urls)])
  const trusting = lists({ fetchFrom: () => [lab.relay], trusted: [own] })
  expect((await trusting.lookup(alice.pubkey)).dm.urls).toEqual([
    own,
    ...['a', 'b', 'c'].map((name) => `wss://${name}.tld`),
  ])
})

test('a list of nothing usable is found, and empty', async () => {
  const alice = newIdentity()
  await using lab = await relayWith([dmList(alice, ['ws://10.0.0.1'])])
  const found = await lists({ fetchFrom: () => [lab.relay] }).lookup(alice.pubkey)
  expect(found.dm).toEqual({ state: 'found', urls: [] })
})

test('look-ups of one key share a query, and those that come together share a REQ', async () => {
  const keys = Array.from({ length: 70 }, () => newIdentity())
  await using lab = await relayWith(
    keys.slice(0, 40).map((key, n) => dmList(key, [`wss://r${n}.tld`])),
  )
  const many = lists({ fetchFrom: () => [lab.relay], timeoutMs: 5_000 })
  const before = lab.server.counters.requests
  const asked = [...keys, ...keys].map((key) => many.lookup(key.pubkey))
  const found = await Promise.all(asked)
  expect(lab.server.counters.requests - before).toBe(5)
  expect(found.slice(0, 40).map((f) => f.dm.urls)).toEqual(
    keys.slice(0, 40).map((_, n) => [`wss://r${n}.tld`]),
  )
  expect(found.slice(40, 70).map((f) => f.dm.state)).toEqual(Array(30).fill('absent'))
})

test('a relay that never sends more than 50 events makes nobody’s list absent', async () => {
  const keys = Array.from({ length: 30 }, () => newIdentity())
  // The lists are older than the profiles, so that a cut answer would leave them out.
  await using lab = await relayWith([
    ...keys.map((key) => dmList(key, ['wss://inbox.tld'], now - 100)),
    ...keys.map((key) => nip65(key, [['r', 'wss://both.tld']])),
    ...keys.map((key) => signed(key, { kind: 0, content: '{}' })),
  ])
  lab.server.faults.silentCap = 50
  const many = lists({ fetchFrom: () => [lab.relay], timeoutMs: 5_000 })
  const found = await Promise.all(keys.map((key) => many.lookup(key.pubkey)))
  expect(found.map((f) => f.dm.state)).toEqual(Array(30).fill('found'))
})

test('found is used for an hour, absent for a minute, failed for five seconds', async () => {
  const clock = fastClock()
  const alice = newIdentity()
  const bob = newIdentity()
  await using lab = await relayWith([dmList(alice, ['wss://a.tld'])])
  let reachable = true
  const aged = lists({ clock, fetchFrom: () => (reachable ? [lab.relay] : []) })
  const asks = async (key: Identity) => {
    const before = lab.server.counters.requests
    const { dm } = await aged.lookup(key.pubkey)
    return `${dm.state} ${lab.server.counters.requests - before}`
  }
  expect([await asks(alice), await asks(alice)]).toEqual(['found 1', 'found 0'])
  expect([await asks(bob), await asks(bob)]).toEqual(['absent 1', 'absent 0'])
  clock.step(61_000)
  expect([await asks(alice), await asks(bob)]).toEqual(['found 0', 'absent 1'])
  clock.step(3_600_000)
  reachable = false
  // What was found once is not forgotten because nobody answers.
  expect([await asks(alice), await asks(bob)]).toEqual(['found 0', 'failed 0'])
  reachable = true
  expect([await asks(alice), await asks(bob)]).toEqual(['found 0', 'failed 0'])
  clock.step(6_000)
  expect([await asks(alice), await asks(bob)]).toEqual(['found 1', 'absent 1'])
})

test('who reads elsewhere since the request is found there by the result', async () => {
  const clock = fastClock()
  const alice = newIdentity()
  await using lab = await relayWith([dmList(alice, ['wss://before.tld'], now - 10)])
  const used = lists({ clock, fetchFrom: () => [lab.relay] })
  const reads = async () => (await used.lookup(alice.pubkey)).dm.urls
  expect(await reads()).toEqual(['wss://before.tld'])
  await lab.relay.publish(dmList(alice, ['wss://since.tld']), 5_000)
  clock.step(61_000)
  // Nobody waits for the look-up: what is known is used meanwhile.
  expect(await reads()).toEqual(['wss://before.tld'])
  await until('a look-up', () => used.peek(alice.pubkey)?.dm.urls[0] === 'wss://since.tld')
})

test('a look-up that fails meanwhile takes nothing from what is known', async () => {
  const clock = fastClock()
  const alice = newIdentity()
  await using lab = await relayWith([dmList(alice, ['wss://a.tld'])])
  let asked = 0
  const used = lists({
    clock,
    fetchFrom() {
      asked += 1
      return asked === 1 ? [lab.relay] : []
    },
  })
  await used.lookup(alice.pubkey)
  clock.step(61_000)
  await used.lookup(alice.pubkey)
  await until('a second look-up', () => asked === 2)
  clock.step(6_000)
  expect(used.known(alice.pubkey)?.dm.urls).toEqual(['wss://a.tld'])
})

test('a list that comes by is used, a forged, old or future one is not', async () => {
  const alice = newIdentity()
  const urlsAfter = async (...events: NostrEvent[]) => {
    const primed = lists({ fetchFrom: () => [] })
    for (const event of events) primed.prime(event)
    return (await primed.lookup(alice.pubkey)).dm
  }
  const good = dmList(alice, ['wss://good.tld'])
  expect(await urlsAfter(good)).toEqual({ state: 'found', urls: ['wss://good.tld'] })
  expect((await urlsAfter({ ...good, tags: [['relay', 'wss://evil.tld']] })).state).toBe('failed')
  expect((await urlsAfter(good, dmList(alice, ['wss://old.tld'], now - 9))).urls).toEqual([
    'wss://good.tld',
  ])
  const future = dmList(alice, ['wss://future.tld'], now + 99_999)
  expect((await urlsAfter(good, future)).urls).toEqual(['wss://good.tld'])
  expect((await urlsAfter(signed(alice, { kind: 1 }))).state).toBe('failed')
})

test('the key’s own write relays are asked when the others know no list', async () => {
  const alice = newIdentity()
  await using lab = await relayWith([nip65(alice, [['r', 'wss://home.tld', 'write']])])
  await using home = await relayWith([dmList(alice, ['wss://a.tld'])])
  const dialled: string[] = []
  const connect = (url: string) => {
    dialled.push(url)
    return connected({ url: home.server.url })
  }
  const found = await lists({ fetchFrom: () => [lab.relay], connect }).lookup(alice.pubkey)
  expect(found.dm).toEqual({ state: 'found', urls: ['wss://a.tld'] })
  expect(dialled).toEqual(['wss://home.tld'])
  await until('the connection ended', () => home.server.counters.connected === 1)
})

test('what is no key is answered without a query', async () => {
  await using lab = await relayWith([])
  const before = lab.server.counters.requests
  const found = await lists({ fetchFrom: () => [lab.relay] }).lookup('npub1')
  expect(found.dm.state).toBe('failed')
  expect(lab.server.counters.requests).toBe(before)
})

test('a relay that answers with other people’s lists changes nothing', async () => {
  const alice = newIdentity()
  const mallory = newIdentity()
  await using server = await scripted((message, say) => {
    if (message[0] !== 'REQ') return
    const forged = { ...dmList(mallory, ['wss://evil.tld']), pubkey: alice.pubkey }
    for (const event of [dmList(mallory, ['wss://evil.tld']), forged])
      say('EVENT', message[1], event)
    say('EOSE', message[1])
  })
  await using relay = connected({ url: server.url })
  const found = await lists({ fetchFrom: () => [relay] }).lookup(alice.pubkey)
  expect(found.dm).toEqual({ state: 'absent', urls: [] })
})
