import { type Failpoint, failpoints } from '../../src/failpoint.ts'
import { defaultMoneyRules, type MoneyRules } from '../../src/money/rules.ts'
import type { Tier } from '../../src/money/tiers.ts'
import { type Chance, chanceOf } from './chance.ts'
import type { Fate } from './database.ts'
import { payoutFates } from './payouts.ts'
import type { JourneySettings } from './replica.ts'
import { calm, type Dials, START_MS } from './world.ts'

/** What is to happen in one world, before the world answers: all of it comes from the seed. */
export interface Plan {
  seed: string
  startMs: number
  rules: Partial<MoneyRules>
  settings: Partial<JourneySettings>
  dials: Dials
  customers: CustomerPlan[]
  messages: MessagePlan[]
  replicas: number
  skewsMs: number[]
  mishaps: Mishap[]
  /** How long everything may go wrong. */
  chaosMs: number
  /** In the end relays hand on everything once more, and not only what is missing. */
  resubscribes: boolean
  strict: boolean
}

export interface CustomerPlan {
  tier: Tier | undefined
  banned: boolean
}

export interface MessagePlan {
  atMs: number
  /** Whose, by place. */
  customer: number
  kind:
    | 'job'
    | 'twin'
    | 'old'
    | 'topup'
    | 'donate'
    | 'withdraw'
    | 'withdraw-own'
    | 'cancel'
    | 'estimate'
    | 'balance'
    | 'why'
    | 'pool'
    | 'junk'
  /** Characters or sats. */
  size: number
  via: 'nip17' | 'nip04' | 'nip90'
  model: 'token' | 'flat' | undefined
  /** What becomes of the invoice that answers it. */
  payment: { kind: 'paid' | 'late' | 'never' | 'cancelled'; afterMs: number }
}

/** What befalls the bot at some moment. */
export type Mishap = { atMs: number; restartMs: number } & (
  | { kind: 'crash' }
  | { kind: 'crash-at'; failpoint: Failpoint; count: number }
  | { kind: 'statement'; count: number; fate: Fate }
  /** Another one is started beside it. */
  | { kind: 'suspend'; ms: number }
  | { kind: 'suspend-at'; failpoint: Failpoint; ms: number }
  | { kind: 'stop'; graceMs: number }
  /** The clock of the database is put forward. */
  | { kind: 'clock'; ms: number }
  | { kind: 'pause-pool'; paused: boolean }
)

export function planOf(seed: string): Plan {
  const chance = chanceOf(`${seed}/plan`)
  const chaosMs = chance.between(10, 60) * 1000
  const customers = Array.from({ length: chance.between(2, 4) }, () => customerOf(chance))
  const messages = messagesOf(chance, customers.length, chaosMs)
  const replicas = chance.happens(0.2) ? 2 : 1
  return {
    seed,
    startMs: startOf(chance, chaosMs),
    rules: {
      // No operator can set a budget for new keys; if one could, it would be worth nothing.
      budgets: { ...defaultMoneyRules.budgets, new: chance.happens(0.1) ? 100 : 0 },
      poolSeedSats: chance.pick([10_000, 10_000, 2_000, 600, 150]),
      poolDailyOutflowPct: chance.pick([10, 50, 100]),
    },
    settings: {
      invoiceTtlSeconds: chance.pick([15, 30, 60]),
      paymentPollMs: chance.pick([8_000, 20_000]),
      workLeaseSeconds: chance.pick([10, 30]),
      deliveryLeaseSeconds: chance.pick([5, 10]),
      workSlots: chance.pick([1, 4]),
      reports: chance.happens(0.3),
    },
    dials: dialsOf(chance),
    customers,
    messages,
    replicas,
    skewsMs: Array.from({ length: 8 }, () => skewOf(chance)),
    mishaps: mishapsOf(chance, chaosMs, failpointsFor(messages)),
    chaosMs,
    resubscribes: chance.happens(0.2),
    strict: chance.happens(0.1),
  }
}

/** A third of all worlds see a midnight (UTC) pass. */
function startOf(chance: Chance, chaosMs: number): number {
  const midnightMs = Math.ceil(START_MS / 86_400_000) * 86_400_000
  return chance.happens(0.3) ? midnightMs - chance.int(chaosMs) : START_MS
}

/** Wall clocks of processes are wrong by seconds, and sometimes by an hour. */
function skewOf(chance: Chance): number {
  if (chance.happens(0.1)) return chance.pick([-3_600_000, 3_600_000])
  return chance.happens(0.3) ? chance.between(-2_000, 2_000) : 0
}

function customerOf(chance: Chance): CustomerPlan {
  const tier = chance.pick<Tier | undefined>([
    ...[undefined, undefined, 'new', 'established', 'trusted', 'elite'],
  ] as const)
  return { tier, banned: chance.happens(0.03) }
}

/** Each kind of trouble is on in some worlds and off in others, so that none hides behind another. */
function dialsOf(chance: Chance): Dials {
  const dial = (most: number, often = 0.3) =>
    chance.happens(often) ? Math.round(chance.fraction() * most * 100) / 100 : 0
  return {
    lnbits: {
      unreachable: dial(0.6),
      createFails: dial(0.5),
      createLost: dial(0.5),
      slow: dial(0.4),
      seenLate: dial(0.8),
      calledFailed: dial(0.8),
      listLies: dial(0.6),
      takesLate: dial(1),
      otherAmount: dial(0.3, 0.15),
    },
    relays: {
      ackLost: dial(0.6),
      refused: dial(0.5),
      blocked: dial(0.2, 0.1),
      unreachable: dial(0.6),
      slow: dial(0.5),
      noList: dial(0.4, 0.1),
    },
    feed: { doubled: dial(0.8), late: dial(0.6), withheld: dial(0.6) },
    backend: {
      slow: dial(0.6),
      fails: dial(0.6),
      rejects: dial(0.3),
      overruns: dial(0.6),
      uncounted: dial(0.4),
      negative: dial(0.3, 0.05),
      hangs: dial(0.3, 0.2),
    },
    payouts: chance.happens(0.8) ? payoutFates : calm.payouts,
    noRate: dial(0.3, 0.1),
  }
}

const kinds: readonly [MessagePlan['kind'], weight: number][] = [
  ['twin', 1],
  ['old', 1],
  ['topup', 5],
  ['donate', 1],
  ['withdraw', 3],
  ['withdraw-own', 1],
  ['cancel', 1],
  ['estimate', 2],
  ['balance', 1],
  ['why', 1],
  ['pool', 1],
  ['junk', 1],
]
const weighted = kinds.flatMap(([kind, weight]) =>
  new Array<MessagePlan['kind']>(weight).fill(kind),
)

function messagesOf(chance: Chance, customers: number, chaosMs: number): MessagePlan[] {
  const jobs = Array.from({ length: chance.pick([2, 3, 3, 4, 5]) }, () => 'job' as const)
  // A quarter of all worlds has savers, who buy balance and take some of it out again.
  const saved = chance.happens(0.25) ? chance.between(1, 2) : 0
  const others = Array.from({ length: chance.pick([0, 0, 1, 2, 3]) }, () => chance.pick(weighted))
  others.push(...new Array<'withdraw'>(saved).fill('withdraw'))
  // Some arrive alone, some together: what comes together is decided in one transaction.
  const moments = chance.happens(0.5) ? chance.between(1, 3) : 100
  const messages = [...jobs, ...others].map((kind) => {
    const atMs = Math.floor((chance.int(moments) / moments) * chaosMs * 0.75)
    return messageOf(kind, chance, { atMs, customer: chance.int(customers) })
  })
  return [...messages, ...funding(messages, chance)].sort((a, b) => a.atMs - b.atMs)
}

/** Whoever wants to take sats out has bought some before, mostly enough of them. */
function funding(messages: readonly MessagePlan[], chance: Chance): MessagePlan[] {
  return messages
    .filter(({ kind }) => kind === 'withdraw')
    .map(({ customer, size }) => ({
      ...messageOf('topup', chance, { atMs: 0, customer }),
      size: chance.happens(0.8) ? size + 100 : size,
      payment: { kind: 'paid', afterMs: chance.between(100, 2_000) },
    }))
}

function messageOf(
  kind: MessagePlan['kind'],
  chance: Chance,
  { atMs, customer }: { atMs: number; customer: number },
): MessagePlan {
  const money = kind === 'topup' || kind === 'donate' || kind.startsWith('withdraw')
  return {
    ...{ kind, customer },
    // What is bought first can be spent later.
    atMs: kind === 'topup' ? Math.floor(atMs / 4) : atMs,
    size: money ? chance.between(100, 900) : chance.between(12, 60),
    via: chance.pick(['nip17', 'nip17', 'nip17', 'nip04', 'nip90']),
    model: chance.pick([undefined, undefined, 'token', 'flat']),
    payment: {
      kind: chance.pick(['paid', 'paid', 'paid', 'paid', 'paid', 'late', 'never', 'cancelled']),
      afterMs: chance.happens(0.7) ? chance.between(200, 4_000) : chance.between(4_000, 40_000),
    },
  }
}

const fates: readonly Fate[] = [
  'dies-before',
  'dies-after',
  'dies-after',
  'lost-before',
  'lost-after',
]

/** A trap where nobody passes is none. */
function failpointsFor(messages: readonly MessagePlan[]): Failpoint[] {
  const withdraws = messages.some(({ kind }) => kind === 'withdraw')
  const buys = messages.some(({ kind }) => kind === 'topup' || kind === 'donate')
  return failpoints.filter(
    (name) => (withdraws || !name.startsWith('withdraw')) && (buys || !name.startsWith('funds')),
  )
}

function mishapsOf(chance: Chance, chaosMs: number, places: readonly Failpoint[]): Mishap[] {
  return Array.from({ length: chance.pick([0, 1, 1, 2, 3]) }, (): Mishap => {
    const when = { atMs: chance.int(chaosMs), restartMs: chance.pick([0, 1_000, 15_000]) }
    const lot = chance.fraction()
    if (lot < 0.35) {
      const count = chance.pick([1, 1, 2])
      return { ...when, kind: 'crash-at', failpoint: chance.pick(places), count }
    }
    if (lot < 0.65) {
      return { ...when, kind: 'statement', count: chance.between(1, 40), fate: chance.pick(fates) }
    }
    if (lot < 0.72) return { ...when, kind: 'crash' }
    if (lot < 0.88) {
      const ms = chance.between(5, 90) * 1000
      if (chance.happens(0.4)) return { ...when, kind: 'suspend', ms }
      return { ...when, kind: 'suspend-at', failpoint: chance.pick(places), ms }
    }
    if (lot < 0.92) return { ...when, kind: 'stop', graceMs: chance.pick([0, 2_000]) }
    if (lot < 0.96) return { ...when, kind: 'clock', ms: chance.between(1, 60) * 60_000 }
    return { ...when, kind: 'pause-pool', paused: chance.happens(0.7) }
  })
}
