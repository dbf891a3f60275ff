import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { loadCurve } from '../../src/nostr/curve.ts'
import { createIdentity } from '../../src/nostr/identity.ts'
import { connectRelay } from '../../src/nostr/relay.ts'
import type { Curve, NostrEvent } from '../../src/nostr/types.ts'

/** What comes at once: junk with true signatures on a relay in use, rubbish from a relay that is an enemy. */
export interface Flood extends AsyncDisposable {
  /** The enemy, for the daemon's list of relays. */
  readonly url: string
  /** Begins, or goes on at another strength; 1 is 100 junk wraps and 2,000 useless events a second. */
  set(strength: number): void
  /** How much went out so far. */
  sent(): { junk: number; useless: number }
}

const TICK_MS = 10
const JUNK_PER_TICK = 1
const USELESS_PER_TICK = 20
const JUNK_BYTES = 800
/** Events the enemy repeats; a copy of each has a broken signature. */
const KEPT = 100
const PUBLISH_MS = 10_000

export async function startFlood(options: { bot: string; relay: string }): Promise<Flood> {
  const { curve } = await loadCurve()
  const enemy = await startEnemy(useless(curve, options.bot))
  const relay = connectRelay({
    ...{ url: options.relay, verify: () => true, clock: systemClock, log: silentLog },
  })
  let strength = 0
  let junk = 0
  let ticks = 0
  const began = performance.now()
  const timer = setInterval(() => {
    // A timer that comes late makes up for it, or the flood would be weaker than it says.
    const due = Math.floor((performance.now() - began) / TICK_MS)
    for (; ticks < due; ticks += 1) {
      enemy.send(USELESS_PER_TICK * strength)
      for (let count = 0; count < JUNK_PER_TICK * strength; count += 1) {
        junk += 1
        void relay.publish(junkWrap(curve, options.bot), PUBLISH_MS)
      }
    }
  }, TICK_MS)
  return {
    url: enemy.url,
    set(next) {
      strength = next
    },
    sent: () => ({ junk, useless: enemy.sent() }),
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await relay.stop()
      await enemy.stop()
    },
  }
}

/** A wrap for the bot whose signature holds and whose content is noise: only decrypting it tells. */
export function junkWrap(curve: Curve, bot: string): NostrEvent {
  const content = Buffer.concat([Buffer.of(2), randomBytes(JUNK_BYTES)]).toString('base64')
  return createIdentity(curve, randomBytes(32)).sign({
    ...{ kind: 1_059, created_at: Math.floor(Date.now() / 1000), tags: [['p', bot]], content },
  })
}

/** Frames without their subscription: true wraps again and again, forged copies of them, and no events at all. */
function useless(curve: Curve, bot: string): string[] {
  const wraps = Array.from({ length: KEPT }, () => junkWrap(curve, bot))
  return wraps.flatMap((wrap) => [
    JSON.stringify(wrap),
    JSON.stringify({ ...wrap, sig: `${wrap.sig.slice(0, -4)}0000` }),
    JSON.stringify({ ...wrap, id: wrap.id.toUpperCase() }),
    JSON.stringify({ ...wrap, kind: 1 }),
  ])
}

async function startEnemy(events: readonly string[]) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
  await new Promise((resolve) => server.once('listening', resolve))
  const subs = new Map<WebSocket, string>()
  let sent = 0
  server.on('connection', (socket) => {
    socket.on('error', () => {})
    socket.on('close', () => subs.delete(socket))
    socket.on('message', (data) => {
      const [type, id, filter] = JSON.parse(String(data))
      if (type !== 'REQ') return
      if (filter.kinds?.includes(1_059)) subs.set(socket, id)
      socket.send(JSON.stringify(['EOSE', id]))
    })
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `ws://127.0.0.1:${port}`,
    sent: () => sent,
    send(count: number) {
      for (const [socket, id] of subs) {
        // What the daemon does not read is not piled up here: this process is measured too.
        if (socket.readyState !== WebSocket.OPEN || socket.bufferedAmount > 8_000_000) continue
        for (let each = 0; each < count; each += 1) {
          socket.send(`["EVENT","${id}",${events[sent % events.length]}]`)
          sent += 1
        }
      }
    },
    stop() {
      for (const socket of server.clients) socket.terminate()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
