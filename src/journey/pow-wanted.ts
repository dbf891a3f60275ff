import { POW_BITS } from '../limits.ts'
import { parseEvent } from '../nostr/event.ts'
import { committedPow } from '../nostr/pow.ts'
import type { StoredEvent, StoredReply } from '../store/outbox.ts'

/**
 * Bits of proof of work that would get a stored reply taken, 0 when it may stay as it is. Work makes it another event,
 * so there is none as long as a relay may have it: one said OK, or took it and never answered.
 */
export function wantedPow({ events, publications }: StoredReply): number {
  const open = publications.filter(({ refused }) => !refused)
  if (open.some(({ acknowledged, error }) => acknowledged || mayHave(error))) return 0
  const wanted = Math.max(0, ...open.map(({ error }) => askedBits(error)))
  return wanted <= POW_BITS && wanted > Math.min(...events.map(doneBits)) ? wanted : 0
}

/** Whether a relay that said no OK may have taken the event: it was sent. */
const mayHave = (error: string | null): boolean => error?.startsWith('timeout') === true

/**
 * What a `pow:` refusal asks for (NIP-01). Relays say it in words of their own, "difficulty 5 is less than 20" or
 * ">= 20"; the largest number is what they want. 0 for another refusal, and for one that names no number.
 */
export function askedBits(error: string | null): number {
  const said = /^refused: pow:(.*)/s.exec(error ?? '')?.[1] ?? ''
  return Math.max(0, ...(said.match(/\d{1,3}/g) ?? []).map(Number))
}

function doneBits({ eventJson }: StoredEvent): number {
  const event = parseEvent(JSON.parse(eventJson))
  return event ? committedPow(event) : 0
}
