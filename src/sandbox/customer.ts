import { randomUUID } from 'node:crypto'
import { type Clock, unixSeconds } from '../clock.ts'
import { REPLIES_KEPT, SEEN_EVENTS, WRAP_BACKDATE_SECONDS } from '../limits.ts'
import type { Log } from '../log.ts'
import { loadCurve } from '../nostr/curve.ts'
import { tagValue, verifyEvent } from '../nostr/event.ts'
import { GIFT_WRAP_KIND, makeRumor, openGiftWrap, wrapRumor } from '../nostr/giftwrap.ts'
import { createIdentity } from '../nostr/identity.ts'
import { createPublisher } from '../nostr/publisher.ts'
import { connectRelay, type Relay } from '../nostr/relay.ts'
import { createRelayLists } from '../nostr/relay-lists.ts'
import { createSeen } from '../nostr/seen.ts'
import type { Identity, NostrEvent } from '../nostr/types.ts'

/** A DM of the bot, opened. */
export interface Letter {
  text: string
  /** Id of the message it answers, where it says one. */
  about: string | undefined
  /** When it arrived here, Unix milliseconds. */
  at: number
}

/** Somebody with a key and a plain NIP-17 client: no other way to the bot than its relays. */
export interface Customer {
  readonly pubkey: string
  /**
   * Says where it reads (kind 10050) and begins to read. False when no relay could be reached
   * within `timeoutMs`.
   */
  begin(timeoutMs: number): Promise<boolean>
  /** Sends a DM to the bot's own DM relays. Answers its id, undefined when no relay took it. */
  say(text: string): Promise<string | undefined>
  /** The next DM that answers the message `about`; undefined after `timeoutMs` or on abort. */
  hear(about: string, timeoutMs: number, signal: AbortSignal): Promise<Letter | undefined>
  stop(): Promise<void>
}

export interface CustomerOptions {
  /** 32 bytes. */
  secret: Uint8Array
  /** The bot's public key, hex. */
  bot: string
  /** Where this customer reads. */
  relays: readonly string[]
  clock: Clock
  log: Log
}

const PUBLISH_MS = 5_000
/** The bot's relays and our own, each on its own line, and a few that its list names. */
const CONNECTIONS = 8

/** A NIP-17 client of one conversation. It keeps nothing and verifies everything. */
export async function createCustomer(options: CustomerOptions): Promise<Customer> {
  const { bot, clock, log } = options
  const { curve } = await loadCurve()
  const identity = createIdentity(curve, options.secret)
  const verify = (event: NostrEvent) => verifyEvent(curve, event)
  const common = { identity, clock, log, verify }
  const own = options.relays.map((url) => connectRelay({ ...common, url }))
  const urls = own.map((relay) => relay.url)
  const connect = (url: string) => connectRelay({ ...common, url, guard: !urls.includes(url) })
  const publisher = createPublisher({ own, connect, clock, log, maxAdhoc: CONNECTIONS })
  const lists = createRelayLists({ fetchFrom: () => own, clock, log, verify, trusted: urls })
  const letters = createLetters(clock)

  return {
    pubkey: identity.pubkey,
    async begin(timeoutMs) {
      const listening = own.map((relay) => listen(relay, identity, bot, clock, letters.add))
      const ready = await withinTime(clock, timeoutMs, Promise.any(listening))
      if (!ready) return false
      const list = identity.sign({
        kind: 10_050,
        created_at: unixSeconds(clock),
        tags: urls.map((url) => ['relay', url]),
        content: '',
      })
      return acknowledged(await publisher.publish(carried(list), urls, PUBLISH_MS))
    },
    async say(text) {
      const { dm } = await lists.lookup(bot)
      const relays = dm.state === 'found' && dm.urls.length > 0 ? [...dm.urls] : urls
      const rumor = makeRumor(identity.pubkey, {
        kind: 14,
        created_at: unixSeconds(clock),
        // The same words twice in a second would be one message, and the second never answered.
        tags: [
          ['p', bot],
          ['nonce', randomUUID()],
        ],
        content: text,
      })
      const wrap = wrapRumor({ identity, rumor, to: bot, nowSeconds: unixSeconds(clock) })
      const answers = await publisher.publish(carried(wrap), relays, PUBLISH_MS)
      return acknowledged(answers) ? rumor.id : undefined
    },
    hear: letters.next,
    async stop() {
      await publisher.stop()
      await Promise.all(own.map((relay) => relay.stop()))
    },
  }
}

const carried = (event: NostrEvent) => ({ id: event.id, json: JSON.stringify(event) })

const acknowledged = (answers: ReadonlyMap<string, { outcome: string }>): boolean =>
  [...answers.values()].some(({ outcome }) => outcome === 'acknowledged')

/** Reads what is addressed to us on one relay; resolves when the relay has answered once. */
function listen(
  relay: Relay,
  identity: Identity,
  bot: string,
  clock: Clock,
  add: (rumorId: string, letter: Letter) => void,
): Promise<true> {
  // Wraps are back-dated, so what is new cannot be told from their date: all are opened.
  const since = unixSeconds(clock) - WRAP_BACKDATE_SECONDS
  return new Promise((resolve) => {
    relay.subscribe({
      filters: [{ kinds: [GIFT_WRAP_KIND], '#p': [identity.pubkey], since }],
      onEose: () => resolve(true),
      onEvent(wrap) {
        const opened = openGiftWrap({
          wrap,
          identity,
          nowSeconds: unixSeconds(clock),
          verified: true,
        })
        if (!opened.ok || opened.sender !== bot || opened.rumor.kind !== 14) return
        const { id, content } = opened.rumor
        add(id, { text: content, about: tagValue(opened.rumor, 'e'), at: clock.now() })
      },
    })
  })
}

/** What arrived and nobody has asked for yet; each message once, by however many relays it came. */
function createLetters(clock: Clock) {
  const seen = createSeen(SEEN_EVENTS)
  const waiting: Letter[] = []
  let arrived = new AbortController()
  return {
    add(rumorId: string, letter: Letter): void {
      if (seen.has(rumorId, '')) return
      seen.add(rumorId, '')
      waiting.push(letter)
      if (waiting.length > REPLIES_KEPT) waiting.shift()
      arrived.abort()
      arrived = new AbortController()
    },
    async next(about: string, timeoutMs: number, signal: AbortSignal): Promise<Letter | undefined> {
      const until = clock.now() + timeoutMs
      while (true) {
        const place = waiting.findIndex((letter) => letter.about === about)
        if (place >= 0) return waiting.splice(place, 1)[0]
        const leftMs = until - clock.now()
        if (leftMs <= 0 || signal.aborted) return undefined
        await clock.sleep(leftMs, AbortSignal.any([arrived.signal, signal]))
      }
    },
  }
}

async function withinTime(clock: Clock, ms: number, work: Promise<true>): Promise<boolean> {
  const done = new AbortController()
  try {
    return await Promise.race([work, clock.sleep(ms, done.signal).then(() => false)])
  } finally {
    done.abort()
  }
}
