import { WebSocket } from 'ws'
import type { Clock } from '../clock.ts'
import { RELAY_FRAME_BYTES, RELAY_SEND_BYTES, RELAY_SKIP_BYTES } from '../limits.ts'
import { isPublicAddress, publicLookup } from '../net-guard.ts'
import { corker } from '../corked.ts'

/** One WebSocket from dial to close. It is never opened twice. */
export interface Link {
  /** True once open, false when the attempt failed. Never rejects. */
  readonly opened: Promise<boolean>
  /** Resolves when the socket is gone, with the reason for the log. Never rejects. */
  readonly closed: Promise<string>
  /** When the last pong came, ms; the moment of opening counts as one. Undefined before. */
  lastPongAt(): number | undefined
  /** False when it is not open, or when too much waits to be read by the relay; `onRoom` tells when not. */
  send(text: string): boolean
  /** Stops reading until `resume`, so that the relay feels back-pressure. */
  pause(): void
  resume(): void
  /** Closes politely; the peer has `CLOSING_MS` to agree. */
  close(): void
  /** Cuts the connection. */
  kill(): void
}

export interface LinkOptions {
  url: string
  /** The URL came from a stranger: public addresses only. */
  guard: boolean
  clock: Clock
  handshakeMs: number
  pingMs: number
  pongMs: number
  onText(text: string): void
  /** A frame that was dropped unread: too large, or not text. */
  onUnreadable(why: 'oversized' | 'binary', bytes: number): void
  /** A `send` was refused for want of room, and there is room again. */
  onRoom(): void
}

/** How long a polite close may take: a dead peer must not hold up a shutdown. */
const CLOSING_MS = 250

export function openLink(options: LinkOptions): Link {
  const { clock, pingMs, pongMs } = options
  const ended = new AbortController()
  const { socket, cork } = dial(options)
  const opened = Promise.withResolvers<boolean>()
  const closed = Promise.withResolvers<string>()
  let lastPongAt: number | undefined
  let heard = true
  let reason = ''
  let full = false

  socket.on('open', () => {
    lastPongAt = clock.now()
    opened.resolve(true)
    void keepAlive()
  })
  socket.on('pong', () => {
    heard = true
    lastPongAt = clock.now()
  })
  socket.on('ping', () => {
    heard = true
  })
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    heard = true
    if (isBinary) options.onUnreadable('binary', data.length)
    else if (data.length > RELAY_FRAME_BYTES) options.onUnreadable('oversized', data.length)
    else options.onText(data.toString())
  })
  socket.on('error', (error: Error & { code?: string }) => {
    reason ||= error.code ?? error.message
    if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') options.onUnreadable('oversized', 0)
  })
  socket.on('close', (code: number) => {
    ended.abort()
    opened.resolve(false)
    closed.resolve(reason || `closed ${code}`)
  })

  const onSent = () => {
    if (!full || socket.bufferedAmount > RELAY_SEND_BYTES / 2) return
    full = false
    options.onRoom()
  }
  const kill = (why: string) => {
    reason ||= why
    socket.terminate()
  }

  /** Any sign of life within `pongMs` of a ping will do: a pong may wait behind megabytes of events. */
  async function keepAlive(): Promise<void> {
    for (;;) {
      await clock.sleep(pingMs - pongMs, ended.signal)
      if (ended.signal.aborted) return
      heard = false
      socket.ping()
      await clock.sleep(pongMs, ended.signal)
      if (ended.signal.aborted) return
      if (!heard && !socket.isPaused) return kill('no pong')
    }
  }

  // ws bounds the answer to its request; this bounds the name lookup and a peer that trickles too.
  void clock.sleep(options.handshakeMs, ended.signal).then(() => {
    if (socket.readyState === WebSocket.CONNECTING) kill('no handshake')
  })

  return {
    opened: opened.promise,
    closed: closed.promise,
    lastPongAt: () => lastPongAt,
    send(text) {
      if (socket.readyState !== WebSocket.OPEN) return false
      full ||= socket.bufferedAmount > RELAY_SEND_BYTES
      if (full) return false
      cork()
      socket.send(text, onSent)
      return true
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close() {
      if (socket.readyState !== WebSocket.OPEN) return kill('stopped')
      socket.resume()
      socket.close(1000)
      ended.abort()
      const late = new AbortController()
      socket.once('close', () => late.abort())
      void clock.sleep(CLOSING_MS, late.signal).then(() => kill('stopped'))
    },
    kill: () => kill('cut'),
  }
}

function dial(options: LinkOptions): { socket: WebSocket; cork(): void } {
  const { url, guard, handshakeMs } = options
  const socket = new WebSocket(url, {
    maxPayload: RELAY_SKIP_BYTES,
    perMessageDeflate: false,
    handshakeTimeout: handshakeMs,
    followRedirects: false,
    ...(guard ? { lookup: publicLookup() } : {}),
  })
  let cork = () => {}
  // At a frame that it refuses, the library would read on for up to half a minute and throw that away.
  socket.on('error', () => socket.terminate())
  socket.on('upgrade', (response) => {
    cork = corker(response.socket)
    // The second fence: whatever the lookup said, this is where the connection went.
    if (guard && !isPublicAddress(response.socket.remoteAddress ?? '')) socket.terminate()
  })
  return { socket, cork: () => cork() }
}
