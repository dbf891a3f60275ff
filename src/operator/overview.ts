import { owedTo } from '../books.ts'
import type { MoneyRules } from '../money/rules.ts'
import { type Balances, readAccounts } from '../store/audit.ts'
import { readOnly, type Sql } from '../store/database.ts'
import {
  type Queue,
  readBackendFailures,
  readQueues,
  readWaiting,
  type Waiting,
} from '../store/overview.ts'
import { type Replica, type ReplicaFacts, readReplicas } from '../store/replicas.ts'
import { readVerdict } from '../store/solvency.ts'
import { type Figures, figuresIn } from './figures.ts'
import { hostOf } from './screen.ts'

/** Everything an operator wants to see at once, of one instant. */
export interface Overview {
  figures: Figures
  balances: Balances
  queues: Queue[]
  waiting: Waiting
  replicas: Replica[]
  relays: RelayView[]
  /** What a replica says of LNbits; null when none runs. */
  lnbits: ReplicaFacts['lnbits'] | null
  /** The latest jobs that ended, up to the first that was done, failed at the backend this often. */
  backendFailures: number
  drift: {
    /** Lightning less what it is owed to; `tithe audit` adds up every transfer. */
    ledgerSats: number
    /** LNbits' balance less what explains it; null when nobody has looked. */
    lightningSats: number | null
    /** LNbits and the books disagree: nothing is sold and nothing paid out. */
    stopped: boolean
  }
}

export interface RelayView {
  /** Host and port. */
  relay: string
  state: string
  /** How long every subscription on it is live, milliseconds; null while one is not. */
  liveMs: number | null
  /** How long nobody has heard it; null while somebody does. */
  deafMs: number | null
}

export async function readOverview(sql: Sql, rules: MoneyRules): Promise<Overview> {
  const { verdict, ...read } = await readOnly(sql, async (tx) => ({
    figures: await figuresIn(tx, rules),
    balances: await readAccounts(tx),
    queues: await readQueues(tx),
    waiting: await readWaiting(tx),
    replicas: await readReplicas(tx),
    verdict: await readVerdict(tx),
    backendFailures: await readBackendFailures(tx),
  }))
  const owedSats = owedTo(read.balances).reduce((sum, [, sats]) => sum + sats, 0)
  const words = read.replicas.map(({ facts }) => facts.lnbits)
  return {
    ...read,
    relays: relaysOf(read.replicas),
    lnbits: words.find(({ up }) => up) ?? words[0] ?? null,
    drift: {
      ledgerSats: read.balances.lightningSats - owedSats,
      lightningSats: verdict?.driftSats ?? null,
      stopped: read.figures.pool.lightningStopped,
    },
  }
}

/** What all replicas together see: a relay is live when it is live for one of them. */
function relaysOf(replicas: readonly Replica[]): RelayView[] {
  const seen = replicas.flatMap(({ facts }) => facts.relays)
  return [...new Set(seen.map(({ url }) => url))].map((url) => {
    const views = seen.filter((relay) => relay.url === url)
    const hears = views.find(({ liveMs }) => liveMs !== null)
    const deafMs = Math.min(...views.map((view) => view.deafMs ?? 0))
    return {
      relay: hostOf(url),
      state: (hears ?? views[0])?.state ?? 'unknown',
      liveMs: hears?.liveMs ?? null,
      deafMs: hears ? null : deafMs,
    }
  })
}

/** Late by this long, seconds, a lane does not keep up. */
const LATE_SECONDS = 60
/** A relay that is not heard for less than this, milliseconds, is being connected to. */
const DEAF_MS = 30_000
/** Jobs in a row that fail at the backend before that is more than one customer's bad luck. */
export const FAILING_JOBS = 3

/** What needs a hand, each with the command that shows more. Empty when all is well. */
export function attentionOf(overview: Overview): string[] {
  const { drift, queues, waiting, replicas, relays, lnbits } = overview
  const late = queues.filter(({ oldestDueSeconds }) => (oldestDueSeconds ?? 0) > LATE_SECONDS)
  const deaf = relays.filter(({ deafMs }) => (deafMs ?? 0) > DEAF_MS)
  return [
    ...(replicas.length === 0 ? ['nothing runs here: tithe start'] : []),
    ...(drift.ledgerSats === 0 ? [] : ['the books do not add up: tithe audit']),
    ...(drift.stopped ? ['LNbits does not have what the books say: tithe reconcile'] : []),
    ...(waiting.unknownWithdrawals > 0 ? ['withdrawals without a certain end: tithe payouts'] : []),
    ...(lnbits && !lnbits.up ? ['LNbits does not answer: tithe doctor'] : []),
    ...deaf.map(({ relay }) => `${relay} is not heard: tithe doctor`),
    ...(overview.backendFailures >= FAILING_JOBS
      ? ['the backend fails: tithe jobs --state failed']
      : []),
    ...late.map(({ lane }) => `the lane ${lane} is late`),
  ]
}
