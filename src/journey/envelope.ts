import { type Clock, unixSeconds } from '../clock.ts'
import { alertText } from '../doors/alerts.ts'
import { encryptionOf, feedback, result } from '../doors/nip90.ts'
import type { Reply } from '../doors/protocol.ts'
import { renderReply, statusLine } from '../doors/replies.ts'
import { splitText } from '../doors/split.ts'
import { CUSTOMER_RELAYS } from '../limits.ts'
import { parseEvent } from '../nostr/event.ts'
import { GIFT_WRAP_KIND, makeRumor, wrapRumor } from '../nostr/giftwrap.ts'
import { encryptNip04 } from '../nostr/nip04.ts'
import { encrypt as encryptNip44 } from '../nostr/nip44.ts'
import type { RelayLists } from '../nostr/relay-lists.ts'
import type { EventTemplate, Identity, NostrEvent } from '../nostr/types.ts'
import type { Sql } from '../store/database.ts'
import { readMessageRow } from '../store/inbox.ts'
import type { OutboxRow } from '../store/outbox.ts'
import type { SignedReply } from './deliver.ts'

export type DmFallback = 'strict' | 'nip65' | 'nip65+inbound'

export interface EnvelopeOptions {
  sql: Sql
  identity: Identity
  clock: Clock
  lookup(pubkey: string): Promise<RelayLists>
  /** Makes a URL from the network fit to be connected to, or refuses it. */
  checkRelay(url: string): string | undefined
  /** The operator's own relays. */
  ownRelays: readonly string[]
  fallback: DmFallback
}

/** Claims of a reply that wait for the customer's relay list before the fallback is used. */
const LOOKUP_TRIES = 3

/** Signs replies for the door they go out by, and finds where their customer reads. */
export function createEnvelope(options: EnvelopeOptions) {
  const { identity, clock } = options

  return async function sign(row: OutboxRow): Promise<SignedReply> {
    const message =
      row.rumorId === null || row.rumorAt === null
        ? undefined
        : await readMessageRow(options.sql, { rumorAt: row.rumorAt, rumorId: row.rumorId })
    if (row.via === 'nip90') return forJobRequest(row, message)
    const lists = await options.lookup(row.customer)
    if (row.via === 'nip04') {
      const relays = [...lists.read.urls, ...arrival(message), ...options.ownRelays]
      return signed(
        textsOf(row).map((text) => legacyEvent(row, text)),
        relays,
      )
    }
    const relays = dmRelays(row, lists, message)
    return signed(
      textsOf(row).map((text) => wrap(row, text, relays[0])),
      relays,
    )
  }

  function signed(events: NostrEvent[], relays: readonly string[]): SignedReply {
    return {
      events: events.map((event) => ({ id: event.id, json: JSON.stringify(event) })),
      relays: [...new Set(relays)],
    }
  }

  /** NIP-17: the customer's kind 10050, else the documented fallback; a failed lookup is not an absent list. */
  function dmRelays(row: OutboxRow, lists: RelayLists, message: MessageRow): string[] {
    if (lists.dm.state === 'found' && lists.dm.urls.length > 0) {
      return lists.dm.urls.slice(0, CUSTOMER_RELAYS)
    }
    if (lists.dm.state === 'failed' && row.tries < LOOKUP_TRIES) {
      throw new Error("the customer's relay list could not be looked up")
    }
    // Without a request to answer there is no relay the customer is known to read.
    if (row.rumorId === null || options.fallback === 'strict') return [...options.ownRelays]
    const inbound =
      options.fallback === 'nip65+inbound' ? [...arrival(message), ...options.ownRelays] : []
    const relays = [...lists.read.urls.slice(0, CUSTOMER_RELAYS), ...inbound]
    return relays.length > 0 ? relays : [...options.ownRelays]
  }

  function arrival(message: MessageRow): string[] {
    const url = message?.relay ? options.checkRelay(message.relay) : undefined
    return url === undefined ? [] : [url]
  }

  /** The rumor is dated by its row, so that it is the same message whoever wraps it. */
  function wrap(row: OutboxRow, text: string, relay: string | undefined): NostrEvent {
    const rumor = makeRumor(identity.pubkey, {
      kind: 14,
      created_at: row.createdAt,
      tags: [['p', row.customer], ...(row.rumorId === null ? [] : [['e', row.rumorId]])],
      content: text,
    })
    return wrapRumor({
      identity,
      rumor,
      to: row.customer,
      nowSeconds: unixSeconds(clock),
      ...(relay === undefined ? {} : { relayHint: relay }),
    })
  }

  function legacyEvent(row: OutboxRow, text: string): NostrEvent {
    return identity.sign({
      kind: 4,
      created_at: row.createdAt,
      tags: [['p', row.customer], ...(row.rumorId === null ? [] : [['e', row.rumorId]])],
      content: encryptNip04(identity, row.customer, text),
    })
  }

  function forJobRequest(row: OutboxRow, message: MessageRow): SignedReply {
    const request = parseEvent(JSON.parse(message?.proof ?? 'null'))
    if (!request) throw new Error(`the job request of reply ${row.id} is not in the inbox`)
    const wanted = request.tags.flatMap(([name, ...urls]) => (name === 'relays' ? urls : []))
    const relays = wanted.flatMap((url) => options.checkRelay(url) ?? []).slice(0, CUSTOMER_RELAYS)
    const templates = jobEvents(row, request, identity)
    return signed(
      templates.map((template) => identity.sign(template)),
      [...options.ownRelays, ...arrival(message), ...relays],
    )
  }
}

type MessageRow = { relay: string | null; proof: string | null } | undefined

function textsOf(row: OutboxRow): string[] {
  const alert = alertText(row.reply)
  if (alert !== undefined) return [alert]
  return renderReply(row.reply as Reply, {
    form: row.form,
    ...(row.programId === null ? {} : { id: row.programId }),
  })
}

/** NIP-90: a result is kind 6050, everything else is feedback. Amounts are millisats there. */
function jobEvents(row: OutboxRow, request: NostrEvent, identity: Identity): EventTemplate[] {
  const reply = row.reply as Reply
  const createdAt = row.createdAt
  if (reply.type !== 'result') {
    const invoice = reply.type === 'invoice' ? reply : undefined
    return [
      feedback({
        request,
        status: statusOf(reply),
        message: statusLine(reply),
        amountMsat: invoice && invoice.chargeSats * 1000,
        bolt11: invoice?.bolt11,
        createdAt,
      }),
    ]
  }
  const encrypt = encrypterOf(request, identity)
  const texts = splitText(reply.result)
  return texts.map((text, place) =>
    result({
      request,
      result: text,
      amountMsat: reply.chargeSats * 1000,
      createdAt,
      encrypt,
      part: place + 1,
      parts: texts.length,
    }),
  )
}

function statusOf(reply: Reply) {
  if (reply.type === 'invoice') return 'payment-required'
  if (reply.type === 'working') return 'processing'
  return reply.type === 'balance' ? 'success' : 'error'
}

/** Answers in the scheme the request came in. */
function encrypterOf(request: NostrEvent, identity: Identity) {
  const scheme = encryptionOf(request)
  if (!scheme) return undefined
  return (peer: string, text: string) =>
    scheme === 'nip04'
      ? encryptNip04(identity, peer, text)
      : encryptNip44(text, identity.conversationKey(peer))
}

/** Kinds the bot listens to by DM: gift wraps and the legacy kind 4. */
export const DM_KINDS = [GIFT_WRAP_KIND, 4]
