import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { createServer as createTcpServer, isIP, type LookupFunction, Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { encodeBolt11 } from '../../../src/lightning/bolt11-encode.ts'
import { resolveLightningAddress } from '../../../src/lightning/lnurl.ts'
import { publicLookup } from '../../../src/net-guard.ts'
import { certificateFor } from '../../support/lnbits-certificate.ts'

const DOMAIN = 'pay.example.com'
const OTHER = 'pay.example.org'
/**
 * Stands for the Internet; the guard itself would refuse it, so these tests bring a look-up of
 * theirs.
 */
const OUTSIDE = '127.0.0.2'
const INSIDE = '127.0.0.1'

let server: Server
let port = 0
let ca = ''
/** Every address that was connected to, seen at the socket. */
let connections: string[] = []
let respond: (path: string, response: ServerResponse, request: IncomingMessage) => void

beforeAll(async () => {
  const { key, cert } = certificateFor([DOMAIN, OTHER])
  ca = cert
  server = createServer({ key, cert }, (request, response) => {
    respond(request.url ?? '', response, request)
  })
  server.on('connection', (socket) => {
    if (socket instanceof Socket) connections.push(socket.localAddress ?? '')
  })
  server.listen(0, '0.0.0.0')
  await once(server, 'listening')
  const address = server.address()
  port = typeof address === 'object' && address ? address.port : 0
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  connections = []
  respond = serve({})
})

const lookupOf =
  (addresses: () => string[]): LookupFunction =>
  (_, options, callback) => {
    const found = addresses().map((address) => ({ address, family: isIP(address) }))
    if (options.all) callback(null, found)
    else callback(null, found[0]?.address ?? '', found[0]?.family)
  }
const outside = lookupOf(() => [OUTSIDE])

function ask(address: string, { amountSats = 500, lookup = outside, timeoutMs = 2_000 } = {}) {
  return resolveLightningAddress({
    address,
    amountSats,
    lookup,
    timeoutMs,
    testing: { port, ca },
  })
}

function invoice(amountMsat: bigint, network: 'bc' | 'tb' = 'bc'): string {
  return encodeBolt11(
    {
      network,
      amountMsat,
      paymentHash: randomBytes(32).toString('hex'),
      paymentSecret: '11'.repeat(32),
      createdAt: Math.floor(systemClock.now() / 1000),
      expirySeconds: 600,
      description: 'withdrawal',
    },
    new Uint8Array(32).fill(3),
  )
}

/** A payee that follows LUD-06 unless told otherwise. */
function serve({
  offer = {},
  pr = (msat: bigint) => invoice(msat),
}: {
  offer?: object
  pr?: (msat: bigint) => unknown
}): typeof respond {
  return (path, response) => {
    const url = new URL(path, `https://${DOMAIN}`)
    const json =
      url.pathname === '/callback'
        ? { pr: pr(BigInt(url.searchParams.get('amount') ?? 0)), routes: [] }
        : {
            tag: 'payRequest',
            callback: `https://${DOMAIN}/callback?user=a`,
            minSendable: 1_000,
            maxSendable: 1_000_000_000,
            metadata: '[]',
            ...offer,
          }
    response.end(JSON.stringify(json))
  }
}

describe('a lightning address', () => {
  test('becomes an invoice for exactly the amount (LUD-16, LUD-06)', async () => {
    const paths: string[] = []
    const payee = serve({})
    respond = (path, response, request) => {
      paths.push(`${request.headers.host}${path}`)
      payee(path, response, request)
    }
    expect(await ask('Alice+tips@PAY.example.com')).toEqual({
      ok: true,
      bolt11: expect.stringMatching(/^lnbc5u1/),
      paymentHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(paths).toEqual([
      `${DOMAIN}/.well-known/lnurlp/alice+tips`,
      `${DOMAIN}/callback?user=a&amount=500000`,
    ])
  })

  test('says what its payee takes when that is not the amount', async () => {
    respond = serve({ offer: { minSendable: 1_000_001, maxSendable: 2_000_999 } })
    expect(await ask('a@pay.example.com')).toEqual({
      ok: false,
      reason: 'out-of-range',
      minSats: 1_001,
      maxSats: 2_000,
    })
  })

  test.for([
    ['a larger invoice', serve({ pr: (msat) => invoice(msat * 2n) }), 'invoice-amount'],
    ['a smaller invoice', serve({ pr: (msat) => invoice(msat - 1000n) }), 'invoice-amount'],
    [
      'an invoice a fraction larger',
      serve({ pr: (msat) => invoice(msat + 1n) }),
      'invoice-sub-sat',
    ],
    [
      'an invoice of another network',
      serve({ pr: (msat) => invoice(msat, 'tb') }),
      'invoice-wrong-network',
    ],
    ['no invoice', serve({ pr: () => 'lnbc1' }), 'invoice-not-bech32'],
    ['a number', serve({ pr: () => 7 }), 'answer'],
    ['another tag', serve({ offer: { tag: 'withdrawRequest' } }), 'answer'],
    ['a range of nonsense', serve({ offer: { minSendable: 0.5 } }), 'answer'],
    ['no JSON', (_: string, response: ServerResponse) => response.end('<html>'), 'answer'],
    [
      'a no',
      (_: string, response: ServerResponse) => response.end('{"status":"ERROR","reason":"<b>"}'),
      'refused',
    ],
    [
      'a missing page',
      (_: string, response: ServerResponse) => response.writeHead(404).end('{}'),
      'unreachable',
    ],
    [
      'more than 64 KiB',
      (_: string, response: ServerResponse) => response.end(`{"a":"${'x'.repeat(70_000)}"}`),
      'unreachable',
    ],
    [
      'a cut connection',
      (_: string, response: ServerResponse) => response.destroy(),
      'unreachable',
    ],
  ] as const)('whose payee answers with %s is refused', async ([, payee, reason]) => {
    respond = payee
    expect(await ask('a@pay.example.com')).toEqual({ ok: false, reason })
  })

  test.for([
    ['silence', () => undefined],
    [
      'a byte at a time',
      (_: string, response: ServerResponse) => {
        const timer = setInterval(() => response.write(' '), 5)
        response.on('close', () => clearInterval(timer))
      },
    ],
  ] as const)('whose payee answers with %s is given up in time', async ([, payee]) => {
    respond = payee
    expect(await ask('a@pay.example.com', { timeoutMs: 100 })).toEqual({
      ok: false,
      reason: 'unreachable',
    })
  })
})

const ADDRESSES = [
  'user@127.0.0.1',
  'user@169.254.169.254',
  'user@10.0.0.1',
  'user@192.168.1.1',
  'user@100.64.0.1',
  'user@0.0.0.0',
  'user@0x7f000001',
  'user@0x7f.1',
  'user@2130706433',
  'user@017700000001',
  'user@127.1',
  'user@[::1]',
  'user@::1',
  'user@[::ffff:127.0.0.1]',
  'user@localhost',
  'user@localhost.',
  'user@foo.localhost',
  'user@metadata.google.internal',
  'user@printer.local',
  'user@db.corp',
  'user@hidden.onion',
  'user@intranet',
  'user@pay.example.com:8080',
  'user@pay.example.com:443',
  'user@pay.example.com/../../x',
  'user@pay.example.com?x=1',
  'user@pay.example.com#x',
  'user@evil@pay.example.com',
  'us/er@pay.example.com',
  'us%2fer@pay.example.com',
  'user@pay.example.com\n127.0.0.1',
  'user@päy.example.com',
  'user@pay。example.com',
  'user@①②⑦.0.0.1',
  '@pay.example.com',
  'user@',
  '',
  'user',
  `${'a'.repeat(65)}@pay.example.com`,
  `a@${'a'.repeat(260)}.com`,
]

const CALLBACKS = [
  `http://${DOMAIN}/callback`,
  `ftp://${DOMAIN}/callback`,
  'file:///etc/passwd',
  'https://127.0.0.1/callback',
  'https://127.1/callback',
  'https://2130706433/callback',
  'https://0x7f.0.0.1/callback',
  'https://[::1]/callback',
  'https://[::ffff:127.0.0.1]/callback',
  'https://[fd00::1]/callback',
  'https://169.254.169.254/latest/meta-data',
  'https://10.0.0.1/callback',
  'https://localhost/callback',
  'https://metadata.google.internal/callback',
  'https://router.home.arpa/callback',
  `https://${DOMAIN}:8443/callback`,
  `https://${DOMAIN}:22/callback`,
  `https://user:pass@${DOMAIN}/callback`,
  `https://user@${DOMAIN}/callback`,
  'https://①②⑦.⓪.⓪.①/callback',
  'https:///callback',
  '//127.0.0.1/callback',
  '/callback',
  'javascript:alert(1)',
]

describe('nothing inside our network is reached (T25)', () => {
  test.for(ADDRESSES)('by the address %j', async (address) => {
    expect(await ask(address, { lookup: lookupOf(() => [INSIDE]) })).toEqual({
      ok: false,
      reason: 'address',
    })
    expect(connections).toEqual([])
  })

  test.for(CALLBACKS)('by the callback %j', async (callback) => {
    respond = serve({ offer: { callback } })
    expect(await ask('a@pay.example.com')).toEqual({ ok: false, reason: 'callback' })
    expect(connections).toEqual([OUTSIDE])
  })

  test('by a callback longer than a URL needs to be', async () => {
    respond = serve({ offer: { callback: `https://${DOMAIN}/${'a'.repeat(2_000)}` } })
    expect(await ask('a@pay.example.com')).toEqual({ ok: false, reason: 'answer' })
  })

  test.for([301, 302, 303, 307, 308])(
    'by a redirect with %s, which is not followed',
    async (status) => {
      respond = (_, response) => {
        response.writeHead(status, { location: `https://${OTHER}/x` }).end()
      }
      expect(await ask('a@pay.example.com')).toEqual({ ok: false, reason: 'unreachable' })
      expect(connections).toEqual([OUTSIDE])
    },
  )

  test.for([
    ['a private address', ['10.0.0.1']],
    ['this host', [INSIDE]],
    ['this host in IPv6', ['::1']],
    ['the metadata server', ['169.254.169.254']],
    ['a public and a private address', ['93.184.216.34', INSIDE]],
    ['no address', []],
  ] as const)('by a name that resolves to %s', async ([, addresses]) => {
    const lookup = publicLookup(async () => [...addresses])
    expect(await ask('a@pay.example.com', { lookup })).toEqual({ ok: false, reason: 'unreachable' })
    expect(connections).toEqual([])
  })

  // A name server of the attacker: the first answer is public, every later one points inside.
  test('by a name that resolves anew to somewhere inside (DNS rebinding)', async () => {
    let asked = 0
    const lookup = lookupOf(() => {
      asked += 1
      return [asked === 1 ? OUTSIDE : INSIDE]
    })
    expect(await ask('a@pay.example.com', { lookup })).toMatchObject({ ok: true })
    expect(asked).toBe(1)
    expect(connections).toEqual([OUTSIDE, OUTSIDE])
  })

  test('by a callback on another name that points inside', async () => {
    respond = serve({ offer: { callback: `https://${OTHER}/callback` } })
    const guarded = publicLookup(async () => [INSIDE])
    const lookup: LookupFunction = (hostname, options, callback) =>
      (hostname === DOMAIN ? outside : guarded)(hostname, options, callback)
    expect(await ask('a@pay.example.com', { lookup })).toEqual({ ok: false, reason: 'unreachable' })
    expect(connections).toEqual([OUTSIDE])
  })

  test('by a server without a certificate for the name', async () => {
    respond = serve({ offer: { callback: 'https://elsewhere.example.net/callback' } })
    expect(await ask('a@pay.example.com')).toEqual({ ok: false, reason: 'unreachable' })
  })

  test('by a port that does not speak TLS', async () => {
    let heard = ''
    const plain = createTcpServer((socket) => {
      socket.on('data', (bytes) => {
        heard += bytes.toString('latin1')
        socket.end('HTTP/1.1 200 OK\r\n\r\n{}')
      })
      socket.on('error', () => undefined)
    })
    plain.listen(0, OUTSIDE)
    await once(plain, 'listening')
    const address = plain.address()
    const plainPort = typeof address === 'object' && address ? address.port : 0
    const answer = await resolveLightningAddress({
      address: 'a@pay.example.com',
      amountSats: 5,
      lookup: outside,
      testing: { port: plainPort, ca },
    })
    expect(answer).toEqual({ ok: false, reason: 'unreachable' })
    expect(heard).not.toContain('lnurlp')
    plain.close()
  })
})
