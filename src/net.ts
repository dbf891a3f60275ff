import { type Clock, unixSeconds } from './clock.ts'
import { JOB_REQUEST_KIND } from './doors/nip90.ts'
import { createBatcher } from './journey/batcher.ts'
import {
  ADHOC_CONNECTIONS,
  CUSTOMER_RELAYS,
  POW_BITS,
  PUBLISH_FRAME_BYTES,
  SEEN_EVENTS,
  WRAP_BACKDATE_SECONDS,
} from './limits.ts'
import type { Log } from './log.ts'
import { loadCurve } from './nostr/curve.ts'
import { verifyEvent } from './nostr/event.ts'
import { createFeed, type CursorStore } from './nostr/feed.ts'
import { type FetchedEvents, fetchEvents } from './nostr/fetch.ts'
import type { Opened, Refused } from './nostr/giftwrap.ts'
import { createHeartbeat } from './nostr/heartbeat.ts'
import { createIdentity } from './nostr/identity.ts'
import { createOpener } from './nostr/opener.ts'
import { createPublisher } from './nostr/publisher.ts'
import { connectRelay, type PublishOutcome, type Relay, type RelayState } from './nostr/relay.ts'
import { createRelayLists, type RelayLists } from './nostr/relay-lists.ts'
import { checkRelayUrl, usableRelayUrls } from './nostr/relay-url.ts'
import { createSeen } from './nostr/seen.ts'
import type { Filter, Identity, NostrEvent } from './nostr/types.ts'
import { profileEvents } from './operator/profile.ts'
import type { Sql } from './store/database.ts'
import { type Cursor, loadCursor, saveCursors } from './store/inbox.ts'

/** Everything of Nostr that the daemon keeps open. */
export interface Net {
  readonly identity: Identity
  readonly relays: readonly string[]
  /** `receive` answers whether the event is done with; one that is not is handed on again by a later connection. */
  start(receive: (event: NostrEvent, relay: string) => Promise<boolean>): void
  open(wrap: NostrEvent): Promise<Opened | Refused>
  lookup(pubkey: string): Promise<RelayLists>
  /** The same, if it is known without asking. */
  known(pubkey: string): RelayLists | undefined
  /** What is known of a key's profile by now (NIP-24); looking it up is begun and not waited for. */
  isBot(pubkey: string): boolean
  checkRelay(url: string): string | undefined
  /** The largest frame all of these relays take, as far as they said so (NIP-11). */
  frameBytes(urls: readonly string[]): number
  /** The proof of work that one of them wants, as far as they said so and it is worth doing (NIP-11, NIP-13). */
  powBits(urls: readonly string[]): number
  publish(
    event: { id: string; json: string },
    urls: string[],
    timeoutMs: number,
  ): Promise<Map<string, PublishOutcome>>
  /** Publishes to the operator's relays and waits for their answers. */
  publishOwn(event: NostrEvent): Promise<void>
  isConnected(): boolean
  /**
   * The operator's relays as they are now; `liveSince` is in milliseconds. One that takes messages for us and does
   * not bring them is not live, whatever its subscriptions say.
   */
  relayStates(): {
    url: string
    state: RelayState | 'withholding'
    liveSince: number | undefined
  }[]
  /**
   * What the operator's relays have stored, and those of `also` that a stranger's list may name. Never rejects.
   */
  fetch(filters: Filter[], options: FetchOptions): Promise<FetchedEvents>
  /** Calls `fn` whenever one of the operator's relays is connected, at first and again. */
  onConnected(fn: () => void): void
  stopReading(): Promise<void>
  stop(): Promise<void>
}

export interface FetchOptions {
  timeoutMs: number
  /** Further relays, connected for this alone. */
  also?: readonly string[] | undefined
  signal?: AbortSignal
}

export interface NetOptions {
  secret: Uint8Array
  relays: readonly string[]
  dmRelays: readonly string[]
  botName: string
  /** Bits of proof of work that a wrap must show, which the profile says. */
  powBits: number
  sql: Sql
  clock: Clock
  log: Log
}

/** Other events than gift wraps carry the date they were written, and a client without a network sends them later. */
const BACKDATE_SECONDS = 86_400
const OWN_PUBLISH_MS = 5_000
/** How often cursors are stored: what is read again after a start is dropped as a repeat. */
const ADVANCE_MS = 60_000
/** Events handed on and not yet committed at which a relay's silence proves nothing. */
const CALM_EVENTS = 100
/** Most cursors in one statement: streams times relays. */
const CURSOR_BATCH = 100
/** A wrap with an invoice is 4 KiB: a relay that takes less is of no use, or has its limit wrong. */
const FRAME_BYTES_MIN = 4_096

/** Connects to the operator's relays, and puts intake, look-ups and publishing on those connections. */
export async function buildNet(options: NetOptions): Promise<Net> {
  const { sql, clock, log, secret } = options
  const { curve } = await loadCurve()
  const identity = createIdentity(curve, secret)
  const verify = (event: NostrEvent) => verifyEvent(curve, event)
  const urls = [...new Set([...options.relays, ...options.dmRelays])]
  const common = { identity, clock, log, verify }
  const relays = urls.map((url) => connectRelay({ ...common, url }))
  const connect = (url: string) => connectRelay({ ...common, url, guard: !urls.includes(url) })
  const opener = createOpener({ identity, secret, workers: 'auto', clock, log })
  const maxAdhoc = ADHOC_CONNECTIONS
  const publisher = createPublisher({ own: relays, connect, clock, log, maxAdhoc })
  const lists = createRelayLists({ ...common, connect, fetchFrom: () => relays, trusted: urls })
  const publishOwn = async (event: NostrEvent) => {
    await publisher.publish({ id: event.id, json: JSON.stringify(event) }, urls, OWN_PUBLISH_MS)
  }
  introduce(options, identity, relays)
  let feed: ReturnType<typeof createFeed> | undefined
  const liveSince = (url: string) => feed?.liveSince(url)
  // With a queue before the database, what was sent may not have been read yet.
  const isCalm = () => (feed?.status().pending ?? 0) <= CALM_EVENTS
  const calmSince = (url: string) => (isCalm() ? liveSince(url) : undefined)
  const heartbeat = createHeartbeat({ identity, relays, clock, log, liveSince: calmSince })

  return {
    identity,
    relays: urls,
    start(receive) {
      const seen = createSeen(SEEN_EVENTS)
      feed = createFeed({
        relays,
        streams: streamsFor(identity.pubkey),
        cursors: cursorStore(sql),
        clock,
        log,
        advanceMs: ADVANCE_MS,
        known: seen.has,
        arrived: heartbeat.arrived,
        async onEvent(event, { relay }) {
          if (await receive(event, relay)) seen.add(event.id, event.sig)
        },
      })
      feed.start()
      heartbeat.start()
    },
    open: (wrap) => opener.open(wrap, { verified: true }),
    lookup: lists.lookup,
    known: lists.known,
    isBot: (pubkey) => lists.peek(pubkey)?.profileIsBot === true,
    frameBytes: (to) => Math.min(...to.map((url) => frameBytesOf(relays, url))),
    powBits: (to) => Math.max(0, ...to.map((url) => powBitsOf(relays, url))),
    checkRelay(url) {
      const checked = checkRelayUrl(url, { allow: urls })
      return checked.ok ? checked.url : undefined
    },
    publish: publisher.publish,
    publishOwn,
    isConnected: () => relays.some((relay) => relay.state() === 'open'),
    relayStates: () =>
      relays.map(({ url, state }) =>
        heartbeat.withholds(url)
          ? { url, state: 'withholding', liveSince: undefined }
          : { url, state: state(), liveSince: liveSince(url) },
      ),
    async fetch(filters, { also = [], ...limits }) {
      const others = usableRelayUrls(also, { allow: urls, max: CUSTOMER_RELAYS })
      const extra = others.filter((url) => !urls.includes(url)).map(connect)
      const found = await fetchEvents({ relays: [...relays, ...extra], filters, clock, ...limits })
      await Promise.all(extra.map((relay) => relay.stop()))
      return found
    },
    onConnected(fn) {
      for (const relay of relays) relay.onOpen((why) => why === 'opened' && fn())
    },
    async stopReading() {
      await Promise.all([heartbeat.stop(), feed?.stop()])
    },
    async stop() {
      await Promise.all([heartbeat.stop(), feed?.stop()])
      await Promise.all([opener.stop(), publisher.stop()])
      await Promise.all(relays.map((relay) => relay.stop()))
    },
  }
}

/** A relay that wants more than is done for a reply gets it as it is, and says no. */
function powBitsOf(relays: readonly Relay[], url: string): number {
  const wanted = relays.find((relay) => relay.url === url)?.info()?.powBitsMin ?? 0
  return wanted > POW_BITS ? 0 : wanted
}

/** Strangers' relays are not asked what they take; and no reply fits what some claim. */
function frameBytesOf(relays: readonly Relay[], url: string): number {
  const said = relays.find((relay) => relay.url === url)?.info()?.messageBytesMax
  return said === undefined || said < FRAME_BYTES_MIN
    ? PUBLISH_FRAME_BYTES
    : Math.min(PUBLISH_FRAME_BYTES, said)
}

/** Cursors that move together are stored in one statement. */
function cursorStore(sql: Sql): CursorStore {
  const saving = createBatcher<Cursor, void>({
    batchMax: CURSOR_BATCH,
    async write(cursors) {
      await saveCursors(sql, cursors)
      return cursors.map(() => undefined)
    },
    isOutage: () => true,
  })
  return {
    load: (relay, stream) => loadCursor(sql, relay, stream),
    save: (relay, stream, liveUntil) => saving.add({ relay, stream, liveUntil }),
  }
}

/** One REQ each: relays that protect DMs leave them out silently when they are asked for among other kinds. */
function streamsFor(pubkey: string) {
  const mine = { '#p': [pubkey] }
  return [
    { name: 'dm', filter: { kinds: [1059], ...mine }, backdateSeconds: WRAP_BACKDATE_SECONDS },
    { name: 'legacy', filter: { kinds: [4], ...mine }, backdateSeconds: BACKDATE_SECONDS },
    {
      name: 'jobs',
      filter: { kinds: [JOB_REQUEST_KIND], ...mine },
      backdateSeconds: BACKDATE_SECONDS,
    },
    { name: 'cancel', filter: { kinds: [5], ...mine }, backdateSeconds: BACKDATE_SECONDS },
    // Clients that take a job request back name its kind (NIP-09), and often not whom it was for.
    {
      name: 'cancel-jobs',
      filter: { kinds: [5], '#k': [String(JOB_REQUEST_KIND)] },
      backdateSeconds: BACKDATE_SECONDS,
    },
  ]
}

/** Says who the bot is, again on every connection: relays in memory forget it when they restart. */
function introduce(
  { botName, relays, dmRelays, powBits, clock, log }: NetOptions,
  identity: Identity,
  connections: readonly Relay[],
): void {
  const createdAt = unixSeconds(clock)
  const facts = { name: botName, relays, dmRelays, powBits, createdAt }
  const events = profileEvents(facts).map((template) => identity.sign(template))
  for (const relay of connections) {
    relay.onOpen(async (why) => {
      if (why !== 'opened') return
      const answers = await Promise.all(events.map((event) => relay.publish(event, OWN_PUBLISH_MS)))
      const refused = answers.filter(({ outcome }) => outcome !== 'acknowledged').length
      if (refused > 0) log.debug({ relay: relay.url, refused }, 'profile events were not taken')
    })
  }
}
