import { expect, test } from 'vitest'
import type { Identity, NostrEvent } from '../../../src/nostr/types.ts'
import { startRelay } from '../../../src/sandbox/relay.ts'
import { connected, newIdentity, scripted, signed } from '../../support/relay-lab.ts'
import { until } from '../../support/until.ts'

const bot = newIdentity()
const alice = newIdentity()
const dm = { kinds: [1_059], '#p': [bot.pubkey] }
const wrapFor = (pubkey: string) => signed(alice, { kind: 1_059, tags: [['p', pubkey]] })

const reqs = (heard: unknown[][]) => heard.filter((message) => message[0] === 'REQ')
const auths = (heard: unknown[][]) => heard.filter((message) => message[0] === 'AUTH')

test('a relay that shows direct messages after AUTH alone shows them, on every connection', async () => {
  await using server = await startRelay({ requireAuth: true })
  await using writer = connected({ url: server.url })
  await writer.publish(wrapFor(bot.pubkey), 5_000)
  await using relay = connected({ url: server.url, identity: bot })
  const seen: string[] = []
  let closed = 0
  relay.subscribe({
    filters: [dm],
    onEvent: (event) => seen.push(event.id),
    onClosed: () => (closed += 1),
  })
  await until('the stored wrap', () => seen.length > 0)
  const before = seen.length
  server.dropConnections()
  await until('the stored wrap again', () => seen.length > before)
  const live = wrapFor(bot.pubkey)
  await writer.publish(live, 5_000)
  await until('the live wrap', () => seen.includes(live.id))
  expect(server.counters.authenticated).toBe(2)
  expect(closed).toBe(0)
})

test('a subscription asked again after AUTH still ends when it is closed', async () => {
  await using server = await startRelay({ requireAuth: true })
  await using relay = connected({ url: server.url, identity: bot })
  let seen = 0
  let eoses = 0
  const sub = relay.subscribe({
    filters: [dm],
    onEvent: () => (seen += 1),
    onEose: () => (eoses += 1),
  })
  await until('EOSE', () => eoses === 1)
  sub.close()
  await using writer = connected({ url: server.url })
  await writer.publish(wrapFor(bot.pubkey), 5_000)
  await relay.publish(signed(bot), 5_000)
  expect(seen).toBe(0)
})

test('the answer names the URL we dialled, the newest challenge and the present', async () => {
  await using server = await scripted(
    (message, say) => {
      if (message[0] === 'AUTH') say('OK', (message[1] as NostrEvent).id, true, '')
    },
    (say) => say('AUTH', 'c-1'),
  )
  await using relay = connected({ url: `${server.url}/`, identity: bot })
  const opened: string[] = []
  relay.onOpen((why) => opened.push(why))
  await until('AUTH', () => opened.includes('authenticated'))
  const event = auths(server.heard)[0]?.[1] as NostrEvent
  expect(event).toMatchObject({ kind: 22_242, pubkey: bot.pubkey, content: '' })
  expect(event.tags).toEqual([
    ['relay', `${server.url}/`],
    ['challenge', 'c-1'],
  ])
})

test('what was asked before an early AUTH is asked again after it', async () => {
  // Some relays accept the first REQ and leave the wraps out without a word.
  await using server = await scripted(
    (message, say) => {
      if (message[0] === 'AUTH') say('OK', (message[1] as NostrEvent).id, true, '')
    },
    (say) => say('AUTH', 'c'),
  )
  await using relay = connected({ url: server.url, identity: bot })
  relay.subscribe({ filters: [dm], onEvent() {} })
  await until(
    'the REQ',
    () => server.heard.at(-1)?.[0] === 'REQ' && auths(server.heard).length === 1,
  )
  // Either held back until the answer, or sent before the challenge came and then repeated.
  expect(server.heard.map((message) => message[0]).join(' ')).toMatch(/^(REQ )?AUTH REQ$/)
})

test('an AUTH that is never answered times out, and the REQ is sent again', async () => {
  await using server = await scripted((message, say) => {
    if (message[0] !== 'REQ') return
    say('AUTH', 'c')
    if (reqs(server.heard).length === 1) say('CLOSED', message[1], 'auth-required: who are you')
    else say('EOSE', message[1])
  })
  await using relay = connected({ url: server.url, identity: bot, authMs: 30 })
  let eoses = 0
  relay.subscribe({ filters: [dm], onEvent() {}, onEose: () => (eoses += 1) })
  await until('EOSE', () => eoses === 1)
  expect(auths(server.heard)).toHaveLength(1)
})

test('CLOSED may come before the challenge it is about', async () => {
  await using server = await scripted((message, say) => {
    const [type, id] = message
    if (type === 'AUTH') say('OK', (id as NostrEvent).id, true, '')
    else if (auths(server.heard).length > 0) say('EOSE', id)
    else {
      say('CLOSED', id, 'auth-required: first')
      setImmediate(() => say('AUTH', 'late'))
    }
  })
  await using relay = connected({ url: server.url, identity: bot })
  let eoses = 0
  relay.subscribe({ filters: [dm], onEvent() {}, onEose: () => (eoses += 1) })
  await until('EOSE', () => eoses === 1)
})

test('a challenge that changes while it is answered is answered anew, not after a minute', async () => {
  let challenge = 'c-0'
  await using server = await scripted((message, say) => {
    const [type, id] = message
    const answers = auths(server.heard)
    if (type === 'AUTH' && answers.length === 1) {
      challenge = 'c-1'
      say('AUTH', challenge)
      say('OK', (id as NostrEvent).id, false, 'invalid: the challenge is old')
    } else if (type === 'AUTH') say('OK', (id as NostrEvent).id, true, '')
    else if (answers.length > 1) say('EOSE', id)
    else {
      say('AUTH', challenge)
      say('CLOSED', id, 'auth-required: who are you')
    }
  })
  await using relay = connected({ url: server.url, identity: bot })
  const said: string[] = []
  const onClosed = (prefix: string) => said.push(prefix)
  relay.subscribe({ filters: [dm], onEvent() {}, onEose: () => said.push('EOSE'), onClosed })
  await until('an end', () => said.length > 0)
  expect(said).toEqual(['EOSE'])
})

test('restricted is taken for auth-required as long as we are not authenticated', async () => {
  await using server = await scripted((message, say) => {
    const [type, id] = message
    if (type === 'AUTH') say('OK', (id as NostrEvent).id, true, '')
    else if (auths(server.heard).length > 0) say('EOSE', id)
    else {
      say('AUTH', 'c')
      say('CLOSED', id, 'restricted: not yours')
    }
  })
  await using relay = connected({ url: server.url, identity: bot })
  let eoses = 0
  relay.subscribe({ filters: [dm], onEvent() {}, onEose: () => (eoses += 1) })
  await until('EOSE', () => eoses === 1)
})

test('a relay that refuses every AUTH is asked three times, then the subscription is closed', async () => {
  await using server = await scripted((message, say) => {
    const [type, id] = message
    if (type === 'AUTH') say('OK', (id as NostrEvent).id, false, 'rate-limited: slow down')
    else {
      say('AUTH', `c${server.heard.length}`)
      say('CLOSED', id, 'auth-required: no')
    }
  })
  await using relay = connected({ url: server.url, identity: bot })
  const closed: string[] = []
  const ask = () =>
    relay.subscribe({ filters: [dm], onEvent() {}, onClosed: (prefix) => closed.push(prefix) })
  for (let n = 1; n <= 6; n += 1) {
    ask()
    await until('CLOSED', () => closed.length === n)
  }
  expect(new Set(closed)).toEqual(new Set(['auth-required']))
  expect(auths(server.heard)).toHaveLength(3)
  expect(relay.counters.authFailures).toBe(3)
  expect(relay.state()).toBe('open')
})

test('no identity, no challenge and a signer that throws all end in CLOSED and no exception', async () => {
  await using server = await scripted((message, say) => {
    if (message[0] === 'REQ') say('CLOSED', message[1], 'auth-required: no')
  })
  await using challenging = await scripted((message, say) => {
    if (message[0] !== 'REQ') return
    say('AUTH', 'c')
    say('CLOSED', message[1], 'auth-required: no')
  })
  const broken: Identity = {
    ...bot,
    sign() {
      throw new Error('the signer is gone')
    },
  }
  await using none = connected({ url: challenging.url })
  await using mute = connected({ url: server.url, identity: bot, authMs: 20 })
  await using throwing = connected({ url: challenging.url, identity: broken })
  let closed = 0
  for (const relay of [none, mute, throwing]) {
    relay.subscribe({ filters: [dm], onEvent() {}, onClosed: () => (closed += 1) })
  }
  await until('all closed', () => closed === 3)
})

test('an event refused for want of AUTH is sent once more after it', async () => {
  await using server = await startRelay({ authToWrite: true })
  await using relay = connected({ url: server.url, identity: bot })
  // Published before the connection stands, so that it goes out ahead of the AUTH.
  expect(await relay.publish(signed(bot), 5_000)).toMatchObject({ outcome: 'acknowledged' })
  await using stranger = connected({ url: server.url })
  expect(await stranger.publish(signed(alice), 5_000)).toMatchObject({
    outcome: 'refused',
    prefix: 'auth-required',
  })
})

test('a relay that wants AUTH after AUTH gets the event twice and no more', async () => {
  await using server = await scripted(
    (message, say) => {
      const [type, event] = message as [string, NostrEvent]
      if (type === 'AUTH') say('OK', event.id, true, '')
      else say('OK', event.id, false, 'auth-required: still')
    },
    (say) => say('AUTH', 'c'),
  )
  await using relay = connected({ url: server.url, identity: bot })
  expect((await relay.publish(signed(bot), 5_000)).outcome).toBe('refused')
  expect(server.heard.filter((message) => message[0] === 'EVENT')).toHaveLength(2)
})

test('a storm of AUTH challenges costs one answer and then the connection', async () => {
  await using server = await scripted(
    () => {},
    (say) => {
      for (let n = 0; n < 100; n += 1) say('AUTH', `c${n}`)
    },
  )
  await using relay = connected({ url: server.url, identity: bot, penaltyMs: 60_000 })
  await until('cut', () => relay.counters.trips === 1)
  expect(auths(server.heard).length).toBeLessThanOrEqual(1)
  expect(relay.counters.challenges).toBeLessThan(30)
})
