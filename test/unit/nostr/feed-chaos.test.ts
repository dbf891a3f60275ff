import { expect, test } from 'vitest'
import type { NostrEvent } from '../../../src/nostr/types.ts'
import { type SandboxRelay, startRelay } from '../../../src/sandbox/relay.ts'
import { createRelayFaults, type RelayFaults } from '../../../src/sandbox/relay-faults.ts'
import { author, bot, countingFeed, DAY, memoryCursors, wrapAt } from '../../support/feed-lab.ts'
import { connected, nowSeconds } from '../../support/relay-lab.ts'
import { until } from '../../support/until.ts'
import { seeded, sweepRounds } from '../../support/seeded.ts'

const random = seeded()
const unit = () => random.int(1_000_000) / 1_000_000

/** Everything a relay may do wrong, one at a time or several; `heal` is the last word. */
const faults: ((faults: RelayFaults) => void)[] = [
  (f) => (f.dropShare = 0.5),
  (f) => (f.delayMsMax = 5),
  (f) => (f.duplicates = 9),
  (f) => (f.reorderShare = 0.5),
  (f) => (f.forgeFirst = true),
  (f) => (f.wrongFilterShare = 0.5),
  (f) => (f.withhold = true),
  (f) => (f.eose = 'never'),
  (f) => (f.eose = 'early'),
  (f) => (f.hints = false),
  (f) => (f.authStorm = 2),
  (f) => (f.authReply = 'none'),
  (f) => (f.authReply = 'refuse'),
  (f) => (f.closed = 'error: not now'),
  (f) => (f.halfOpen = true),
  (f) => (f.oversizedBytes = 300_000),
  (f) => (f.invalidJsonShare = 0.5),
  (f) => (f.ok = 'refuse'),
  (f) => (f.ok = 'unstored'),
  (f) => (f.ok = 'none'),
  (f) => (f.disconnectMsMax = 50),
  (f) => (f.silentCap = 7),
  (f) => (f.untilExclusive = true),
  (f) => (f.sinceExclusive = true),
  (f) => (f.leakLive = true),
]

const heal = (relay: SandboxRelay): void => {
  Object.assign(relay.faults, createRelayFaults(unit))
}

/** What the relays really stored is what must arrive: an OK from a lying relay is no promise of ours. */
test(`every stored wrap is delivered once the faults of two relays end, seed ${random.seed}`, async () => {
  const servers = await Promise.all(
    [false, true].map((requireAuth) =>
      startRelay({ requireAuth, faults: createRelayFaults(unit) }),
    ),
  )
  const quick = { pingMs: 60, pongMs: 30, authMs: 20, penaltyMs: 20 }
  const relays = servers.map((server) => connected({ ...quick, url: server.url, identity: bot }))
  const delivered = new Map<string, number>()
  const feed = countingFeed({
    relays,
    cursors: memoryCursors(),
    known: (id) => delivered.has(id),
    eoseMs: 20,
    advanceMs: 10,
    async onEvent(event) {
      await Promise.resolve()
      if (random.int(20) === 0) throw new Error('rolled back')
      delivered.set(event.id, (delivered.get(event.id) ?? 0) + 1)
    },
  })
  const now = nowSeconds()
  for (let step = 0; step < sweepRounds(150, 3_000); step += 1) {
    const server = random.pick(servers)
    random.pick(faults)(server.faults)
    if (random.int(4) === 0) heal(server)
    if (random.int(10) === 0) server.dropConnections()
    const wrap = wrapAt(now - random.int(2 * DAY), author, `${step}`)
    await Promise.all(relays.map((relay) => relay.publish(wrap, 10)))
  }
  for (const server of servers) {
    heal(server)
    server.dropConnections()
  }
  const stored = new Map<string, NostrEvent>()
  for (const event of servers.flatMap((server) => server.events())) stored.set(event.id, event)
  await until('live', () => feed.isLive(), 20_000)
  await until('all', () => [...stored.keys()].every((id) => delivered.has(id)), 20_000)
  expect(stored.size).toBeGreaterThan(10)
  expect([...delivered.values()].every((times) => times === 1)).toBe(true)
  expect(relays.map((relay) => relay.counters.faults)).toEqual([0, 0])
  await feed.stop()
  await Promise.all([...relays, ...servers].map((each) => each.stop()))
})
