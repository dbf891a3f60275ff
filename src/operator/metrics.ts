import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Serve } from '../money/decide.ts'
import { hostOf } from './screen.ts'

/**
 * What the daemon counts, in Prometheus form. Labels come from closed lists of ours: no customer,
 * no event, no text from outside ever becomes a label, so the number of series stays in the hundreds
 * and nothing private can be read here (invariant C12).
 */

/** Where a request spends its time, in the order it passes. */
export const stages = [
  'open',
  'accept',
  'quote',
  'payment_noticed',
  'work',
  'settle',
  'deliver',
] as const

export type Stage = (typeof stages)[number]

/** Sats that moved, by the word of the ledger. */
export type SatsKind = 'absorbed' | 'charged' | 'credited' | 'refunded' | 'shortfall' | 'withdrawn'

/** Where a fault came from that the daemon lives through. */
export type FaultAt = 'relay' | 'lnbits' | 'backend' | 'database'

/** State that is read now and then; each stays as it is until it is given again. */
export interface Readings {
  poolBalanceSats: number
  /** Σ discounts of open partial invoices. */
  poolPromisedSats: number
  /** Sum of all accounts as the last audit found it; 0 is the only right value. */
  ledgerDriftSats: number
  /** LNbits' balance less what the ledger and declared payments in flight explain. */
  lightningDriftSats: number
  /** Replies that no relay has acknowledged. */
  outboxUnconfirmed: number
  openInvoices: number
  /** Age of the oldest row that is due, seconds; grows when lanes do not keep up. */
  oldestDueSeconds: number
}

export interface Metrics {
  intakeDropped(reason: string): void
  /** A request that was taken in, by its door: `nip17`, `nip04`, `nip90`. */
  requested(via: string): void
  refused(reason: string): void
  decided(serve: Serve): void
  /** A job that ended, by its last state. */
  ended(state: string): void
  /** One stage of one request, milliseconds of our own; waiting for the customer is no stage. */
  stage(stage: Stage, ms: number): void
  moved(kind: SatsKind, sats: number): void
  replied(outcome: 'acknowledged' | 'retried' | 'given_up'): void
  laneClaimed(lane: string): void
  laneRetried(lane: string): void
  laneLost(lane: string): void
  laneHeld(lane: string, rows: number): void
  fault(at: FaultAt): void
  /** `relay` is one of the operator's, never one that a customer named. */
  relayLive(relay: string, live: boolean): void
  read(readings: Partial<Readings>): void
  /** The Prometheus text of everything, for `/metrics`. */
  render(): Promise<string>
  readonly contentType: string
}

/** Series of one label. Beyond it, new values count as `other`: a bug must not fill the memory. */
const LABEL_VALUES = 64

const STAGE_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120,
]

/** All metrics at zero, in a registry of their own, with those of the process beside them. */
export function createMetrics({ version = 'unknown' }: { version?: string } = {}): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const counts = createCounts(registry)
  const gauges = createGauges(registry)
  const stageSeconds = new Histogram({
    name: 'tithe_stage_seconds',
    help: 'Time one request spends in one stage, waiting for the customer left out',
    labelNames: ['stage'],
    buckets: STAGE_BUCKETS,
    registers: [registry],
  })
  for (const stage of stages) stageSeconds.zero({ stage })
  gauges.buildInfo.set({ version }, 1)
  return {
    intakeDropped: counts.intakeDropped,
    requested: counts.requests,
    refused: counts.refused,
    decided: counts.decisions,
    ended: counts.ended,
    stage: (stage, ms) => stageSeconds.observe({ stage }, ms / 1000),
    moved: counts.sats,
    replied: counts.replies,
    laneClaimed: counts.laneClaims,
    laneRetried: counts.laneRetries,
    laneLost: counts.laneLost,
    laneHeld: (lane, rows) => gauges.laneHeld.set({ lane }, rows),
    fault: counts.faults,
    relayLive: (relay, live) => gauges.relayLive.set({ relay: hostOf(relay) }, live ? 1 : 0),
    read: gauges.read,
    render: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

function createCounts(registry: Registry) {
  /** Counts by one label; a value that is not a short word of ours counts as `other`. */
  function countBy(name: string, label: string, help: string, known: readonly string[] = []) {
    const counter = new Counter({ name, help, labelNames: [label], registers: [registry] })
    const seen = new Set(known)
    // Known values start at zero: a counter that appears with its first event hides that event
    // from `increase()`.
    for (const value of known) counter.inc({ [label]: value }, 0)
    return (value: string, by = 1): void => {
      const fits = seen.has(value) || (/^[a-z0-9_-]{1,40}$/.test(value) && seen.size < LABEL_VALUES)
      if (fits) seen.add(value)
      counter.inc({ [label]: fits ? value : 'other' }, by)
    }
  }
  return {
    intakeDropped: countBy(
      'tithe_intake_dropped_total',
      'reason',
      'Events from relays that were dropped before they became a request',
    ),
    requests: countBy('tithe_requests_total', 'via', 'Requests taken in, by door', [
      'nip17',
      'nip04',
      'nip90',
    ]),
    refused: countBy('tithe_refused_total', 'reason', 'Requests answered with a refusal'),
    decisions: countBy('tithe_decisions_total', 'serve', 'Decisions on jobs', [
      'free',
      'partial',
      'gate',
    ]),
    ended: countBy('tithe_jobs_ended_total', 'state', 'Jobs that reached an end', [
      'done',
      'failed',
      'expired',
      'refused',
    ]),
    sats: countBy('tithe_moved_sats_total', 'kind', 'Sats moved by settled work', [
      'absorbed',
      'charged',
      'credited',
      'refunded',
      'shortfall',
      'withdrawn',
    ]),
    replies: countBy('tithe_replies_total', 'outcome', 'Attempts to publish a reply to a relay', [
      'acknowledged',
      'retried',
      'given_up',
    ]),
    laneClaims: countBy(
      'tithe_lane_claims_total',
      'lane',
      'Rows that a lane of this replica began to work on',
    ),
    laneRetries: countBy(
      'tithe_lane_retries_total',
      'lane',
      'Steps that threw and are tried again',
    ),
    laneLost: countBy('tithe_lane_lost_total', 'lane', 'Rows that another replica took over'),
    faults: countBy('tithe_faults_total', 'at', 'Faults of what the daemon depends on', [
      'relay',
      'lnbits',
      'backend',
      'database',
    ]),
  }
}

const readingNames: Record<keyof Readings, [name: string, help: string]> = {
  poolBalanceSats: ['tithe_pool_balance_sats', 'Sats in the pool'],
  poolPromisedSats: ['tithe_pool_promised_sats', 'Sum of the discounts of open partial invoices'],
  ledgerDriftSats: ['tithe_ledger_drift_sats', 'Sum of all accounts, which is 0'],
  lightningDriftSats: [
    'tithe_lightning_drift_sats',
    'Balance of LNbits less what the ledger explains, which is 0',
  ],
  outboxUnconfirmed: ['tithe_outbox_unconfirmed', 'Replies that no relay has acknowledged'],
  openInvoices: ['tithe_open_invoices', 'Invoices that wait for a payment'],
  oldestDueSeconds: ['tithe_oldest_due_seconds', 'Age of the oldest row that is due'],
}

function createGauges(registry: Registry) {
  const registers = [registry]
  const values = new Map(
    Object.entries(readingNames).map(([key, [name, help]]) => {
      const gauge = new Gauge({ name, help, registers })
      // Not read yet is unknown. A drift of 0 before the first audit would be a lie.
      gauge.set(Number.NaN)
      return [key, gauge]
    }),
  )
  return {
    buildInfo: new Gauge({
      name: 'tithe_build_info',
      help: 'Always 1, with the version as label',
      labelNames: ['version'],
      registers,
    }),
    laneHeld: new Gauge({
      name: 'tithe_lane_held',
      help: 'Rows that any replica works on',
      labelNames: ['lane'],
      registers,
    }),
    relayLive: new Gauge({
      name: 'tithe_relay_live',
      help: '1 while the subscription on this relay of ours is live',
      labelNames: ['relay'],
      registers,
    }),
    read(readings: Partial<Readings>): void {
      for (const [key, value] of Object.entries(readings)) values.get(key)?.set(value)
    },
  }
}
