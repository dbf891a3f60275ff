import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Clock, systemClock } from '../clock.ts'
import { RELAY_FRAME_BYTES } from '../limits.ts'
import { corker } from '../corked.ts'
import { loadCurve } from '../nostr/curve.ts'
import { verifyEvent } from '../nostr/event.ts'
import type { NostrEvent } from '../nostr/types.ts'
import { RelayClient, type RelayCore, type SandboxRelayCounters } from './relay-client.ts'
import { createRelayFaults, type RelayFaults } from './relay-faults.ts'
import { createOutlet } from './relay-outlet.ts'
import { createRelayStore } from './relay-store.ts'
import { createWatchers } from './relay-watchers.ts'

/**
 * A real relay in memory for the sandbox and the tests: NIP-01 with replaceable, addressable and
 * ephemeral events, 09, 11, 40, 42, 67. It forgets everything when it stops.
 */
export interface SandboxRelay {
  readonly url: string
  readonly port: number
  /** What is stored, by arrival. */
  events(): NostrEvent[]
  /** Cuts every connection; the relay goes on listening. */
  dropConnections(): void
  readonly counters: Readonly<SandboxRelayCounters>
  readonly faults: RelayFaults
  /** Ends every connection and gives the port back. Idempotent. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface SandboxRelayOptions {
  /** 0 or absent: a free one. */
  port?: number
  host?: '127.0.0.1'
  faults?: RelayFaults
  /** Direct messages go only to the AUTHed keys they are for. */
  requireAuth?: boolean
  /** Events are only taken after AUTH. */
  authToWrite?: boolean
  /** Id and signature; the process's best curve when absent. */
  verify?(event: NostrEvent): boolean
  clock?: Clock
  /** Largest frame taken, bytes, and said so (NIP-11). */
  frameBytes?: number
  /** Most events kept; the first to arrive goes first. */
  eventsMax?: number
}

const BYTES_MAX = 128 * 1024 * 1024

/** Resolves once it listens; rejects when the port is taken. */
export async function startRelay(options: SandboxRelayOptions = {}): Promise<SandboxRelay> {
  const { host = '127.0.0.1', clock = systemClock, requireAuth = false } = options
  const core: RelayCore = {
    clock,
    requireAuth,
    authToWrite: options.authToWrite ?? false,
    url: () => `ws://${host}:${port}`,
    verify: options.verify ?? (await defaultVerify()),
    store: createRelayStore({ eventsMax: options.eventsMax ?? 50_000, bytesMax: BYTES_MAX }),
    watchers: createWatchers(),
    faults: options.faults ?? createRelayFaults(Math.random),
    counters: {
      connected: 0,
      connections: 0,
      accepted: 0,
      refused: 0,
      requests: 0,
      sent: 0,
      authenticated: 0,
    },
  }
  const { frameBytes = RELAY_FRAME_BYTES } = options
  const http = createServer((request, response) => answer(core, frameBytes, request, response))
  const server = new WebSocketServer({
    server: http,
    maxPayload: frameBytes,
    perMessageDeflate: false,
    // Pongs are ours to give, or to keep back when half-open.
    autoPong: false,
  })
  server.on('connection', (socket, request) => serve(core, socket, request.socket))
  // It repeats the errors of the HTTP server, and `listen` has them already.
  server.on('error', () => {})
  const port = await listen(http, options.port ?? 0, host)

  const dropConnections = () => {
    for (const socket of server.clients) socket.terminate()
  }
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= new Promise((resolve) => {
      server.close()
      dropConnections()
      http.closeAllConnections()
      http.close(() => resolve())
    })
    return stopping
  }
  return {
    url: core.url(),
    port,
    counters: core.counters,
    faults: core.faults,
    events: () => core.store.all(),
    dropConnections,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function serve(core: RelayCore, socket: WebSocket, raw: Socket): void {
  const { counters, faults, clock } = core
  const ended = new AbortController()
  const onSent = () => {
    counters.sent += 1
  }
  const cork = corker(raw)
  const outlet = createOutlet({ socket, cork, clock, faults, ended: ended.signal, onSent })
  const client = new RelayClient(core, outlet)
  counters.connected += 1
  counters.connections += 1
  if (faults.disconnectMsMax > 0) {
    const ms = faults.random() * faults.disconnectMsMax
    void clock.sleep(ms, ended.signal).then(() => socket.terminate())
  }
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isBinary && !faults.halfOpen) client.onText(data.toString())
  })
  socket.on('ping', (data) => {
    if (!faults.halfOpen) socket.pong(data)
  })
  socket.on('error', () => socket.terminate())
  socket.on('close', () => {
    ended.abort()
    counters.connected -= 1
    client.end()
  })
}

async function defaultVerify(): Promise<(event: NostrEvent) => boolean> {
  const { curve } = await loadCurve()
  return (event) => verifyEvent(curve, event)
}

function listen(
  http: ReturnType<typeof createServer>,
  port: number,
  host: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    http.once('error', reject)
    http.listen(port, host, () => {
      const address = http.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

/** NIP-11. */
function answer(
  core: RelayCore,
  frameBytes: number,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (!(request.headers.accept ?? '').includes('application/nostr+json')) {
    response.writeHead(426, { connection: 'close' }).end('This is a Nostr relay.\n')
    return
  }
  const nips = [1, 9, 11, 40, 42, 67]
  const limitation = {
    max_message_length: frameBytes,
    max_subscriptions: 64,
    max_limit: 500,
    auth_required: core.authToWrite,
    payment_required: false,
  }
  const document = {
    name: 'tithe sandbox relay',
    software: 'tithe',
    supported_nips: nips,
    limitation,
  }
  response
    .writeHead(200, {
      'content-type': 'application/nostr+json',
      'access-control-allow-origin': '*',
      connection: 'close',
    })
    .end(JSON.stringify(document))
}
