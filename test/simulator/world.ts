import { armFailpoints } from '../../src/failpoint.ts'
import { defaultMoneyRules, type MoneyRules } from '../../src/money/rules.ts'
import type { Tier } from '../../src/money/tiers.ts'
import { setBan, setGrantedTier } from '../../src/store/customers.ts'
import { inTransaction } from '../../src/store/database.ts'
import { seedPool } from '../../src/store/pool.ts'
import { type BackendDials, type BackendModel, createBackend } from './backend.ts'
import { type Chance, chanceOf } from './chance.ts'
import type { SharedSession } from './database.ts'
import { createIncoming, type IncomingModel, type LnbitsDials } from './lnbits.ts'
import { createOutgoing, type OutgoingModel, type PayoutFate } from './payouts.ts'
import {
  createFeed,
  createRelays,
  type Feed,
  type FeedDials,
  type Heard,
  type OutgoingRelays,
  type RelayDials,
} from './relays.ts'
import { type JourneySettings, type Replica, startReplica, USD_PER_BTC } from './replica.ts'
import { createTime, type VirtualTime } from './time.ts'
import { createTrace, type Trace } from './trace.ts'
import { createWatchedLog } from './watched-log.ts'

export interface Dials {
  lnbits: LnbitsDials
  relays: RelayDials
  feed: FeedDials
  backend: BackendDials
  /** Fates of payments that leave; one is drawn for each. */
  payouts: readonly PayoutFate[]
  /** There is no BTC rate. */
  noRate: number
}

export interface WorldOptions {
  seed: string
  session: SharedSession
  startMs?: number
  rules?: Partial<MoneyRules>
  settings?: Partial<JourneySettings>
  dials?: Partial<Dials>
  /** Adds up the books whenever the database has come to rest, and not only at the end. */
  strict?: boolean
}

/** A whole bot and all that surrounds it, made from one seed. */
export interface World {
  readonly seed: string
  readonly rules: MoneyRules
  readonly time: VirtualTime
  readonly trace: Trace
  readonly session: SharedSession
  readonly incoming: IncomingModel
  readonly outgoing: OutgoingModel
  readonly relays: OutgoingRelays
  readonly feed: Feed
  readonly backend: BackendModel
  readonly dials: Dials
  readonly replicas: readonly Replica[]
  /** A stream of chances of that name. */
  chance(name: string): Chance
  start(options?: { skewMs?: number }): Replica
  alive(): Replica[]
  /** Calls `fn` for each reply that a customer reads. */
  onHeard(fn: (reply: Heard) => void): void
  onDeath(fn: (replica: Replica) => void): void
  /** What has gone wrong so far, in words. */
  faults: string[]
  /** Millisats in the wallet. */
  walletMsat(): number
  /** Makes everything outside behave from now on. */
  heal(): void
  /** Ends every process. */
  end(): void
}

export const calm: Dials = {
  lnbits: {
    ...{ unreachable: 0, createFails: 0, createLost: 0, slow: 0, seenLate: 0 },
    ...{ calledFailed: 0, listLies: 0, takesLate: 0, otherAmount: 0 },
  },
  relays: { ackLost: 0, refused: 0, blocked: 0, unreachable: 0, slow: 0, noList: 0 },
  feed: { doubled: 0, late: 0, withheld: 0 },
  backend: {
    ...{ slow: 0, fails: 0, rejects: 0, overruns: 0, uncounted: 0, negative: 0, hangs: 0 },
  },
  payouts: ['paid'],
  noRate: 0,
}

/** 2027-01-15, a morning. */
export const START_MS = 1_800_000_000_000

const usual: JourneySettings = {
  ...{ invoiceTtlSeconds: 60, paymentPollMs: 10_000, workSlots: 4 },
  ...{ workLeaseSeconds: 30, deliveryLeaseSeconds: 10, reports: false },
}

export async function createWorld(options: WorldOptions): Promise<World> {
  const { seed, session, startMs = START_MS } = options
  const chance = (name: string) => chanceOf(`${seed}/${name}`)
  const time = createTime(startMs, chance('time'))
  const trace = createTrace(time.now, startMs)
  const dials = structuredClone({ ...calm, ...options.dials })
  const rules = { ...defaultMoneyRules, ...options.rules }
  const faults: string[] = []
  const replicas: Replica[] = []
  const hearing: ((reply: Heard) => void)[] = []
  const dying: ((replica: Replica) => void)[] = []
  let walletMsat = 0
  const lnbits = {
    ...{ time, trace, dials: dials.lnbits, chance: chance('lnbits') },
    moved: (msat: number) => {
      walletMsat += msat
    },
    paid: (paymentHash: string) => hint(paymentHash),
  }
  const incoming = createIncoming(lnbits)
  const fates = chance('fates')
  const outgoing = createOutgoing({ ...lnbits, chance: chance('payouts') }, () =>
    fates.pick(dials.payouts),
  )
  const hints = chance('hints')
  const relays = createRelays({
    ...{ time, trace, dials: dials.relays, chance: chance('relays') },
    heard: (reply) => {
      for (const fn of hearing) fn(reply)
    },
  })
  const feed = createFeed({ time, trace, dials: dials.feed, chance: chance('feed') })
  const backend = createBackend({
    ...{ time, trace, dials: dials.backend, chance: chance('backend') },
    begins: (jobId) => time.atRest(() => paidBefore(jobId)),
  })
  const rates = chance('rates')
  const outside = {
    ...{ time, trace, session, incoming, outgoing, relays, feed, backend, rules, chance },
    log: createWatchedLog(trace, faults),
    settings: { ...usual, ...options.settings },
    rate: () => (rates.happens(dials.noRate) ? { none: 'simulated' } : { usdPerBtc: USD_PER_BTC }),
    died(replica: Replica) {
      for (const fn of dying) fn(replica)
    },
  }

  await session.reset(time)
  await inTransaction(session.sql, (tx) => seedPool(tx, rules))
  if (options.strict) time.onRest(conserved)
  armFailpoints((name) => {
    const replica = replicas.find((one) => one === time.current())
    return replica?.passed(name)
  })

  const world: World = {
    ...{ seed, rules, time, trace, session, incoming, outgoing, relays, feed, backend, dials },
    ...{ replicas, chance, faults },
    start({ skewMs = 0 } = {}) {
      const replica = startReplica(outside, `bot${replicas.length + 1}`, skewMs)
      replicas.push(replica)
      return replica
    },
    alive: () => replicas.filter(({ state }) => state !== 'dead'),
    onHeard: (fn) => hearing.push(fn),
    onDeath: (fn) => dying.push(fn),
    walletMsat: () => walletMsat,
    heal() {
      trace.note('all is well again')
      for (const part of [dials.lnbits, dials.relays, dials.feed, dials.backend]) {
        Object.assign(part, Object.fromEntries(Object.keys(part).map((key) => [key, 0])))
      }
      dials.noRate = 0
      for (const replica of replicas) replica.skewMs = 0
      outgoing.heal()
      backend.heal()
    },
    end() {
      for (const replica of replicas) if (replica.state !== 'dead') replica.state = 'dead'
      armFailpoints(undefined)
    },
  }
  return world

  /** What LNbits' websocket says: sometimes twice, sometimes of nothing, sometimes not at all. */
  function hint(paymentHash: string): void {
    for (const replica of world.alive()) {
      for (let left = hints.pick([0, 1, 1, 1, 2]); left > 0; left -= 1) {
        const hash = hints.happens(0.05) ? hints.hex() : paymentHash
        time.after(hints.between(5, 400), replica, () => replica.journey.hintPayment(hash))
      }
    }
  }

  /** C7: what a job may cost is set aside and committed before the backend is called. */
  async function paidBefore(jobId: string): Promise<void> {
    const [row] = await session.sql<{ ready: boolean }[]>`
      select held_sats > 0 or finished_at is not null as ready from jobs where id = ${Number(jobId)}`
    if (!row?.ready) faults.push(`C7: job ${jobId} was worked on before anything was set aside`)
  }

  /** C1 and C2 at one instant, without replaying the transfers. */
  async function conserved(): Promise<void> {
    const [row] = await session.sql<{ offSats: number; least: number }[]>`
      select
        sum(case when name = 'lightning' then balance_sats else -balance_sats end)
          - coalesce((select sum(balance_sats) from customers), 0)
          - coalesce((select sum(held_sats) from jobs), 0)
          - coalesce((select sum(held_sats) from withdrawals), 0) as off_sats,
        min(balance_sats) filter (where name <> 'operator') as least
      from accounts`
    if (row?.offSats !== 0) faults.push(`C1: the books are off by ${row?.offSats} sats`)
    if ((row?.least ?? -1) < 0) faults.push('C2: an account is below zero')
  }
}

/** Gives a key a tier, or bans it, before anything happens. */
export async function introduce(
  { session }: World,
  pubkey: string,
  { tier, banned }: { tier?: Tier; banned?: boolean },
): Promise<void> {
  if (tier) await setGrantedTier(session.sql, pubkey, tier, 'granted')
  if (banned) await setBan(session.sql, pubkey, { reason: 'simulated' })
}
