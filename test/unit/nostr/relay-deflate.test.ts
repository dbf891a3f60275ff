import { createServer, type Socket } from 'node:net'
import { createHash } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { systemClock } from '../../../src/clock.ts'
import { silentLog } from '../../../src/log.ts'
import { connectRelay, type Relay } from '../../../src/nostr/relay.ts'
import { verify } from '../../support/relay-lab.ts'
import { until } from '../../support/until.ts'

const BOMB_BYTES = 64 * 1024 * 1024
const MIB = 1024 * 1024
/** 64 MiB of zeros in 64 KiB, as permessage-deflate sends it: without the four bytes of the flush. */
const BOMB = deflateRawSync(Buffer.alloc(BOMB_BYTES), { finishFlush: 2 }).subarray(0, -4)

const connectTo = (port: number): Relay =>
  connectRelay({
    ...{ clock: systemClock, log: silentLog, verify },
    url: `ws://127.0.0.1:${port}`,
    backoff: { firstMs: 10, mostMs: 20 },
  })

/** A whole text frame; RSV1 says that it is compressed (RFC 7692). */
function compressedFrame(payload: Buffer): Buffer {
  const header = Buffer.alloc(10)
  header[0] = 0x80 | 0x40 | 0x01
  header[1] = 127
  header.writeBigUInt64BE(BigInt(payload.length), 2)
  return Buffer.concat([header, payload])
}

/** Speaks WebSocket by hand, so that it can say what no library lets it say. */
function bombing(extension: string) {
  let bombs = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', (head) => {
      const key = /sec-websocket-key: (\S+)/i.exec(head.toString())?.[1]
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          `Sec-WebSocket-Accept: ${accept.digest('base64')}\r\n${extension}\r\n`,
      )
      bombs += 1
      socket.write(compressedFrame(BOMB))
    })
  })
  return new Promise<{ port: number; bombs(): number } & AsyncDisposable>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve({
        port: typeof address === 'object' && address ? address.port : 0,
        bombs: () => bombs,
        async [Symbol.asyncDispose]() {
          for (const socket of sockets) socket.destroy()
          await new Promise((done) => server.close(done))
        },
      })
    })
  })
}

test('compression is never offered, so that a relay that would like it sends plain frames', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true })
  const offered: unknown[] = []
  server.on('connection', (_, { headers }) => offered.push(headers['sec-websocket-extensions']))
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  const relay = connectTo(typeof address === 'object' && address ? address.port : 0)
  await until('it connects', () => relay.state() === 'open')
  expect(offered).toEqual([undefined])
  await relay.stop()
  await new Promise((done) => server.close(done))
})

test.each([
  ['that was not agreed on', ''],
  ['that only the relay agreed on', 'Sec-WebSocket-Extensions: permessage-deflate\r\n'],
])(
  'a deflate bomb of 64 MiB %s ends its connection and is never unpacked',
  async (_, extension) => {
    await using server = await bombing(extension)
    const before = process.memoryUsage().rss
    const relay = connectTo(server.port)
    await until('three bombs came', () => server.bombs() >= 3)
    await relay.stop()
    expect(relay.counters.events).toBe(0)
    expect(process.memoryUsage().rss - before).toBeLessThan(48 * MIB)
  },
)
