import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { english } from '../../../src/doors/texts-en.ts'
import { whyReply } from '../../../src/journey/why.ts'
import { silentLog } from '../../../src/log.ts'
import { defaultMoneyRules } from '../../../src/money/rules.ts'
import { fetchEvents } from '../../../src/nostr/fetch.ts'
import type { Identity, NostrEvent } from '../../../src/nostr/types.ts'
import { ban } from '../../../src/operator/commands/ban.ts'
import { createTrust, type TrustOptions } from '../../../src/operator/trust.ts'
import { type SandboxRelay, startRelay } from '../../../src/sandbox/relay.ts'
import { readCustomers, setGrantedTier } from '../../../src/store/customers.ts'
import { readPool } from '../../../src/store/pool.ts'
import { commandOn } from '../../support/command.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { journeyOn, priced } from '../../support/journey.ts'
import { connected, newIdentity, nowSeconds, signed } from '../../support/relay-lab.ts'

const operator = newIdentity()
const provider = newIdentity()
const [anna, ben, carla] = [newIdentity().pubkey, newIdentity().pubkey, newIdentity().pubkey]
const FRIENDS = { kind: 30_000, pubkey: operator.pubkey, identifier: 'friends' }
const FOLLOWS = { kind: 3, pubkey: operator.pubkey, identifier: '' }
const RANK = { provider: provider.pubkey, rankMin: 80 }

const opened: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.stop()
})

interface ReadOptions {
  operators?: string[]
  timeoutMs?: number
}

interface Lab extends AsyncDisposable {
  db: TestDatabase
  relay: SandboxRelay
  put(event: NostrEvent, relay?: SandboxRelay): Promise<void>
  /** A reading of all lists with these settings. */
  read(settings?: Partial<TrustOptions['trust']> & ReadOptions): Promise<void>
  standing(key: string): Promise<{ tier: string | null; source: string | null; banned: boolean }>
}

async function trustLab({ verify }: { verify?: () => boolean } = {}): Promise<Lab> {
  const db = await freshDatabase()
  const relay = await startRelay(verify ? { verify } : {})
  opened.push(relay)
  await journeyOn(db.sql)
  const reader = connected({ url: relay.url })
  opened.push(reader)
  return {
    ...{ db, relay },
    async put(event, where = relay) {
      const writer = connected({ url: where.url })
      const { outcome } = await writer.publish(event, 5_000)
      await writer.stop()
      if (outcome !== 'acknowledged') throw new Error(`the relay said ${outcome}`)
    },
    async read({ operators = [], timeoutMs = 5_000, ...settings } = {}) {
      const trust = createTrust({
        ...{ sql: db.sql, operators, holder: 'one', clock: systemClock, log: silentLog },
        trust: { list: undefined, rank: undefined, tier: 'trusted', ...settings },
        async fetch(filters, { also = [] }) {
          const extra = also.map((url) => connected({ url }))
          const relays = [reader, ...extra]
          const found = await fetchEvents({ relays, filters, clock: systemClock, timeoutMs })
          await Promise.all(extra.map((one) => one.stop()))
          return found
        },
      })
      expect(await trust.runOnce()).toBe(true)
    },
    async standing(key) {
      const facts = (await readCustomers(db.sql, [key])).get(key)
      return {
        tier: facts?.grantedTier ?? null,
        source: facts?.grantedSource ?? null,
        banned: facts?.banned ?? false,
      }
    },
    [Symbol.asyncDispose]: () => db[Symbol.asyncDispose](),
  }
}

const NOTHING = { tier: null, source: null, banned: false }
const LISTED = { tier: 'trusted', source: 'list', banned: false }
const RANKED = { tier: 'trusted', source: 'rank', banned: false }

let tick = 1_000
/** A list, each newer than the one before. */
function listOf(author: Identity, kind: number, keys: readonly string[], d?: string): NostrEvent {
  tick -= 1
  const tags = [...(d === undefined ? [] : [['d', d]]), ...keys.map((key) => ['p', key])]
  return signed(author, { kind, tags, created_at: nowSeconds() - tick })
}

const rankOf = (key: string, rank: string, author = provider) => {
  tick -= 1
  const tags = [
    ['d', key],
    ['rank', rank],
  ]
  return signed(author, { kind: 30_382, tags, created_at: nowSeconds() - tick })
}

test.each([
  ['follows', FOLLOWS, undefined],
  ['a follow set', FRIENDS, 'friends'],
])('%s of the operator grant the tier, and /why says so', async (_, list, d) => {
  await using lab = await trustLab()
  await lab.put(listOf(operator, list.kind, [anna, 'nonsense', anna], d))
  await lab.put(listOf(operator, 30_000, [carla], 'enemies'))
  await lab.read({ list })
  expect(await lab.standing(anna)).toEqual(LISTED)
  expect(await lab.standing(carla)).toEqual(NOTHING)
  const facts = (await readCustomers(lab.db.sql, [anna])).get(anna)
  if (!facts) throw new Error('no facts')
  const why = whyReply(facts, await readPool(lab.db.sql), defaultMoneyRules)
  expect(english.why(why)).toMatch(/^Your tier: trusted, given by a list the operator trusts\.\n/)
})

test('a key that leaves the list loses what the list gave and nothing else', async () => {
  await using lab = await trustLab()
  await setGrantedTier(lab.db.sql, ben, 'elite', 'granted')
  await setGrantedTier(lab.db.sql, carla, 'new', 'granted')
  await lab.put(listOf(operator, 3, [anna, ben, carla]))
  await lab.read({ list: FOLLOWS })
  const given = { tier: 'elite', source: 'granted', banned: false }
  const denied = { tier: 'new', source: 'granted', banned: false }
  expect(await lab.standing(anna)).toEqual(LISTED)
  expect(await lab.standing(ben)).toEqual(given)
  expect(await lab.standing(carla)).toEqual(denied)
  await lab.put(listOf(operator, 3, []))
  await lab.read({ list: FOLLOWS })
  expect(await lab.standing(anna)).toEqual(NOTHING)
  expect(await lab.standing(ben)).toEqual(given)
  expect(await lab.standing(carla)).toEqual(denied)
})

test('a list that is no longer named takes its grants back, another tier changes them', async () => {
  await using lab = await trustLab()
  await lab.put(listOf(operator, 3, [anna]))
  await lab.read({ list: FOLLOWS })
  await lab.read({ list: FOLLOWS, tier: 'elite' })
  expect(await lab.standing(anna)).toEqual({ ...LISTED, tier: 'elite' })
  await lab.read({})
  expect(await lab.standing(anna)).toEqual(NOTHING)
})

// A relay that was restored from a backup must not bring back who left.
test('an older version of a list is not obeyed once a newer one was', async () => {
  await using lab = await trustLab()
  const old = listOf(operator, 3, [anna])
  await lab.put(listOf(operator, 3, [ben]))
  await lab.read({ list: FOLLOWS })
  const behind = await startRelay({ verify: () => true })
  opened.push(behind)
  await lab.put(old, behind)
  await lab.relay.stop()
  const reader = connected({ url: behind.url })
  opened.push(reader)
  const trust = createTrust({
    ...{ sql: lab.db.sql, operators: [], holder: 'one', clock: systemClock, log: silentLog },
    trust: { list: FOLLOWS, rank: undefined, tier: 'trusted' },
    fetch: (filters) =>
      fetchEvents({ relays: [reader], filters, clock: systemClock, timeoutMs: 2_000 }),
  })
  await trust.runOnce()
  expect(await lab.standing(anna)).toEqual(NOTHING)
  expect(await lab.standing(ben)).toEqual(LISTED)
})

test('forged lists and lists of others change nothing', async () => {
  await using lab = await trustLab({ verify: () => true })
  await lab.put(listOf(operator, 3, [ben]))
  const forged = listOf(newIdentity(), 3, [anna])
  await lab.put(forged)
  await lab.put({ ...forged, pubkey: operator.pubkey })
  await lab.read({ list: FOLLOWS })
  expect(await lab.standing(anna)).toEqual(NOTHING)
  expect(await lab.standing(ben)).toEqual(LISTED)
})

test('silence takes nothing from anybody', async () => {
  await using lab = await trustLab()
  await lab.put(listOf(operator, 3, [anna]))
  await lab.put(listOf(operator, 10_000, [carla]))
  const settings = { list: FOLLOWS, operators: [operator.pubkey] }
  await lab.read(settings)
  await lab.relay.stop()
  await lab.read({ ...settings, timeoutMs: 100 })
  expect(await lab.standing(anna)).toEqual(LISTED)
  expect(await lab.standing(carla)).toMatchObject({ banned: true })
})

test('a list is looked for on the relays its author writes to', async () => {
  await using lab = await trustLab()
  const home = await startRelay()
  opened.push(home)
  await lab.put(signed(operator, { kind: 10_002, tags: [['r', home.url, 'write']] }))
  await lab.put(listOf(operator, 3, [anna]), home)
  await lab.read({ list: FOLLOWS })
  expect(await lab.standing(anna)).toEqual(LISTED)
})

/** Keys that asked for work: only their ranks are looked up. */
async function customers(lab: Lab, ...keys: string[]) {
  const journey = await journeyOn(lab.db.sql)
  for (const customer of keys) await journey.job(priced({ customer }))
}

test('a rank above the threshold grants, a lower word later takes it back', async () => {
  await using lab = await trustLab()
  await customers(lab, anna, ben, carla)
  for (const event of [rankOf(anna, '80'), rankOf(ben, '79'), rankOf(carla, '8e1')]) {
    await lab.put(event)
  }
  await lab.put(rankOf(ben, '99', newIdentity()))
  await lab.read({ rank: RANK })
  expect(await lab.standing(anna)).toEqual(RANKED)
  expect(await lab.standing(ben)).toEqual(NOTHING)
  expect(await lab.standing(carla)).toEqual(NOTHING)
  await lab.put(rankOf(anna, '12'))
  await lab.put(rankOf(ben, '100'))
  await lab.read({ rank: RANK })
  expect(await lab.standing(anna)).toEqual(NOTHING)
  expect(await lab.standing(ben)).toEqual(RANKED)
})

test('the ranks of a key that names providers are those of its providers', async () => {
  await using lab = await trustLab()
  const home = await startRelay()
  opened.push(home)
  await customers(lab, anna, ben)
  const tags = [
    ['30382:rank', provider.pubkey, home.url],
    ['30382:followers', newIdentity().pubkey, home.url],
  ]
  await lab.put(signed(operator, { kind: 10_040, tags }))
  await lab.put(rankOf(anna, '90'), home)
  await lab.put(rankOf(ben, '90', operator))
  await lab.read({ rank: { provider: operator.pubkey, rankMin: 80 } })
  expect(await lab.standing(anna)).toEqual(RANKED)
  expect(await lab.standing(ben)).toEqual(NOTHING)
})

test('who is on the list and ranked keeps the tier when one of the two ends', async () => {
  await using lab = await trustLab()
  await customers(lab, anna)
  await lab.put(rankOf(anna, '90'))
  await lab.put(listOf(operator, 3, [anna]))
  await lab.read({ list: FOLLOWS, rank: RANK })
  expect(await lab.standing(anna)).toEqual(LISTED)
  await lab.put(listOf(operator, 3, []))
  await lab.read({ list: FOLLOWS, rank: RANK })
  expect(await lab.standing(anna)).toEqual(RANKED)
})

test('a newcomer is ranked without waiting for the hour', async () => {
  await using lab = await trustLab()
  await lab.put(rankOf(anna, '95'))
  const reader = connected({ url: lab.relay.url })
  opened.push(reader)
  const trust = createTrust({
    ...{ sql: lab.db.sql, operators: [], holder: 'one', clock: systemClock, log: silentLog },
    trust: { list: undefined, rank: RANK, tier: 'established' },
    fetch: (filters) =>
      fetchEvents({ relays: [reader], filters, clock: systemClock, timeoutMs: 2_000 }),
  })
  await trust.runOnce()
  expect(await trust.rankNewcomers()).toBe(0)
  await customers(lab, anna, ben)
  expect(await trust.rankNewcomers()).toBe(1)
  expect(await lab.standing(anna)).toEqual({ ...RANKED, tier: 'established' })
})

test('whom an operator mutes is banned as muted until unmuted; other bans stay', async () => {
  await using lab = await trustLab()
  const settings = { operators: [operator.pubkey] }
  await ban(commandOn(lab.db.url), { key: ben, reason: 'muted' })
  await lab.put(listOf(operator, 10_000, [anna, ben]))
  await lab.put(listOf(newIdentity(), 10_000, [carla]))
  await lab.read(settings)
  const reasons = await lab.db.sql`select ban_reason from customers order by ban_reason`
  expect(reasons).toEqual([{ banReason: 'muted' }, { banReason: 'muted by the operator' }])
  expect(await lab.standing(carla)).toEqual(NOTHING)
  await lab.put(listOf(operator, 10_000, []))
  await lab.read(settings)
  expect(await lab.standing(anna)).toMatchObject({ banned: false })
  expect(await lab.standing(ben)).toMatchObject({ banned: true })
})

test('an operator without a mute list bans nobody', async () => {
  await using lab = await trustLab()
  await lab.read({ operators: [operator.pubkey] })
  expect(await lab.db.sql`select 1 from customers where banned_at is not null`).toHaveLength(0)
})

test('of two replicas one reads the lists', async () => {
  await using lab = await trustLab()
  await lab.read({})
  const trust = createTrust({
    ...{ sql: lab.db.sql, operators: [], holder: 'two', clock: systemClock, log: silentLog },
    trust: { list: undefined, rank: undefined, tier: 'trusted' },
    fetch: async () => ({ events: [], answered: 0, asked: 0 }),
  })
  expect(await trust.runOnce()).toBe(false)
})
