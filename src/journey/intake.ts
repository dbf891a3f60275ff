import { createHash } from 'node:crypto'
import { type Clock, unixSeconds } from '../clock.ts'
import { cancelTarget, JOB_REQUEST_KIND, readJobRequest } from '../doors/nip90.ts'
import type { ReplyOf } from '../doors/protocol.ts'
import type { RefusalFacts } from '../doors/texts-en.ts'
import { FUTURE_SECONDS } from '../limits.ts'
import { decryptersOf } from '../nostr/decrypters.ts'
import { isExpired } from '../nostr/event.ts'
import type { Opened, Refused } from '../nostr/giftwrap.ts'
import { committedPow } from '../nostr/pow.ts'
import type { Identity, NostrEvent, Rumor } from '../nostr/types.ts'
import type { Via } from '../store/inbox.ts'
import type { Incoming } from './request.ts'

/** A text that a customer sent, opened and verified; form and command are not yet read. */
export interface Letter {
  sender: string
  via: Via
  /** Unix seconds. */
  rumorAt: number
  rumorId: string
  text: string
  /** URL of the relay that it came by first. */
  relay: string
  /** The seal or the signed event as JSON: the only proof of who asked. */
  proof: string
}

/** A job as its door reads it. */
export interface Wanted {
  request: string
  model?: string | undefined
  /** Lowers the model's output cap, never raises it. */
  maxOutputTokens?: number | undefined
  /** The most the customer will pay, millisats. */
  bidMsat?: number | undefined
}

/** What an opened event asks for. */
export type Taken =
  | { kind: 'letter'; letter: Letter }
  /** A job by a door that carries nothing else. */
  | { kind: 'request'; letter: Letter; wanted: Wanted }
  /** Something that is sent in good faith and that we cannot use: a file, a job event in a wrap. Refused kindly. */
  | { kind: 'unusable'; letter: Letter; facts: RefusalFacts }
  /** A job request that cannot be served, with the reason it is told. */
  | { kind: 'refused'; letter: Letter; refused: ReplyOf<'refused'> }
  /** The sender takes requests back, by their rumor ids. */
  | { kind: 'cancel'; letter: Letter; rumorIds: string[] }
  | { kind: 'dropped'; why: string }

export interface IntakeOptions {
  identity: Identity
  open(wrap: NostrEvent): Promise<Opened | Refused>
  clock: Clock
  /**
   * Bits of proof of work that a wrap must show (NIP-13), 0 for none. A wrap hides who sent it, so that in a flood
   * this is all there is to tell by before the opening is paid for; other doors say who writes, and are not asked.
   */
  powBits?: number
}

/** Kinds a rumor may have; the same feed carries group invitations, reactions and other bots' business. */
const CHAT_KIND = 14
const FILE_KIND = 15
const DELETE_KIND = 5

/**
 * From a verified event to a letter: opens it, and drops what is not meant for us. Dropping is silent by
 * design (a counter and a debug line): an answer to junk would make the bot an amplifier.
 */
export function createIntake({ identity, open, clock, powBits = 0 }: IntakeOptions) {
  const decrypters = decryptersOf(identity)

  return async function take(event: NostrEvent, relay: string): Promise<Taken> {
    if (event.kind === 4) return takeLegacy(event, relay)
    if (event.kind === JOB_REQUEST_KIND) return takeJobRequest(event, relay)
    if (event.kind === DELETE_KIND) return takeDeletion(event, relay)
    if (powBits > 0 && committedPow(event) < powBits) return { kind: 'dropped', why: 'pow' }
    const opened = await open(event)
    if (!opened.ok) return { kind: 'dropped', why: opened.code }
    return takeRumor(opened, relay)
  }

  function takeRumor({ sender, rumor, seal }: Opened, relay: string): Taken {
    if (sender === identity.pubkey) return { kind: 'dropped', why: 'own' }
    if (!isForUsAlone(rumor, sender)) return { kind: 'dropped', why: 'group' }
    const letter: Letter = {
      sender,
      via: 'nip17',
      rumorAt: rumor.created_at,
      rumorId: rumor.id,
      text: rumor.content,
      relay,
      proof: seal,
    }
    if (isFromTheFuture(letter)) return { kind: 'dropped', why: 'future' }
    if (rumor.kind === CHAT_KIND) return { kind: 'letter', letter }
    if (rumor.kind === FILE_KIND) return { kind: 'unusable', letter, facts: { found: 'file' } }
    if (rumor.kind === JOB_REQUEST_KIND) {
      return { kind: 'unusable', letter, facts: { found: 'job' } }
    }
    if (rumor.kind === DELETE_KIND) return { kind: 'cancel', letter, rumorIds: cancelTarget(rumor) }
    return { kind: 'dropped', why: 'rumor-kind' }
  }

  function takeLegacy(event: NostrEvent, relay: string): Taken {
    if (event.pubkey === identity.pubkey) return { kind: 'dropped', why: 'own' }
    const receivers = event.tags.filter(([name]) => name === 'p')
    if (receivers.length !== 1 || receivers[0]?.[1] !== identity.pubkey) {
      return { kind: 'dropped', why: 'p-tag' }
    }
    if (isExpired(event.tags, unixSeconds(clock))) return { kind: 'dropped', why: 'expired' }
    const text = decrypters.decryptNip04(event.pubkey, event.content)
    if (text === undefined) return { kind: 'dropped', why: 'nip04-decrypt' }
    const letter: Letter = {
      sender: event.pubkey,
      via: 'nip04',
      rumorAt: event.created_at,
      rumorId: event.id,
      text,
      relay,
      proof: JSON.stringify(event),
    }
    return isFromTheFuture(letter) ? { kind: 'dropped', why: 'future' } : { kind: 'letter', letter }
  }

  function takeJobRequest(event: NostrEvent, relay: string): Taken {
    const letter = publicLetter(event, relay)
    if (event.pubkey === identity.pubkey) return { kind: 'dropped', why: 'own' }
    if (isExpired(event.tags, unixSeconds(clock))) return { kind: 'dropped', why: 'expired' }
    if (isFromTheFuture(letter)) return { kind: 'dropped', why: 'future' }
    const read = readJobRequest(event, { pubkey: identity.pubkey, ...decrypters })
    if (read.ok) return { kind: 'request', letter, wanted: read }
    if (read.reason === 'not_ours') return { kind: 'dropped', why: 'not-ours' }
    return { kind: 'refused', letter, refused: read.refused }
  }

  /** A kind 5 of the same author takes its job requests back (NIP-09, NIP-90). */
  function takeDeletion(event: NostrEvent, relay: string): Taken {
    const rumorIds = cancelTarget(event)
    if (rumorIds.length === 0) return { kind: 'dropped', why: 'nothing-deleted' }
    return { kind: 'cancel', letter: publicLetter(event, relay), rumorIds }
  }

  /** One-to-one only: a rumor for several receivers belongs to a group room. */
  function isForUsAlone(rumor: Rumor, sender: string): boolean {
    const others = rumor.tags.flatMap(([name, value]) =>
      name === 'p' && value !== sender ? [value] : [],
    )
    // A deletion names events, not always people; its sender is proven all the same.
    if (rumor.kind === DELETE_KIND && others.length === 0) return true
    return others.length > 0 && others.every((pubkey) => pubkey === identity.pubkey)
  }

  function isFromTheFuture({ rumorAt }: Letter): boolean {
    return rumorAt > unixSeconds(clock) + FUTURE_SECONDS
  }
}

const publicLetter = (event: NostrEvent, relay: string): Letter => ({
  sender: event.pubkey,
  via: 'nip90',
  rumorAt: event.created_at,
  rumorId: event.id,
  text: event.content,
  relay,
  proof: JSON.stringify(event),
})

/** The same text by another door is the same request: what is compared is the trimmed text. */
export const requestHashOf = (text: string): string =>
  createHash('sha256').update(text.trim()).digest('hex')

/** A letter as the inbox and its reply see it. */
export function incomingOf(
  { sender, via, rumorAt, rumorId, relay, proof }: Letter,
  form: 'json' | 'words',
  programId: string | undefined,
): Incoming {
  // The door gives a program back its id whatever it is made of; one with NUL could not be stored.
  const id = programId?.includes('\0') ? null : (programId ?? null)
  return {
    message: { rumorAt, rumorId, sender, via, relay, proof },
    to: { customer: sender, via, form, programId: id, rumorAt, rumorId },
  }
}
