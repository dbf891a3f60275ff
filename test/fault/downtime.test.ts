import { expect, test } from 'vitest'
import { systemClock, unixSeconds } from '../../src/clock.ts'
import { defaultMoneyRules } from '../../src/money/rules.ts'
import { loadCurve } from '../../src/nostr/curve.ts'
import { createIdentity, generateSecretKey } from '../../src/nostr/identity.ts'
import { normaliseRelayUrl } from '../../src/nostr/relay-url.ts'
import type { NostrEvent } from '../../src/nostr/types.ts'
import { createRelayFaults, type RelayFaults } from '../../src/sandbox/relay-faults.ts'
import { startRelay } from '../../src/sandbox/relay.ts'
import { inTransaction, type Sql } from '../../src/store/database.ts'
import { saveCursors } from '../../src/store/inbox.ts'
import { seedPool } from '../../src/store/pool.ts'
import { brokenBooks, brokenReplies, unended } from '../support/checkers.ts'
import { daemonLab } from '../support/daemon-lab.ts'
import { fill, type Mailbag, mailbag } from '../support/mailbag.ts'
import { oneTry, say, type Seeded, seeded } from '../support/seeded.ts'
import { until } from '../support/until.ts'

const HOUR_SECONDS = 3_600
const DAY_SECONDS = 86_400
const AWAY_SECONDS = 47 * HOUR_SECONDS

/** Of the five relays one duplicates, one reorders, one loses, one lies and one shows little at a time. */
const behaviours: Partial<RelayFaults>[] = [
  { duplicates: 2 },
  { reorderShare: 0.5 },
  { dropShare: 0.3 },
  { forgeFirst: true, wrongFilterShare: 0.3, invalidJsonShare: 0.1 },
  { silentCap: 100, duplicates: 1 },
]
const LOSING = 2

const REQUESTS = 1_900
const TOO_OLD = 100
const TOO_OLD_SENDERS = 20

/** The database of a bot that has run for a month and was last seen 47 hours ago. */
async function agedDatabase(sql: Sql, relays: readonly string[], now: number): Promise<void> {
  await inTransaction(sql, (tx) => seedPool(tx, defaultMoneyRules))
  await sql`
    update timmy_config set value = jsonb_set(value, '{at}', to_jsonb(now() - interval '30 days'))
    where key = 'pool_seeded'`
  const streams = ['dm', 'legacy', 'jobs', 'cancel']
  const liveUntil = now - AWAY_SECONDS
  await saveCursors(
    sql,
    relays.flatMap((relay) => streams.map((stream) => ({ relay, stream, liveUntil }))),
  )
}

/** What arrived while nobody was there, by the relay that has it; each letter is on two of them. */
function writeAll(mail: Mailbag, random: Seeded, now: number): NostrEvent[][] {
  const held: NostrEvent[][] = behaviours.map(() => [])
  const keep = (wrap: NostrEvent) => {
    const honest = random.pick([0, 1, 3, 4])
    const other = random.pick([0, 1, 2, 3, 4].filter((relay) => relay !== honest))
    for (const relay of [honest, other]) held[relay]?.push(wrap)
  }
  for (let n = 0; n < REQUESTS; n += 1) {
    const type = n % 13 === 0 ? 'job' : random.pick(['balance', 'help', 'pool', 'models'])
    const request = type === 'job' ? { type, request: `job ${n}` } : { type }
    keep(mail.write(random.pick(mail.customers), request, { at: now - random.int(AWAY_SECONDS) }))
  }
  for (let n = 0; n < TOO_OLD; n += 1) {
    const sender = mail.customers[n % TOO_OLD_SENDERS]
    if (!sender) throw new Error('there are too few customers')
    const times = { at: now - 8 * DAY_SECONDS - n, sentAt: now - random.int(AWAY_SECONDS) }
    keep(mail.write(sender, { type: 'job', request: `old ${n}` }, times))
  }
  return held
}

test(
  'off for 47 hours, it answers each of 2,000 requests once, whatever five relays do',
  oneTry,
  async () => {
    const random = seeded()
    const now = unixSeconds(systemClock)
    const secret = generateSecretKey()
    const { curve } = await loadCurve()
    const bot = createIdentity(curve, secret)
    await using lab = await daemonLab({ secret })
    const { sql } = lab.db
    const faults = (some: Partial<RelayFaults>) =>
      createRelayFaults(() => random.int(2 ** 30) / 2 ** 30, some)
    const relays = await Promise.all(
      behaviours.map((some) => startRelay({ faults: faults(some), verify: () => true })),
    )
    const urls = relays.map((relay) => normaliseRelayUrl(relay.url) ?? relay.url)
    await agedDatabase(sql, urls, now)
    const mail = await mailbag(bot, { count: 100, random })
    const held = writeAll(mail, random, now)
    const lists = mail.customers.map((customer) =>
      mail.relayList(customer, [urls[0] ?? ''], now - DAY_SECONDS),
    )
    await Promise.all(relays.map((relay, at) => fill(relay, [...lists, ...(held[at] ?? [])])))
    const letters = held.reduce((sum, wraps) => sum + wraps.length, 0)
    expect(held[LOSING]?.length).toBeGreaterThan(100)

    await lab.start({ RELAYS: urls.join(','), LOG_LEVEL: 'error' })
    const began = performance.now()
    await until(
      'every letter is taken in and every reply delivered',
      async () => {
        const [row] = await sql<{ taken: number }[]>`select count(*) as taken from inbox`
        if (row?.taken !== REQUESTS + TOO_OLD) return false
        return (await unended(sql)).every((what) => what.endsWith('awaiting_payment'))
      },
      180_000,
    )
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    say(
      `downtime: seed ${random.seed}, ${letters} copies on 5 relays, all answered in ${seconds} s`,
    )
    const heard = mail.open(relays, unixSeconds(systemClock))
    expect(await brokenReplies(sql, mail.asked, heard)).toEqual([])
    const answers = Map.groupBy(heard, ({ about }) => about)
    const fresh = mail.asked.slice(0, REQUESTS)
    expect(fresh.filter(({ rumorId }) => answers.get(rumorId)?.length !== 1)).toEqual([])
    const old = mail.asked.slice(REQUESTS).flatMap(({ rumorId }) => answers.get(rumorId) ?? [])
    expect(new Set(old.map(({ reply }) => reply.reason))).toEqual(new Set(['too_old']))
    expect(new Set(old.map(({ customer }) => customer)).size).toBe(TOO_OLD_SENDERS)
    expect(old.length).toBe(TOO_OLD_SENDERS)
    expect(await brokenBooks({ sql, play: lab.lnbits })).toEqual([])
    await Promise.all(relays.map((relay) => relay.stop()))
  },
)
