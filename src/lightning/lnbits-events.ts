import { WebSocket } from 'ws'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { looseJson } from '../json.ts'
import { LNBITS_EVENT_BYTES } from '../limits.ts'
import type { Log } from '../log.ts'

export interface PaymentEventsOptions {
  url: string
  /** Its websocket path is the key itself, so the address is never logged. */
  invoiceKey: string
  clock: Clock
  log: Log
  /**
   * Something may have been paid: this hash, or no telling which. Never a fact: anybody can send
   * anything under any name there (trap 8), so whoever hears it asks LNbits by hash.
   */
  onHint(paymentHash?: string): void
  /** The line is up, at first and again: what was said in between is lost, so catch up. */
  onUp(): void
  pingMs?: number
  /** Longest wait between two tries to connect, ms. */
  retryMsMax?: number
}

export interface PaymentEvents {
  start(): void
  stop(): Promise<void>
  state(): 'up' | 'down' | 'stopped'
}

const PING_MS = 20_000
const CONNECT_MS = 10_000
const RETRY_MS_MIN = 250
const RETRY_MS_MAX = 30_000

const noticeShape = z.object({
  payment: z.object({ payment_hash: z.string().regex(/^[0-9a-f]{64}$/), amount: z.number() }),
})

/**
 * Follows the wallet's websocket, `/api/v1/ws/{invoice key}`: pings it, and connects again with growing, jittered
 * pauses.
 */
export function watchPayments(options: PaymentEventsOptions): PaymentEvents {
  const { clock, log, onHint, onUp } = options
  const pingMs = options.pingMs ?? PING_MS
  const retryMsMax = options.retryMsMax ?? RETRY_MS_MAX
  const base = options.url.replace(/^http/, 'ws').replace(/\/+$/, '')
  const address = `${base}/api/v1/ws/${options.invoiceKey}`
  const stopping = new AbortController()
  let state: 'up' | 'down' | 'stopped' = 'down'
  let loop: Promise<void> | undefined

  const hear = (data: string) => {
    const notice = noticeShape.safeParse(looseJson(data))
    // LNbits tells what left too; only what came in is waited for here.
    if (notice.success && notice.data.payment.amount < 0) return
    onHint(notice.success ? notice.data.payment.payment_hash : undefined)
  }

  /** One connection from first to last; answers whether it was ever up. */
  const connectOnce = async (): Promise<boolean> => {
    const socket = new WebSocket(address, {
      handshakeTimeout: CONNECT_MS,
      maxPayload: LNBITS_EVENT_BYTES,
      perMessageDeflate: false,
      followRedirects: false,
    })
    const over = new AbortController()
    const end = () => over.abort()
    let wasUp = false
    let heardAtMs = clock.now()
    socket.on('error', end)
    socket.on('close', end)
    socket.on('pong', () => {
      heardAtMs = clock.now()
    })
    socket.on('message', (data, isBinary) => {
      heardAtMs = clock.now()
      if (!isBinary) hear(String(data))
    })
    socket.on('open', () => {
      wasUp = true
      heardAtMs = clock.now()
      state = 'up'
      log.info('the payment events of LNbits are on')
      onUp()
    })
    stopping.signal.addEventListener('abort', end)
    while (!over.signal.aborted) {
      await clock.sleep(pingMs, over.signal)
      if (over.signal.aborted || socket.readyState !== WebSocket.OPEN) continue
      // A line that has answered nothing for two pings is dead, whatever TCP believes.
      if (clock.now() - heardAtMs > 2 * pingMs + CONNECT_MS) end()
      else socket.ping()
    }
    stopping.signal.removeEventListener('abort', end)
    socket.terminate()
    if (state === 'up') {
      state = 'down'
      const text = 'the payment events of LNbits are off; payments are found by asking'
      if (!stopping.signal.aborted) log.warn(text)
    }
    return wasUp
  }

  const run = async () => {
    let retryMs = RETRY_MS_MIN
    while (!stopping.signal.aborted) {
      retryMs = (await connectOnce()) ? RETRY_MS_MIN : Math.min(retryMs * 2, retryMsMax)
      // Jittered, so that all replicas do not come back to a restarted LNbits in one moment.
      await clock.sleep(Math.round(retryMs * (0.5 + Math.random() / 2)), stopping.signal)
    }
  }

  return {
    start() {
      if (!stopping.signal.aborted) loop ??= run()
    },
    async stop() {
      stopping.abort()
      await loop
      state = 'stopped'
    },
    state: () => state,
  }
}
