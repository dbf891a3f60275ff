import { JOB_REQUEST_KIND } from '../doors/nip90.ts'
import type { EventTemplate } from '../nostr/types.ts'

export interface ProfileFacts {
  name: string
  relays: readonly string[]
  dmRelays: readonly string[]
  /** Unix seconds. */
  createdAt: number
}

const ABOUT =
  'I do work for sats. Send me a DM with what you want; /help lists what else I understand. ' +
  'A tenth of what I earn pays for people I trust.'

/**
 * What the bot says of itself: kind 0 with `bot` (NIP-24), its relays (NIP-65, kind 10002), where it reads DMs
 * (NIP-17, kind 10050) and that it takes NIP-90 jobs (NIP-89, kind 31990).
 */
export function profileEvents({
  name,
  relays,
  dmRelays,
  createdAt,
}: ProfileFacts): EventTemplate[] {
  const profile = { name, about: ABOUT, bot: true }
  const event = (kind: number, tags: string[][], content = ''): EventTemplate => ({
    kind,
    created_at: createdAt,
    tags,
    content,
  })
  return [
    event(0, [], JSON.stringify(profile)),
    event(
      10_002,
      relays.map((url) => ['r', url]),
    ),
    event(
      10_050,
      dmRelays.map((url) => ['relay', url]),
    ),
    event(
      31_990,
      [
        ['d', 'tithe'],
        ['k', String(JOB_REQUEST_KIND)],
      ],
      JSON.stringify({ ...profile, encryptionSupported: true, nip90Params: { model: {} } }),
    ),
  ]
}
