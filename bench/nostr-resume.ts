import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock, unixSeconds } from '../src/clock.ts'
import { silentLog } from '../src/log.ts'
import { loadCurve } from '../src/nostr/curve.ts'
import { makeRumor, wrapRumor } from '../src/nostr/giftwrap.ts'
import { createIdentity } from '../src/nostr/identity.ts'
import { connectRelay } from '../src/nostr/relay.ts'
import type { NostrEvent } from '../src/nostr/types.ts'
import { rounded, tell } from './figures.ts'
import { openStage } from './stage.ts'

const WRAPS = 10_000
const KEYS = 200
const RELAYS = 3
const DAY_SECONDS = 86_400
const PUBLISH_MS = 60_000
const RESUME_MS = 180_000
/** Messages under way to a relay at once. */
const PUBLISHING = 200

/**
 * The daemon was away for 24 hours; three relays keep the same 10,000 messages of 200 customers. From its start
 * to the last answer taken by a relay: every message is opened and answered once.
 */
export async function benchResume(): Promise<{ wraps: number; perSecond: number }> {
  await using stage = await openStage({ relays: RELAYS })
  await stage.stopBot()
  const until = unixSeconds(systemClock)
  await publishAll(stage.relays, await messages(stage.bot, until, stage.relays))
  await stage.sql`update inbox_cursors set live_until = ${until - DAY_SECONDS}`
  // What was written long before the first boot is not executed.
  await stage.sql`
    update timmy_config set value = jsonb_build_object('at', now() - interval '2 days')
    where key = 'pool_seeded'`
  const began = performance.now()
  await stage.startBot()
  let answered = 0
  while (answered < WRAPS) {
    if (performance.now() - began > RESUME_MS) throw new Error(`only ${answered} were answered`)
    await pause(50)
    const [row] = await stage.sql<{ count: number }[]>`
      select count(*) as count from outbox where delivered_at is not null`
    answered = row?.count ?? 0
  }
  const seconds = (performance.now() - began) / 1000
  const [row] = await stage.sql<{ inbox: number; outbox: number }[]>`
    select (select count(*) from inbox) as inbox, (select count(*) from outbox) as outbox`
  if (row?.inbox !== WRAPS || row.outbox !== WRAPS) {
    throw new Error(`taken in ${row?.inbox}, answered ${row?.outbox} of ${WRAPS}`)
  }
  tell(`  resume: ${WRAPS} stored wraps on ${RELAYS} relays in ${seconds.toFixed(1)} s`)
  return { wraps: WRAPS, perSecond: rounded(WRAPS / seconds, 0) }
}

async function messages(bot: string, until: number, relays: readonly string[]) {
  const { curve } = await loadCurve()
  const keys = Array.from({ length: KEYS }, () => createIdentity(curve, randomBytes(32)))
  const lists = keys.map((identity) => {
    const tags = relays.map((url) => ['relay', url])
    return identity.sign({ kind: 10_050, created_at: until, tags, content: '' })
  })
  const wraps = Array.from({ length: WRAPS }, (_, place) => {
    const identity = keys[place % KEYS] ?? createIdentity(curve, randomBytes(32))
    const created_at = until - DAY_SECONDS + Math.floor((place * DAY_SECONDS) / WRAPS)
    const content = JSON.stringify({ type: 'balance', id: `resume-${place}` })
    const rumor = makeRumor(identity.pubkey, { kind: 14, created_at, tags: [['p', bot]], content })
    return wrapRumor({ identity, rumor, to: bot, nowSeconds: created_at })
  })
  return [...lists, ...wraps]
}

async function publishAll(urls: readonly string[], events: readonly NostrEvent[]): Promise<void> {
  await Promise.all(
    urls.map(async (url) => {
      const relay = connectRelay({ url, verify: () => true, clock: systemClock, log: silentLog })
      for (let at = 0; at < events.length; at += PUBLISHING) {
        const sent = events.slice(at, at + PUBLISHING)
        const answers = await Promise.all(sent.map((event) => relay.publish(event, PUBLISH_MS)))
        if (answers.some(({ outcome }) => outcome !== 'acknowledged')) {
          throw new Error(`${url} did not take every message`)
        }
      }
      await relay.stop()
    }),
  )
}
