import { clearRelays, encryptionOf, feedback, readJobRequest, result } from '../doors/nip90.ts'
import type { Reply } from '../doors/protocol.ts'
import { statusLine } from '../doors/replies.ts'
import { splitText } from '../doors/split.ts'
import { decryptersOf } from '../nostr/decrypters.ts'
import { encryptNip04 } from '../nostr/nip04.ts'
import { encrypt as encryptNip44 } from '../nostr/nip44.ts'
import type { EventTemplate, Identity, NostrEvent } from '../nostr/types.ts'
import type { OutboxRow } from '../store/outbox.ts'

/**
 * A reply to a job request of NIP-90: a result is kind 6050, everything else is feedback, and amounts are
 * millisats. A result is cut into parts of at most `maxBytes`; `frameBytes` is the largest frame.
 */
export function jobEvents(
  row: OutboxRow,
  request: NostrEvent,
  identity: Identity,
  { maxBytes, frameBytes }: { maxBytes: number; frameBytes: number },
): EventTemplate[] {
  const reply = row.reply as Reply
  const { createdAt } = row
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
  const texts = splitText(reply.result, maxBytes)
  return texts.map((text, place) =>
    result({
      request,
      result: text,
      amountMsat: reply.chargeSats * 1000,
      createdAt,
      encrypt,
      part: place + 1,
      parts: texts.length,
      frameBytes,
    }),
  )
}

/** Where a request asks for its answers; an encrypted one may say so inside. Not checked. */
export function wantedRelays(request: NostrEvent, identity: Identity): readonly string[] {
  if (!encryptionOf(request)) return clearRelays(request)
  const read = readJobRequest(request, { pubkey: identity.pubkey, ...decryptersOf(identity) })
  return read.ok ? read.relays : clearRelays(request)
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
