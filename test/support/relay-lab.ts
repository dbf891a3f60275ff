import { randomBytes } from 'node:crypto'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { loadCurve } from '../../src/nostr/curve.ts'
import { verifyEvent } from '../../src/nostr/event.ts'
import { createIdentity } from '../../src/nostr/identity.ts'
import { connectRelay, type RelayOptions } from '../../src/nostr/relay.ts'
import type { Identity, NostrEvent } from '../../src/nostr/types.ts'
import { until } from './until.ts'

const { curve } = await loadCurve()

export const verify = (event: NostrEvent): boolean => verifyEvent(curve, event)

export const newIdentity = (secret: Uint8Array = randomBytes(32)): Identity =>
  createIdentity(curve, secret)

export const nowSeconds = (): number => Math.floor(Date.now() / 1000)

/** A signed event with only the fields a test is about. */
export function signed(author: Identity, some: Partial<NostrEvent> = {}): NostrEvent {
  const { kind = 1, created_at = nowSeconds(), tags = [], content = '' } = some
  return author.sign({ kind, created_at, tags, content })
}

export interface Talk {
  readonly frames: unknown[][]
  say(...message: unknown[]): void
  raw(text: string): void
  /** The next frame, from those not yet taken, that begins with these elements. */
  next(...start: unknown[]): Promise<unknown[]>
  /** Resolves when the peer closed. */
  readonly closed: Promise<number>
  [Symbol.asyncDispose](): Promise<void>
}

/** A bare WebSocket client that speaks arrays. */
export async function talk(url: string): Promise<Talk> {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  const frames: unknown[][] = []
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  socket.on('error', () => {})
  socket.on('message', (data) => frames.push(JSON.parse(String(data)) as unknown[]))
  await new Promise((resolve) => socket.once('open', resolve))
  let taken = 0
  return {
    frames,
    closed,
    say: (...message) => socket.send(JSON.stringify(message)),
    raw: (text) => socket.send(text),
    async next(...start) {
      const fits = (frame: unknown[]) => start.every((part, index) => frame[index] === part)
      let found = -1
      await until(`a frame ${JSON.stringify(start)}`, () => {
        found = frames.findIndex((frame, index) => index >= taken && fits(frame))
        return found !== -1
      })
      taken = found + 1
      return frames[found] ?? []
    },
    async [Symbol.asyncDispose]() {
      socket.terminate()
      await closed
    },
  }
}

export interface Scripted {
  readonly url: string
  /** Every message of every client, in order. */
  readonly heard: unknown[][]
  readonly sockets: Set<WebSocket>
  connections(): number
  dropAll(): void
  [Symbol.asyncDispose](): Promise<void>
}

export type Script = (message: unknown[], say: (...frame: unknown[]) => void, ws: WebSocket) => void

/** A relay that does what one function says and nothing else. */
export async function scripted(
  script: Script,
  onOpen: (say: (...frame: unknown[]) => void, ws: WebSocket) => void = () => {},
): Promise<Scripted> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
  await new Promise((resolve) => server.once('listening', resolve))
  const heard: unknown[][] = []
  let connections = 0
  server.on('connection', (ws) => {
    connections += 1
    const say = (...frame: unknown[]) => ws.send(JSON.stringify(frame))
    ws.on('error', () => {})
    ws.on('message', (data) => {
      const message = JSON.parse(String(data)) as unknown[]
      heard.push(message)
      script(message, say, ws)
    })
    onOpen(say, ws)
  })
  const { port } = server.address() as AddressInfo
  const dropAll = () => {
    for (const ws of server.clients) ws.terminate()
  }
  return {
    url: `ws://127.0.0.1:${port}`,
    heard,
    sockets: server.clients,
    connections: () => connections,
    dropAll,
    async [Symbol.asyncDispose]() {
      dropAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A TCP server that accepts and lets `onSocket` do the rest. */
export async function bareServer(onSocket: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `ws://127.0.0.1:${port}`,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A relay connection that ends with its scope; pauses short enough for tests. */
export function connected(options: Partial<RelayOptions> & { url: string }) {
  const relay = connectRelay({
    clock: systemClock,
    log: silentLog,
    verify,
    backoff: { firstMs: 10, mostMs: 50 },
    penaltyMs: 50,
    authMs: 100,
    ...options,
  })
  return Object.assign(relay, { [Symbol.asyncDispose]: () => relay.stop() })
}

/** Sockets and timers of this process, to show that a stop left none. */
export function openResources(): string[] {
  const counted = ['TCPSocketWrap', 'TCPServerWrap', 'Timeout', 'GetAddrInfoReqWrap']
  return process.getActiveResourcesInfo().filter((name) => counted.includes(name))
}
