import { expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { RELAY_FRAME_BYTES, RELAY_SKIP_BYTES } from '../../../src/limits.ts'
import type { Subscribe } from '../../../src/nostr/relay.ts'
import type { NostrEvent } from '../../../src/nostr/types.ts'
import { startRelay } from '../../../src/sandbox/relay.ts'
import { withBrokenSignature } from '../../../src/sandbox/relay-faults.ts'
import {
  bareServer,
  connected,
  newIdentity,
  type Scripted,
  scripted,
  signed,
  verify,
} from '../../support/relay-lab.ts'
import { until } from '../../support/until.ts'

const alice = newIdentity()
const bot = newIdentity()

/** A relay that answers each REQ with `frames`, given the subscription's id, and then EOSE. */
const saying = (frames: (sub: unknown) => unknown[][]): Promise<Scripted> =>
  scripted((message, say) => {
    if (message[0] !== 'REQ') return
    for (const frame of frames(message[1])) say(...frame)
    say('EOSE', message[1])
  })

/** Subscribes, waits for EOSE, and gives what came. */
async function collect(url: string, some: Partial<Subscribe> = {}) {
  const relay = connected({ url })
  const events: NostrEvent[] = []
  let done = false
  relay.subscribe({
    filters: [{ kinds: [1] }],
    onEvent: (event) => events.push(event),
    onEose: () => {
      done = true
    },
    ...some,
  })
  await until('EOSE', () => done)
  await relay.stop()
  return { events, counters: relay.counters }
}

test('a copy with the true id and a broken signature hides nothing, whichever comes first', async () => {
  // Marking ids as seen before verification would let one lying relay censor any event.
  const event = signed(alice)
  const forged = withBrokenSignature(event)
  const verified = new Set<string>()
  const some: Partial<Subscribe> = {
    known: (id, sig) => verified.has(id + sig),
    onEvent: (e) => verified.add(e.id + e.sig),
  }
  await using liar = await saying((sub) => [['EVENT', sub, forged]])
  await using honest = await saying((sub) => [
    ['EVENT', sub, forged],
    ['EVENT', sub, event],
    ['EVENT', sub, event],
  ])
  expect((await collect(liar.url, some)).counters).toMatchObject({ forged: 1, events: 0 })
  expect((await collect(honest.url, some)).counters).toMatchObject({
    forged: 1,
    events: 1,
    known: 1,
  })
  expect(verified).toEqual(new Set([event.id + event.sig]))
})

test('events that the filter did not ask for are dropped before they cost a verification', async () => {
  let verifications = 0
  await using server = await saying((sub) => [
    ['EVENT', sub, signed(alice, { kind: 1_059, tags: [['p', alice.pubkey]] })],
    ['EVENT', sub, signed(alice, { kind: 4, tags: [['p', bot.pubkey]] })],
    ['EVENT', sub, signed(alice, { kind: 1_059, created_at: 5, tags: [['p', bot.pubkey]] })],
    ['EVENT', 'never-opened', signed(alice)],
  ])
  const relay = connected({
    url: server.url,
    verify: (event) => {
      verifications += 1
      return verify(event)
    },
  })
  let done = false
  relay.subscribe({
    filters: [{ kinds: [1_059], '#p': [bot.pubkey], since: 1_000 }],
    onEvent() {},
    onEose: () => {
      done = true
    },
  })
  await until('EOSE', () => done)
  await relay.stop()
  expect(relay.counters).toMatchObject({ mismatched: 3, unsolicited: 1, events: 0 })
  expect(verifications).toBe(0)
})

test('a relay that leaks live events to the wrong subscription adds to a counter alone', async () => {
  await using server = await startRelay()
  server.faults.leakLive = true
  await using relay = connected({ url: server.url })
  const seen: string[] = []
  relay.subscribe({
    filters: [{ kinds: [1_059], '#p': [bot.pubkey] }],
    onEvent: (event) => seen.push(event.id),
  })
  const other = signed(alice, { kind: 1_059, tags: [['p', alice.pubkey]] })
  const ours = signed(alice, { kind: 1_059, tags: [['p', bot.pubkey]] })
  await relay.publish(other, 5_000)
  await relay.publish(ours, 5_000)
  await until('ours', () => seen.length === 1)
  expect(seen).toEqual([ours.id])
  expect(relay.counters.mismatched).toBe(1)
})

test.each([
  ['not JSON', '["EVENT","t1",{'],
  ['a number', '7'],
  ['null', 'null'],
  ['an object', '{"EVENT":1}'],
  ['an unknown type', '["SING","t1"]'],
  ['OK without a verdict', '["OK","id","yes",""]'],
  ['a depth bomb', `["EVENT","t1",${'['.repeat(100_000)}`],
  ['a closed depth bomb', `["EVENT","t1",${'['.repeat(60_000)}${']'.repeat(60_000)}]`],
  ['a duplicate key', '["EVENT","t1",{"id":1,"id":2}]'],
  ['__proto__', '["EVENT","t1",{"__proto__":{}}]'],
  ['NUL', '["NOTICE","a\\u0000b"]'],
  ['a lone surrogate', '["NOTICE","\\ud800"]'],
  ['an endless challenge', `["AUTH","${'c'.repeat(5_000)}"]`],
])('%s is counted as broken and the connection lives on', async (_what, text) => {
  await using server = await scripted((message, say, ws) => {
    ws.send(text)
    say('EOSE', message[1])
  })
  expect((await collect(server.url)).counters).toMatchObject({ broken: 1, events: 0, faults: 0 })
})

test.each([
  ['null', null],
  ['text', 'event'],
  ['a list', []],
  ['an upper-case id', { ...signed(alice), id: signed(alice).id.toUpperCase() }],
  ['a cut signature', { ...signed(alice), sig: 'ab' }],
  ['a fractional time', { ...signed(alice), created_at: 1.5 }],
  ['a time beyond numbers', { ...signed(alice), created_at: 1e308 }],
  ['a negative kind', { ...signed(alice), kind: -1 }],
  ['tags of numbers', { ...signed(alice), tags: [[1]] }],
  ['no content', { ...signed(alice), content: undefined }],
])('an event that is %s is counted as malformed', async (_what, event) => {
  await using server = await saying((sub) => [['EVENT', sub, event]])
  expect((await collect(server.url)).counters).toMatchObject({ malformed: 1, events: 0 })
})

test('a binary frame is counted and not read', async () => {
  await using server = await scripted((message, say, ws) => {
    ws.send(Buffer.from(JSON.stringify(['NOTICE', 'x'])))
    say('EOSE', message[1])
  })
  expect((await collect(server.url)).counters).toMatchObject({ broken: 1, notices: 0 })
})

test('an event larger than we read is passed over, and the ones behind it arrive', async () => {
  // Closing for it would let one stranger's stored event keep us off an honest relay for days.
  const big = 'x'.repeat(RELAY_FRAME_BYTES)
  const event = signed(alice)
  await using server = await saying((sub) => [
    ['EVENT', sub, signed(alice, { content: big })],
    ['EVENT', sub, event],
  ])
  const { events, counters } = await collect(server.url)
  expect(events).toEqual([event])
  expect(counters).toMatchObject({ oversized: 1, drops: 1 })
})

test('a frame above the bound of the socket ends the connection from its header alone', async () => {
  await using server = await scripted((_message, _say, ws) =>
    ws.send('x'.repeat(RELAY_SKIP_BYTES + 1)),
  )
  await using relay = connected({ url: server.url, backoff: { firstMs: 60_000, mostMs: 60_000 } })
  relay.subscribe({ filters: [{}], onEvent() {} })
  await until('cut', () => relay.state() === 'waiting')
  expect(relay.counters.oversized).toBe(1)
})

const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

/** Raw bytes after a handshake; the key is fixed, so the client refuses unless it is computed. */
async function rawFrames(bytes: Buffer) {
  const { createHash } = await import('node:crypto')
  return bareServer((socket) => {
    socket.once('data', (head) => {
      const key = /sec-websocket-key: (.*)\r/i.exec(String(head))?.[1] ?? ''
      const sum = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          `Sec-WebSocket-Accept: ${sum.digest('base64')}\r\n\r\n`,
      )
      socket.write(bytes)
    })
  })
}

test.each([
  ['a compressed frame nobody agreed on', Buffer.from([0xc1, 0x05, 1, 2, 3, 4, 5])],
  ['a frame that says it has 100 MiB', Buffer.from([0x81, 127, 0, 0, 0, 0, 6, 64, 0, 0])],
  ['a frame that says it has 2^63 bytes', Buffer.from([0x81, 127, 127, 255, 255, 255, 0, 0, 0, 0])],
  ['text that is not UTF-8', Buffer.from([0x81, 0x02, 0xff, 0xfe])],
  ['a masked frame', Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61])],
])('%s ends the connection without an exception', async (_what, bytes) => {
  await using server = await rawFrames(bytes)
  await using relay = connected({ url: server.url, backoff: { firstMs: 60_000, mostMs: 60_000 } })
  await until('cut', () => relay.state() === 'waiting')
  expect(relay.counters.opens).toBe(1)
})

test('a wrong handshake is a failed attempt', async () => {
  await using server = await bareServer((socket) =>
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`),
  )
  await using redirecting = await bareServer((socket) =>
    socket.end('HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1\r\n\r\n'),
  )
  for (const { url } of [server, redirecting]) {
    await using relay = connected({ url, backoff: { firstMs: 60_000, mostMs: 60_000 } })
    await until('given up', () => relay.state() === 'waiting')
    expect(relay.counters.opens).toBe(0)
  }
})

/** Sends without end, a little per turn of the loop. Large frames use a budget up on any machine. */
function flood(ws: WebSocket, frame: string, goesOn: () => boolean = () => true): void {
  if (ws.readyState !== ws.OPEN || !goesOn()) return
  if (ws.bufferedAmount < 8_000_000) for (let n = 0; n < 4; n += 1) ws.send(frame)
  setImmediate(() => flood(ws, frame, goesOn))
}

const junk = (bytes: number) =>
  `["EVENT","other",${JSON.stringify(signed(alice, { content: 'x'.repeat(bytes) }))}]`

test.each([
  ['events nobody asked for', junk(200_000)],
  ['frames too large to read', junk(900_000)],
])(
  'a relay that floods with %s is cut off and costs no other relay an event',
  async (_what, frame) => {
    await using hostile = await scripted((message, _say, ws) => {
      if (message[0] === 'REQ') flood(ws, frame)
    })
    await using honest = await startRelay()
    await using bad = connected({ url: hostile.url, penaltyMs: 60_000 })
    await using good = connected({ url: honest.url })
    let seen = 0
    const filters = [{ kinds: [1] }]
    bad.subscribe({ filters, onEvent() {} })
    good.subscribe({ filters, onEvent: () => (seen += 1) })
    for (let n = 0; n < 100; n += 1) await good.publish(signed(alice, { content: `${n}` }), 5_000)
    await until('cut', () => bad.counters.trips === 1)
    await until('all honest ones', () => seen === 100)
    expect(bad.state()).toBe('waiting')
    expect(good.counters.drops).toBe(0)
  },
)

test('a relay that was cut off is back after its penalty and delivers', async () => {
  let floods = true
  const event = signed(alice)
  const frame = junk(900_000)
  await using server = await scripted((message, say, ws) => {
    if (message[0] !== 'REQ') return
    if (floods) flood(ws, frame, () => floods)
    else say('EVENT', message[1], event)
  })
  await using relay = connected({ url: server.url, penaltyMs: 20 })
  const seen: NostrEvent[] = []
  relay.subscribe({ filters: [{ kinds: [1] }], onEvent: (e) => seen.push(e) })
  await until('cut', () => relay.counters.trips > 0)
  floods = false
  server.dropAll()
  await until('the event', () => seen.length > 0)
  expect(seen[0]).toEqual(event)
})

test('stored events that were asked for cost a relay nothing of its budget', async () => {
  const event = JSON.stringify(signed(alice))
  await using server = await scripted((message, say, ws) => {
    if (message[0] !== 'REQ') return
    for (let n = 0; n < 20_000; n += 1) ws.send(`["EVENT","${message[1]}",${event}]`)
    say('EOSE', message[1])
  })
  const { counters } = await collect(server.url, {
    filters: [{ kinds: [1], limit: 20_000 }],
    known: () => true,
  })
  expect(counters).toMatchObject({ known: 20_000, trips: 0 })
})

test('a callback that throws is counted, and the next event arrives', async () => {
  await using server = await saying((sub) => [
    ['EVENT', sub, signed(alice, { content: 'a' })],
    ['EVENT', sub, signed(alice, { content: 'b' })],
  ])
  const seen: string[] = []
  const { counters } = await collect(server.url, {
    onEvent(event) {
      seen.push(event.content)
      throw new Error('a bug of ours')
    },
  })
  expect(seen).toEqual(['a', 'b'])
  expect(counters.faults).toBe(2)
})

test('a guarded relay never dials what a stranger may not name', async () => {
  let dialled = 0
  await using server = await bareServer(() => (dialled += 1))
  const { port } = new URL(server.url)
  const urls = [
    server.url,
    `wss://127.0.0.1:${port}`,
    `wss://localhost:${port}`,
    `wss://[::1]:${port}`,
    `wss://[::ffff:127.0.0.1]:${port}`,
    `wss://2130706433:${port}`,
    `wss://me@relay.one.tld:${port}`,
  ]
  for (const url of urls) {
    await using relay = connected({ url, guard: true })
    expect(relay.state()).toBe('stopped')
    expect((await relay.publish(signed(alice), 5_000)).outcome).toBe('unreachable')
  }
  expect(dialled).toBe(0)
})
