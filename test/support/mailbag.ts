import { once } from 'node:events'
import { WebSocket } from 'ws'
import { loadCurve } from '../../src/nostr/curve.ts'
import { tagValue } from '../../src/nostr/event.ts'
import { GIFT_WRAP_KIND, makeRumor, openGiftWrap, wrapRumor } from '../../src/nostr/giftwrap.ts'
import { createIdentity } from '../../src/nostr/identity.ts'
import type { Identity, NostrEvent } from '../../src/nostr/types.ts'
import type { SandboxRelay } from '../../src/sandbox/relay.ts'
import type { Asked, Heard } from './checkers.ts'
import type { Seeded } from './seeded.ts'
import { until } from './until.ts'

/** Customers with real keys, and letters that they wrote at any time. */
export interface Mailbag {
  customers: readonly Identity[]
  /** Every letter so far. */
  asked: readonly Asked[]
  /** A wrap of a request written at `at`, and sent then or at `sentAt`, Unix seconds. */
  write(from: Identity, request: object, times: { at: number; sentAt?: number }): NostrEvent
  /** What says where a customer reads. */
  relayList(customer: Identity, urls: readonly string[], at: number): NostrEvent
  /** Opens what a relay holds for the customers; each message once. */
  open(relays: readonly SandboxRelay[], nowSeconds: number): Heard[]
}

export async function mailbag(
  bot: Identity,
  { count, random }: { count: number; random: Seeded },
): Promise<Mailbag> {
  const { curve } = await loadCurve()
  const customers = Array.from({ length: count }, () => createIdentity(curve, random.bytes(32)))
  const byKey = new Map(customers.map((identity) => [identity.pubkey, identity]))
  const asked: Asked[] = []
  return {
    customers,
    asked,
    write(identity, request, { at, sentAt = at }) {
      const isJob = 'type' in request && request.type === 'job'
      const rumor = makeRumor(identity.pubkey, {
        kind: 14,
        created_at: at,
        tags: [['p', bot.pubkey]],
        content: JSON.stringify({ ...request, nonce: random.int(2 ** 40) }),
      })
      asked.push({ customer: identity.pubkey, rumorId: rumor.id, isJob })
      return wrapRumor({ identity, rumor, to: bot.pubkey, nowSeconds: sentAt })
    },
    relayList: (customer, urls, at) =>
      customer.sign({
        kind: 10_050,
        created_at: at,
        tags: urls.map((url) => ['relay', url]),
        content: '',
      }),
    open(relays, nowSeconds) {
      const seen = new Set<string>()
      const wraps = relays.flatMap((relay) => relay.events())
      return wraps.flatMap((wrap): Heard[] => {
        const identity = byKey.get(tagValue(wrap, 'p') ?? '')
        if (wrap.kind !== GIFT_WRAP_KIND || !identity || seen.has(wrap.id)) return []
        seen.add(wrap.id)
        const opened = openGiftWrap({ wrap, identity, nowSeconds, verified: true })
        if (!opened.ok || opened.sender !== bot.pubkey) throw new Error('a reply cannot be opened')
        const { id: rumorId, content } = opened.rumor
        const about = tagValue(opened.rumor, 'e') ?? ''
        return [{ customer: identity.pubkey, rumorId, about, reply: JSON.parse(content) }]
      })
    },
  }
}

/** Puts events on a relay over one socket. */
export async function fill(relay: SandboxRelay, events: readonly NostrEvent[]): Promise<void> {
  const socket = new WebSocket(relay.url, { perMessageDeflate: false })
  await once(socket, 'open')
  const before = relay.events().length
  for (const event of events) socket.send(JSON.stringify(['EVENT', event]))
  await until('the relay has them', () => relay.events().length >= before + events.length)
  socket.terminate()
}
