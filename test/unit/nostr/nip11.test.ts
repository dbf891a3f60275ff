import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { fetchRelayInfo, readRelayInfo } from '../../../src/nostr/nip11.ts'
import { startRelay } from '../../../src/sandbox/relay.ts'
import { connected } from '../../support/relay-lab.ts'
import { until } from '../../support/until.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

async function serving(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stops.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const ask = (url: string) => fetchRelayInfo(url, { signal: new AbortController().signal })

test('the limits a relay names are kept, and everything of the wrong type is not', () => {
  const limitation = {
    max_message_length: 65_536,
    max_subscriptions: '20',
    max_limit: 100,
    min_pow_difficulty: -1,
    auth_required: true,
    payment_required: 'yes',
    restricted_writes: true,
  }
  const info = readRelayInfo({
    software: 'x'.repeat(500),
    supported_nips: [1, 'a', 42],
    limitation,
  })
  expect(info).toEqual({
    software: 'x'.repeat(100),
    nips: [1, 42],
    messageBytesMax: 65_536,
    limitMax: 100,
    authRequired: true,
    paymentRequired: false,
    restrictedWrites: true,
  })
  expect(readRelayInfo({})).toMatchObject({ nips: [], authRequired: false })
  expect([readRelayInfo(null), readRelayInfo([]), readRelayInfo('x')]).toEqual(
    Array(3).fill(undefined),
  )
})

test('an open relay has its information, and a relay without one is no worse', async () => {
  await using server = await startRelay()
  await using relay = connected({ url: server.url })
  await until('info', () => relay.info() !== undefined)
  expect(relay.info()).toMatchObject({ limitMax: 500, subscriptionsMax: 64 })
})

const answers: [string, RequestListener][] = [
  ['closed without an answer', (request) => request.socket.destroy()],
  ['a page', (_request, response) => response.end('<html>')],
  ['an error', (_request, response) => response.writeHead(500).end('{}')],
  [
    'a redirect',
    (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1' }).end('{}'),
  ],
  ['endless', (_request, response) => response.end(`{"a":"${'x'.repeat(200_000)}"}`)],
]

test.each(answers)('a document that is %s is none, and no error', async (_what, answer) => {
  expect(await ask(await serving(answer))).toBeUndefined()
})

test('a relay that never answers is given up when its connection is', async () => {
  const url = await serving(() => {})
  const stop = new AbortController()
  const asked = fetchRelayInfo(url, { signal: stop.signal })
  stop.abort()
  expect(await asked).toBeUndefined()
})
