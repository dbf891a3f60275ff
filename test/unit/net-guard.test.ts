import type { LookupAddress } from 'node:dns'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import { isPublicAddress, isPublicName, publicLookup } from '../../src/net-guard.ts'

const PUBLIC = [
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.1',
  '168.63.129.17',
  '169.253.255.255',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '2001:200::1',
  '2001:4860:4860::8888',
  '2606:4700::1111',
  '2a00:1450:4001:81b::200e',
  '64:ff9b::1.1.1.1',
  '64:ff9b::808:808',
]

const NOT_PUBLIC = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.100.100.200',
  '100.127.255.255',
  '127.0.0.1',
  '127.1.2.3',
  '168.63.129.16',
  '169.254.0.1',
  '169.254.169.254',
  '169.254.170.2',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.1',
  '192.168.255.255',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.7',
  '203.0.113.9',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '::ffff:7f00:1',
  '::ffff:8.8.8.8',
  '0:0:0:0:0:ffff:c0a8:1',
  '64:ff9b::127.0.0.1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::1',
  '3fff::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  '2606:4700::1111%eth0',
  'fec0::1',
  'ff02::1',
  '4000::1',
  '',
  'localhost',
  '0177.0.0.1',
  '0x7f.0.0.1',
  '2130706433',
  '127.1',
  '8.8.8.8.8',
  '[::1]',
  '1.1.1.1 ',
]

test.each(PUBLIC)('%s is public', (ip) => {
  expect(isPublicAddress(ip)).toBe(true)
})

test.each(NOT_PUBLIC)('%j is not public', (ip) => {
  expect(isPublicAddress(ip)).toBe(false)
})

test('names that only mean something inside a network are refused before DNS is asked', () => {
  const refused = [
    'localhost',
    'LOCALHOST.',
    'a.localhost',
    'printer.local',
    'metadata.google.internal',
    'db',
    'nas.lan',
    'router.home.arpa',
    'x.onion',
    '127.0.0.1',
    '[2606:4700::1111]',
    `${'a.'.repeat(130)}com`,
    '',
  ]
  expect(refused.filter(isPublicName)).toEqual([])
  expect(
    ['relay.one.tld', 'relay.one.tld.', 'local.tld', 'xn--bcher-kva.tld'].every(isPublicName),
  ).toBe(true)
})

const ask = (addresses: string[], all: boolean) =>
  new Promise<{ error: string | undefined; answer: string | LookupAddress[] }>((done) =>
    publicLookup(async () => addresses)('relay.one.tld', { all }, (error, answer) =>
      done({ error: error?.message, answer }),
    ),
  )

test('one private address among public ones refuses the whole name', async () => {
  expect((await ask(['1.1.1.1', '10.0.0.1'], true)).error).toContain('private address')
  expect((await ask(['::ffff:1.1.1.1'], false)).error).toContain('private address')
  expect((await ask([], true)).error).toContain('no address')
})

test('the socket gets the addresses that were checked', async () => {
  const both = ['1.1.1.1', '2606:4700::1111']
  expect((await ask(both, true)).answer).toEqual([
    { address: '1.1.1.1', family: 4 },
    { address: '2606:4700::1111', family: 6 },
  ])
  expect((await ask(both, false)).answer).toBe('1.1.1.1')
})

test('a name that rebinds to loopback never reaches the loopback server', async () => {
  let reached = 0
  const server = createServer(() => {}).on('connection', () => (reached += 1))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  // Public when first asked, loopback afterwards: what a check apart from the connection would miss.
  const answers = [['203.0.114.1'], ['127.0.0.1']]
  const lookup = publicLookup(async () => answers.shift() ?? ['127.0.0.1'])
  const first = await new Promise<string | LookupAddress[]>((done) =>
    lookup('rebind.one.tld', { all: false }, (_error, answer) => done(answer)),
  )
  expect(first).toBe('203.0.114.1')
  const socket = connect({ host: 'rebind.one.tld', port, lookup })
  const error = await new Promise<Error>((done) => socket.once('error', done))
  expect(error.message).toContain('private address')
  expect(reached).toBe(0)
  await new Promise((done) => server.close(done))
})

test('an answer that fails is an error of the socket, not an exception', async () => {
  const lookup = publicLookup(async () => {
    throw new Error('SERVFAIL')
  })
  const error = await new Promise<Error | null>((done) =>
    lookup('a.tld', {}, (problem) => done(problem)),
  )
  expect(error?.message).toBe('SERVFAIL')
})
