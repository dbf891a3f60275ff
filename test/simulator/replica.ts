import type { Failpoint } from '../../src/failpoint.ts'
import { buildJourney, type Journey } from '../../src/journey/journey.ts'
import { createPrices } from '../../src/journey/prices.ts'
import type { Log } from '../../src/log.ts'
import type { MoneyRules } from '../../src/money/rules.ts'
import { reportReplica } from '../../src/store/replicas.ts'
import type { BackendModel } from './backend.ts'
import type { Chance } from './chance.ts'
import type { Fate, SharedSession, SimulatedProcess } from './database.ts'
import { eventOf, intakeOf } from './doors.ts'
import type { IncomingModel } from './lnbits.ts'
import type { OutgoingModel } from './payouts.ts'
import type { Feed, OutgoingRelays } from './relays.ts'
import type { VirtualTime } from './time.ts'
import type { Trace } from './trace.ts'

/** What all replicas of one world share. */
export interface Outside {
  time: VirtualTime
  trace: Trace
  session: SharedSession
  incoming: IncomingModel
  outgoing: OutgoingModel
  relays: OutgoingRelays
  feed: Feed
  backend: BackendModel
  log: Log
  rules: MoneyRules
  settings: JourneySettings
  /** Chances of one replica. */
  chance(name: string): Chance
  rate(): { usdPerBtc: number } | { none: string }
  died(replica: Replica): void
}

export interface JourneySettings {
  invoiceTtlSeconds: number
  paymentPollMs: number
  workLeaseSeconds: number
  deliveryLeaseSeconds: number
  workSlots: number
  /** Whether replicas say that they are there, as the operator's side of a daemon does. */
  reports: boolean
}

/** One daemon without its sockets: the whole journey, which can die at any point. */
export interface Replica extends SimulatedProcess {
  journey: Journey
  /** How many it has sent. */
  statements: number
  /** Dies at the `count`-th pass of a failpoint. */
  crashAt(name: Failpoint, count?: number): void
  /** Falls asleep there in the same way, for so long. */
  suspendAt(name: Failpoint, ms: number, count?: number): void
  /** The `count`-th statement from now meets its fate. */
  fuse(count: number, fate: Fate): void
  /** Told by the failpoint; never resolves when the process has died there. */
  passed(name: Failpoint): Promise<void> | void
  /** As SIGSTOP, with what the server does to a session that falls silent. */
  suspend(ms: number): void
  /** What it does when a connection was lost. */
  losses: (() => void)[]
  /** In good order. */
  stop(graceMs: number): void
  /** Forgets what was to befall it, and goes on. */
  calmDown(): void
}

interface Trap {
  name: Failpoint
  left: number
  /** Absent: it dies. */
  sleepMs?: number
}

/** One model priced by the token, one at a flat price: an estimate is 1.4 sats a token. */
export const models = [
  { name: 'token', inputUsdPerMillion: 1_000, outputUsdPerMillion: 1_000, maxOutputTokens: 20 },
  { name: 'flat', satsPerRequest: 21 },
]

export const USD_PER_BTC = 100_000

export function startReplica(outside: Outside, name: string, skewMs: number): Replica {
  const { time, trace, session, feed } = outside
  const traps: Trap[] = []
  const fuses: { left: number; fate: Fate }[] = []
  const chance = outside.chance(`${name}/rows`)

  const process: Omit<Replica, 'journey'> = {
    name,
    state: 'alive',
    missed: [],
    skewMs,
    losses: [],
    statements: 0,
    crashAt(at, count = 1) {
      traps.push({ name: at, left: count })
    },
    suspendAt(at, ms, count = 1) {
      traps.push({ name: at, left: count, sleepMs: ms })
    },
    fuse(count, fate) {
      fuses.push({ left: count, fate })
    },
    fate(statement) {
      process.statements += 1
      trace.note(`${name} ${statement.slice(0, 40)}`)
      for (const fuse of fuses) fuse.left -= 1
      const blown = fuses.findIndex(({ left }) => left <= 0)
      const [fuse] = blown < 0 ? [] : fuses.splice(blown, 1)
      if (fuse) trace.note(`${name} ${fuse.fate}`)
      return fuse?.fate ?? 'answered'
    },
    shuffle(rows) {
      if (!Array.isArray(rows) || rows.length < 2) return
      // From the same order each time: that of the server depends on what was there before.
      const texts = new Map(rows.map((row) => [row, JSON.stringify(row)]))
      rows.sort((a, b) => ((texts.get(a) ?? '') < (texts.get(b) ?? '') ? -1 : 1))
      for (let at = rows.length - 1; at > 0; at -= 1) {
        const other = chance.int(at + 1)
        ;[rows[at], rows[other]] = [rows[other], rows[at]]
      }
    },
    passed(at) {
      if (process.state === 'dead') return never()
      trace.note(`${name} passes ${at}`)
      for (const trap of traps) if (trap.name === at) trap.left -= 1
      const sprung = traps.findIndex(({ left }) => left <= 0)
      const [trap] = sprung < 0 ? [] : traps.splice(sprung, 1)
      if (!trap) return
      if (trap.sleepMs === undefined) {
        process.die(`at ${at}`)
        return never()
      }
      process.suspend(trap.sleepMs)
      // It comes when the process goes on, as all else does.
      return new Promise((resolve) => time.after(0, process, resolve))
    },
    die(why) {
      if (process.state === 'dead') return
      process.state = 'dead'
      trace.note(`${name} dies ${why.slice(0, 60)}`)
      session.hangUp(process)
      outside.died(replica)
    },
    suspend(ms) {
      if (process.state !== 'alive') return
      process.state = 'suspended'
      trace.note(`${name} is suspended for ${ms}`)
      session.hangUp(process)
      time.after(ms, undefined, () => resume(outside, process))
    },
    stop(graceMs) {
      trace.note(`${name} is told to stop`)
      void replica.journey.stop(graceMs).then(() => process.die('in good order'))
    },
    calmDown() {
      traps.length = 0
      fuses.length = 0
      resume(outside, process)
    },
  }
  const replica: Replica = Object.assign(process, { journey: buildOn(outside, process) })
  replica.journey.start()
  if (outside.settings.reports) void report(outside, replica)
  feed.connect(replica, (message, relay) => replica.journey.receive(eventOf(message), relay))
  return replica
}

/** Several times in the minute after which a silent replica counts as gone. */
const REPORT_MS = 20_000

async function report({ time, session }: Outside, process: Replica): Promise<void> {
  const clock = time.clockOf(process)
  const sql = session.of(process)
  const facts = { relays: [], backend: '', http: '' }
  const lnbits = { up: true, events: true, balanceSats: null, downMs: null }
  for (;;) {
    const word = { holder: process.name, version: '0', upSeconds: 0, facts: { ...facts, lnbits } }
    await reportReplica(sql, word).catch(() => {})
    await clock.sleep(REPORT_MS)
  }
}

function resume({ time, trace, session }: Outside, process: Omit<Replica, 'journey'>): void {
  if (process.state !== 'suspended') return
  process.state = 'alive'
  trace.note(`${process.name} goes on`)
  for (const act of process.missed.splice(0)) time.after(0, process, act)
  session.goOn()
}

function buildOn(outside: Outside, process: Omit<Replica, 'journey'>): Journey {
  const { settings, rules } = outside
  const chance = outside.chance(process.name)
  return buildJourney({
    // What replicas tell each other never comes: it is a hint, and timers have to do without.
    sql: outside.session.of(process, (onListening) => {
      outside.time.after(1, process, () => onListening?.())
    }),
    rules,
    prices: createPrices({
      models,
      marginPct: rules.marginPct,
      rate: { current: async () => outside.rate() },
      countTokens: (text) => text.length,
    }),
    backend: outside.backend.of(process),
    lightning: outside.incoming.of(process),
    payouts: {
      payer: outside.outgoing.of(process),
      resolve: async () => ({ ok: false, reason: 'address' }),
      satsMin: 100,
      dailySatsMax: 100_000,
      dailyTotalSatsMax: 100_000_000,
    },
    take: intakeOf(outside.time.clockOf(process)),
    isBot: () => false,
    sign: (row) => outside.relays.sign(process, row),
    signAtOnce: async (row) => outside.relays.signAtOnce(row),
    publish: (event, relays) => outside.relays.publish(process, event, relays),
    clock: outside.time.clockOf(process),
    random: chance.fraction,
    log: outside.log,
    holder: process.name,
    bornAt: 0,
    invoiceTtlSeconds: settings.invoiceTtlSeconds,
    paymentPollMs: settings.paymentPollMs,
    botName: 'Timmy',
    lanes: {
      workSlots: settings.workSlots,
      workLeaseSeconds: settings.workLeaseSeconds,
      deliveryLeaseSeconds: settings.deliveryLeaseSeconds,
    },
    notes: { dropped() {}, requested() {}, delivered() {}, moneyMoved() {} },
  })
}

const never = (): Promise<void> => new Promise(() => {})
