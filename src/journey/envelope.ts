import { type Clock, unixSeconds } from '../clock.ts'
import { alertText } from '../doors/alerts.ts'
import type { Reply } from '../doors/protocol.ts'
import { renderReply } from '../doors/replies.ts'
import { CUSTOMER_RELAYS, REPLY_BYTES, REPLY_PART_BYTES } from '../limits.ts'
import { parseEvent } from '../nostr/event.ts'
import { makeRumor, wrapRumor } from '../nostr/giftwrap.ts'
import { encryptNip04 } from '../nostr/nip04.ts'
import { minePow, wrapRumorMined } from '../nostr/pow.ts'
import type { RelayLists } from '../nostr/relay-lists.ts'
import type { EventTemplate, Identity, NostrEvent } from '../nostr/types.ts'
import type { Sql } from '../store/database.ts'
import { readMessageRow } from '../store/inbox.ts'
import type { OutboxRow } from '../store/outbox.ts'
import { jobEvents, wantedRelays } from './envelope-job.ts'
import type { SignedReply } from './signed.ts'

export type DmFallback = 'strict' | 'nip65' | 'nip65+inbound'

export interface EnvelopeOptions {
  sql: Sql
  identity: Identity
  clock: Clock
  lookup(pubkey: string): Promise<RelayLists>
  /** What a look-up would answer by now; one begins when there is no answer yet. */
  known(pubkey: string): RelayLists | undefined
  /** Makes a URL from the network fit to be connected to, or refuses it. */
  checkRelay(url: string): string | undefined
  /** The operator's own relays. */
  ownRelays: readonly string[]
  /** The largest frame that all of these relays take, as far as they have said (NIP-11). */
  frameBytes(relays: readonly string[]): number
  /** Bits of proof of work that one of them wants of an event (NIP-11, NIP-13). */
  powBits?(relays: readonly string[]): number
  /** Whether any relay can be asked; true when absent. */
  isConnected?(): boolean
  fallback: DmFallback
}

/** Claims of a reply that wait for the customer's relay list before the fallback is used. */
const LOOKUP_TRIES = 3

export interface Envelope {
  /**
   * Throws when the customer's relays cannot be looked up. `powBits` is the proof of work that a relay asked for, 0 to
   * 20 bits (NIP-13); relays of the operator say so themselves (NIP-11).
   */
  sign(row: OutboxRow, powBits?: number): Promise<SignedReply>
  /**
   * Signs a NIP-17 reply whose customer's own list of relays is at hand, without asking or waiting for anything;
   * undefined for others.
   */
  signAtOnce(row: OutboxRow): Promise<SignedReply | undefined>
}

/** Signs replies for the door they go out by, and finds where their customer reads. */
export function createEnvelope(options: EnvelopeOptions): Envelope {
  const { identity } = options
  const wrap = wrapper(options)
  const signOwn = signer(options)
  const bitsFor = (relays: readonly string[]) => options.powBits?.(relays) ?? 0

  return {
    async sign(row, powBits = 0) {
      if (row.via === 'nip90') return forJobRequest(row, await messageOf(row), powBits)
      return asDm(row, await options.lookup(row.customer), powBits)
    },
    async signAtOnce(row) {
      if (row.via !== 'nip17') return undefined
      const lists = options.known(row.customer)
      if (!lists || !isListed(lists) || bitsFor(lists.dm.urls) > 0) return undefined
      return asDm(row, lists, 0)
    },
  }

  async function asDm(row: OutboxRow, lists: RelayLists, asked: number): Promise<SignedReply> {
    if (isBotTalk(row, lists)) return { events: [], relays: [] }
    if (row.via === 'nip04') {
      const arrived = arrival(await messageOf(row))
      const relays = [...lists.read.urls, ...arrived, ...options.ownRelays]
      return signed(relays, { asked }, (maxBytes, bits) =>
        signOwn(
          textsOf(row, maxBytes).map((text) => legacyEvent(identity, row, text)),
          bits,
        ),
      )
    }
    // Who says where it reads is written to there, wherever its message came from.
    const arrived = isListed(lists) ? [] : arrival(await messageOf(row))
    const relays = dmRelays(row, lists, arrived, options)
    return signed(relays, { asked }, (maxBytes, bits) =>
      Promise.all(
        textsOf(row, maxBytes).map((text) => wrap(row, text, { relay: relays[0], bits })),
      ),
    )
  }

  async function messageOf({ rumorId, rumorAt }: OutboxRow): Promise<MessageRow> {
    if (rumorId === null || rumorAt === null) return undefined
    return readMessageRow(options.sql, { rumorAt, rumorId })
  }

  /** Makes the events in parts so small that each relay takes the frame it travels in. */
  async function signed(
    urls: readonly string[],
    { asked, startBytes = REPLY_BYTES }: { asked: number; startBytes?: number },
    make: (maxBytes: number, bits: number) => NostrEvent[] | Promise<NostrEvent[]>,
  ): Promise<SignedReply> {
    const relays = [...new Set(urls)]
    const frameBytes = options.frameBytes(relays)
    const bits = Math.max(asked, bitsFor(relays))
    let maxBytes = startBytes
    for (;;) {
      const made = await make(maxBytes, bits)
      const events = made.map((event) => ({ id: event.id, json: JSON.stringify(event) }))
      const fits = events.every(({ json }) => FRAME_BYTES + Buffer.byteLength(json) <= frameBytes)
      if (fits || maxBytes <= REPLY_PART_BYTES) return { events, relays }
      maxBytes = Math.max(REPLY_PART_BYTES, Math.floor(maxBytes * SHRINK))
    }
  }

  function arrival(message: MessageRow): string[] {
    const url = message?.relay ? options.checkRelay(message.relay) : undefined
    return url === undefined ? [] : [url]
  }

  async function forJobRequest(
    row: OutboxRow,
    message: MessageRow,
    asked: number,
  ): Promise<SignedReply> {
    const request = parseEvent(JSON.parse(message?.proof ?? 'null'))
    if (!request) throw new Error(`the job request of reply ${row.id} is not in the inbox`)
    const wanted = wantedRelays(request, identity).flatMap((url) => options.checkRelay(url) ?? [])
    const relays = [...options.ownRelays, ...arrival(message), ...wanted]
    const frameBytes = options.frameBytes(relays)
    // Clients of NIP-90 know no parts, so a result is only cut when it has to be.
    return signed(relays, { asked, startBytes: frameBytes }, (maxBytes, bits) =>
      signOwn(jobEvents(row, request, identity, { maxBytes, frameBytes }), bits),
    )
  }
}

const legacyEvent = (identity: Identity, row: OutboxRow, text: string): EventTemplate => ({
  kind: 4,
  created_at: row.createdAt,
  tags: [['p', row.customer], ...(row.rumorId === null ? [] : [['e', row.rumorId]])],
  content: encryptNip04(identity, row.customer, text),
})

/** Mining has a bound of its own, so that nothing needs to cut it short. */
const uncut = new AbortController().signal

/** Signs by the bot's own key; wraps have keys of their own. */
const signer =
  ({ identity, clock }: EnvelopeOptions) =>
  async (templates: EventTemplate[], bits: number): Promise<NostrEvent[]> => {
    if (bits === 0) return templates.map((template) => identity.sign(template))
    const { pubkey } = identity
    const mine = (template: EventTemplate) =>
      minePow({ ...template, pubkey }, bits, uncut, clock).then(identity.sign)
    return Promise.all(templates.map(mine))
  }

/** The rumor is dated by its row, so that it is the same message whoever wraps it. */
const wrapper =
  ({ identity, clock }: EnvelopeOptions) =>
  (
    row: OutboxRow,
    text: string,
    { relay, bits }: { relay: string | undefined; bits: number },
  ): NostrEvent | Promise<NostrEvent> => {
    const rumor = makeRumor(identity.pubkey, {
      kind: 14,
      created_at: row.createdAt,
      tags: [['p', row.customer], ...(row.rumorId === null ? [] : [['e', row.rumorId]])],
      content: text,
    })
    const request = {
      identity,
      rumor,
      to: row.customer,
      nowSeconds: unixSeconds(clock),
      ...(relay === undefined ? {} : { relayHint: relay }),
    }
    if (bits === 0) return wrapRumor(request)
    // The proof is part of the event's id: it is made once, like the wrap, before anything is stored.
    return wrapRumorMined({ ...request, bits, clock, signal: uncut })
  }

const isListed = ({ dm }: RelayLists): boolean => dm.state === 'found' && dm.urls.length > 0

/** NIP-17: the customer's kind 10050, else the documented fallback; a failed lookup is not an absent list. */
function dmRelays(
  row: OutboxRow,
  lists: RelayLists,
  arrival: readonly string[],
  { fallback, ownRelays, isConnected = () => true }: EnvelopeOptions,
): string[] {
  const { dm, read } = lists
  if (isListed(lists)) return dm.urls.slice(0, CUSTOMER_RELAYS)
  // Without any relay nothing could be delivered either, so that nothing is lost by waiting for one to ask.
  if (dm.state === 'failed' && (row.tries < LOOKUP_TRIES || !isConnected())) {
    throw new Error("the customer's relay list could not be looked up")
  }
  // Without a request to answer there is no relay the customer is known to read.
  if (row.rumorId === null || fallback === 'strict') return [...ownRelays]
  const inbound = fallback === 'nip65+inbound' ? [...arrival, ...ownRelays] : []
  const relays = [...read.urls.slice(0, CUSTOMER_RELAYS), ...inbound]
  return relays.length > 0 ? relays : [...ownRelays]
}

/** `["EVENT",…]` around an event. */
const FRAME_BYTES = 10
/** What parts are cut down by when a frame came out too large. */
const SHRINK = 0.75

/** Words to what says of itself that it is a bot would be answered, and answered again. Programs speak JSON. */
const isBotTalk = ({ form, rumorId }: OutboxRow, { profileIsBot }: RelayLists): boolean =>
  profileIsBot === true && form === 'words' && rumorId !== null

type MessageRow = { relay: string | null; proof: string | null } | undefined

function textsOf(row: OutboxRow, maxBytes: number): string[] {
  const alert = alertText(row.reply)
  if (alert !== undefined) return [alert]
  const to = { form: row.form, ...(row.programId === null ? {} : { id: row.programId }) }
  return renderReply(row.reply as Reply, to, { maxBytes })
}
