import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { Clock } from '../clock.ts'
import { parseJson } from '../json.ts'
import { RELAY_FRAME_BYTES } from '../limits.ts'
import { loadCurve } from '../nostr/curve.ts'
import { parseEvent, verifyEvent } from '../nostr/event.ts'
import type { NostrEvent } from '../nostr/types.ts'

/** A pool status as a subscriber has read and verified it. */
export interface PoolReading {
  seq: number
  balanceSats: number
  state: string
  eventId: string
}

/** Reads the content of a verified event; undefined when it is no pool status. */
export type ReadStatus = (event: NostrEvent) => Omit<PoolReading, 'eventId'> | undefined

/** Somebody who only watches: one socket, one REQ, no library. */
export interface Subscriber {
  /** The first status from now on that shows the ledger up to `seq`; undefined after `timeoutMs`. */
  statusFrom(seq: number, timeoutMs: number): Promise<PoolReading | undefined>
  stop(): Promise<void>
}

export async function subscribe(
  options: { relay: string; bot: string; clock: Clock },
  read: ReadStatus,
): Promise<Subscriber> {
  const { relay, bot, clock } = options
  const { curve } = await loadCurve()
  const socket = new WebSocket(relay, { maxPayload: RELAY_FRAME_BYTES, perMessageDeflate: false })
  let latest: PoolReading | undefined
  let arrived = new AbortController()
  socket.on('error', () => {})
  socket.on('message', (data) => {
    const frame = parseJson(String(data))
    const event = frame.ok && Array.isArray(frame.value) ? parseEvent(frame.value[2]) : undefined
    // A relay may say anything: author and signature are what counts.
    if (event?.pubkey !== bot || !verifyEvent(curve, event)) return
    const status = read(event)
    if (!status || (latest && status.seq < latest.seq)) return
    latest = { ...status, eventId: event.id }
    arrived.abort()
    arrived = new AbortController()
  })
  await once(socket, 'open')
  const filter = { kinds: [30_078], authors: [bot], '#d': ['tithe/pool-status'] }
  socket.send(JSON.stringify(['REQ', 'pool', filter]))

  return {
    async statusFrom(seq, timeoutMs) {
      const until = clock.now() + timeoutMs
      while (clock.now() < until) {
        if (latest && latest.seq >= seq) return latest
        await clock.sleep(until - clock.now(), arrived.signal)
      }
      return undefined
    },
    async stop() {
      if (socket.readyState === WebSocket.CLOSED) return
      const closed = once(socket, 'close')
      socket.close()
      await closed
    },
  }
}
