import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import type { Ground } from './ground.ts'
import type { Lnbits } from './lightning/lnbits.ts'
import type { Log } from './log.ts'
import type { Net } from './net.ts'
import { createAlerts } from './operator/alerts.ts'
import { createFullStatus } from './operator/full-status.ts'
import type { Metrics } from './operator/metrics.ts'
import { readOverview } from './operator/overview.ts'
import { createStatusLoop } from './operator/status-loop.ts'
import { createSurroundings } from './operator/surroundings.ts'
import { createTrust } from './operator/trust.ts'
import { version } from './version.ts'

export interface OperatorParts {
  config: Config
  clock: Clock
  log: Log
  /** This replica among others. */
  holder: string
  ground: Ground
  net: Net
  lnbits: Lnbits
  metrics: Metrics
  /** Read when they are there: the journey that hears LNbits begins later than this. */
  eventsUp(): boolean
  http(): string
}

/** What looks after the bot and tells of it: pool status, status and alerts for operators, trust, gauges. */
export interface Operator {
  start(): void
  /** Money moved: the figures that are published have changed. */
  touch(): void
  /** Reads the gauges of `/metrics`, when somebody asks for them. */
  readGauges(): Promise<void>
  /** Tells the world and gives everything back; before what it reads is stopped. */
  stop(): Promise<void>
}

export function buildOperator(parts: OperatorParts): Operator {
  const { config, clock, log, holder, ground, net } = parts
  const { sql } = ground
  const { operators, money: rules } = config
  const common = { sql, clock, log, holder }
  let wasDegraded = false
  const surroundings = createSurroundings({
    ...common,
    version,
    relays: net.relayStates,
    lnbits: parts.lnbits,
    eventsUp: parts.eventsUp,
    backend: config.backend.kind,
    http: parts.http,
    looked({ relays, lnbits }) {
      for (const { url, liveMs } of relays) {
        parts.metrics.relayLive(url, liveMs !== null)
        if (liveMs === null) parts.metrics.fault('relay')
      }
      if (!lnbits.up) parts.metrics.fault('lnbits')
      const isDegraded = surroundings.isDegraded()
      if (isDegraded !== wasDegraded) status.touch()
      wasDegraded = isDegraded
    },
  })
  const { identity } = net
  const status = createStatusLoop({
    ...common,
    ...config.poolStatus,
    rules,
    version,
    publish: (template) => net.publishOwn(identity.sign(template)),
    degraded: surroundings.isDegraded,
    ...(operators.length > 0
      ? { more: createFullStatus({ sql, rules, identity, operators }) }
      : {}),
  })
  const alerts = createAlerts({ ...common, rules, operators })
  const trust = createTrust({
    ...common,
    operators,
    trust: config.trust,
    // The sandbox reaches nothing outside this machine.
    fetch: (filters, { also, ...options }) =>
      net.fetch(filters, { ...options, also: config.mode === 'sandbox' ? [] : also }),
  })
  // Relays in memory forget the status when they restart.
  net.onConnected(status.touch)
  return {
    start() {
      surroundings.start()
      status.start()
      alerts.start()
      trust.start()
    },
    touch: status.touch,
    readGauges: () => readGauges(parts),
    async stop() {
      await Promise.all([alerts.stop(), trust.stop()])
      await status.stop()
      await surroundings.stop()
    },
  }
}

/** Without the database they stay as they were. */
async function readGauges({ config, ground, metrics, log }: OperatorParts): Promise<void> {
  try {
    const { figures, drift, waiting, queues } = await readOverview(ground.sql, config.money)
    for (const { lane, held } of queues) metrics.laneHeld(lane, held)
    metrics.read({
      poolBalanceSats: figures.pool.balanceSats,
      poolPromisedSats: figures.pool.openPromisesSats,
      ledgerDriftSats: drift.ledgerSats,
      ...(drift.lightningSats === null ? {} : { lightningDriftSats: drift.lightningSats }),
      outboxUnconfirmed: waiting.undelivered,
      openInvoices: waiting.openInvoices,
      oldestDueSeconds: Math.max(0, ...queues.map((queue) => queue.oldestDueSeconds ?? 0)),
    })
  } catch (error) {
    metrics.fault('database')
    log.debug({ err: error }, 'the gauges could not be read')
  }
}
