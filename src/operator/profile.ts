import { JOB_REQUEST_KIND } from '../doors/nip90.ts'
import type { EventTemplate } from '../nostr/types.ts'

export interface ProfileFacts {
  name: string
  relays: readonly string[]
  dmRelays: readonly string[]
  /** Unix seconds. */
  createdAt: number
  /** Bits of proof of work that a wrap must show (NIP-13). */
  powBits: number
}

const ABOUT =
  'I do work for sats. Send me a DM with what you want; /help lists what else I understand. ' +
  'A tenth of what I earn pays for people I trust.'

const powWords = (bits: number): string =>
  `For now a gift wrap is read only with ${bits} bits of proof of work (NIP-13); ` +
  'NIP-04 and NIP-90 are read without.'

/**
 * What the bot says of itself: kind 0 with `bot` (NIP-24), its relays (NIP-65, kind 10002), where it reads DMs
 * (NIP-17, kind 10050) and that it takes NIP-90 jobs (NIP-89, kind 31990).
 */
export function profileEvents({
  name,
  relays,
  dmRelays,
  createdAt,
  powBits,
}: ProfileFacts): EventTemplate[] {
  const about = powBits > 0 ? `${ABOUT} ${powWords(powBits)}` : ABOUT
  const profile = { name, about, bot: true }
  const event = (kind: number, tags: string[][], content = ''): EventTemplate => ({
    kind,
    created_at: createdAt,
    tags,
    content,
  })
  return [
    event(0, powBits > 0 ? [['pow', String(powBits)]] : [], JSON.stringify(profile)),
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
