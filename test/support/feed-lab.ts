import { systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { createFeed, type FeedOptions, type Stream } from '../../src/nostr/feed.ts'
import type { Identity, NostrEvent } from '../../src/nostr/types.ts'
import { newIdentity, nowSeconds, type Scripted, scripted, signed } from './relay-lab.ts'

export const DAY = 86_400
export const BACKDATE = 2 * DAY + 3_600

export const bot = newIdentity()
export const author = newIdentity()

export const wrapAt = (created_at: number, from: Identity = author, content = ''): NostrEvent =>
  signed(from, { kind: 1_059, created_at, content, tags: [['p', bot.pubkey]] })

export const dmStream: Stream = {
  name: 'dm',
  filter: { kinds: [1_059], '#p': [bot.pubkey] },
  backdateSeconds: BACKDATE,
}

/** Cursors in memory, by relay and stream. */
export function memoryCursors(): FeedOptions['cursors'] & { at: Map<string, number> } {
  const at = new Map<string, number>()
  return {
    at,
    load: async (relay, stream) => at.get(`${relay} ${stream}`),
    async save(relay, stream, liveUntil) {
      at.set(`${relay} ${stream}`, liveUntil)
    },
  }
}

/** A feed that counts what it hands on, by event id, and ends with its scope. */
export function countingFeed(options: Partial<FeedOptions> & Pick<FeedOptions, 'relays'>) {
  const seen = new Map<string, number>()
  const feed = createFeed({
    streams: [dmStream],
    cursors: memoryCursors(),
    clock: systemClock,
    log: silentLog,
    async onEvent(event) {
      seen.set(event.id, (seen.get(event.id) ?? 0) + 1)
    },
    retry: { firstMs: 10, mostMs: 20 },
    eoseMs: 100,
    ...options,
  })
  feed.start()
  const isLive = () => options.relays.every((relay) => feed.liveSince(relay.url) !== undefined)
  return Object.assign(feed, { seen, isLive, [Symbol.asyncDispose]: () => feed.stop() })
}

/** A relay that answers REQs with what `stored` gives for the filter, and then EOSE. */
export const answering = (
  stored: (filter: { since: number; until?: number; limit: number }) => NostrEvent[],
): Promise<Scripted> =>
  scripted((message, say) => {
    const [type, id, filter] = message as [string, string, Parameters<typeof stored>[0]]
    if (type !== 'REQ') return
    for (const event of stored(filter)) say('EVENT', id, event)
    say('EOSE', id)
  })

export const filtersOf = (relay: Scripted) =>
  relay.heard
    .filter((message) => message[0] === 'REQ')
    .map((message) => message[2] as { since: number; until?: number; kinds: number[] })

export { nowSeconds }
