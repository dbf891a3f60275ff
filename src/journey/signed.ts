import type { Tx } from '../store/database.ts'
import { type OutboxRow, type StoredReply, storeEvents } from '../store/outbox.ts'

/** A reply made ready: one event a part, and the relays they go to. */
export interface SignedReply {
  events: { id: string; json: string }[]
  relays: string[]
}

/** As it stands in the outbox before anything is published. */
export function storedReply({ events, relays }: SignedReply): StoredReply {
  return {
    events: events.map(({ id, json }, part) => ({ part, eventId: id, eventJson: json })),
    publications: events.flatMap((_, part) =>
      relays.map((relay) => ({ part, relay, acknowledged: false, refused: false, error: null })),
    ),
  }
}

/**
 * Signs what can be signed at once of replies that this transaction put in the outbox, and ends the transaction with
 * storing it: they go out a transaction earlier. The others are signed by their lane.
 */
export async function storeSigned(
  tx: Tx,
  rows: readonly OutboxRow[],
  signAtOnce: (row: OutboxRow) => Promise<SignedReply | undefined>,
): Promise<OutboxRow[]> {
  const replies = await Promise.all(
    rows.map(async (row) => {
      const signed = await signAtOnce(row)
      return signed ? { ...row, stored: storedReply(signed) } : row
    }),
  )
  const signed = replies.flatMap(({ id, stored }) => (stored ? { outboxId: id, ...stored } : []))
  if (signed.length > 0) tx.endWith(storeEvents(tx, signed))
  return replies
}
