import { WebSocket } from 'ws'
import { systemClock, unixSeconds } from '../../../src/clock.ts'
import { tagValue } from '../../../src/nostr/event.ts'
import { GIFT_WRAP_KIND, openGiftWrap } from '../../../src/nostr/giftwrap.ts'
import type { Identity, NostrEvent } from '../../../src/nostr/types.ts'
import type { SandboxRelay } from '../../../src/sandbox/relay.ts'
import type { Heard } from '../../support/checkers.ts'

/** The customers' side of the relays: what they send arrives in the end, and what is stored for them they read. */
export interface Post {
  /** Resolves when one relay has it. */
  send(event: NostrEvent): Promise<void>
  /** Every reply so far, in the order of its coming; each wrap once, by however many relays it came. */
  readonly heard: readonly Heard[]
  /** The replies to one message. */
  about(rumorId: string): readonly Heard[]
  /** Reads what is there by now. */
  read(): void
  stop(): void
}

const READ_EVERY_MS = 100
const SEND_AGAIN_MS = 700

export function openPost(
  relays: readonly SandboxRelay[],
  { bot, customers }: { bot: string; customers: ReadonlyMap<string, Identity> },
): Post {
  const stopping = new AbortController()
  const seen = new Set<string>()
  const heard: Heard[] = []
  const byAbout = new Map<string, Heard[]>()

  function read(): void {
    for (const relay of relays) {
      for (const event of relay.events()) {
        if (seen.has(event.id)) continue
        seen.add(event.id)
        const reply = event.kind === GIFT_WRAP_KIND ? opened(event) : undefined
        if (!reply) continue
        heard.push(reply)
        byAbout.set(reply.about, [...(byAbout.get(reply.about) ?? []), reply])
      }
    }
  }

  function opened(wrap: NostrEvent): Heard | undefined {
    const customer = tagValue(wrap, 'p') ?? ''
    const identity = customers.get(customer)
    if (!identity) return undefined
    const nowSeconds = unixSeconds(systemClock)
    const letter = openGiftWrap({ wrap, identity, nowSeconds, verified: true })
    if (!letter.ok || letter.sender !== bot) return undefined
    const { id, content } = letter.rumor
    const about = tagValue(letter.rumor, 'e') ?? ''
    return { customer, rumorId: id, about, reply: JSON.parse(content) }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      read()
      await systemClock.sleep(READ_EVERY_MS, stopping.signal)
    }
  }

  void run()
  return {
    heard,
    about: (rumorId) => byAbout.get(rumorId) ?? [],
    read,
    async send(event) {
      const text = JSON.stringify(['EVENT', event])
      while (!seen.has(event.id) && !stopping.signal.aborted) {
        for (const relay of relays) sendOnce(relay.url, text)
        await systemClock.sleep(SEND_AGAIN_MS, stopping.signal)
      }
    },
    stop: () => stopping.abort(),
  }
}

/** A connection of its own for each letter: relays cut them at any time. */
function sendOnce(url: string, text: string): void {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  socket.on('error', () => {})
  socket.on('open', () => socket.send(text, () => socket.close()))
}
