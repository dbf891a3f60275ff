import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { buildBackend } from './backends/build.ts'
import { countTokens } from './backends/tokenizer.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { buildOperator, type Operator } from './daemon-operator.ts'
import { type Ground, openGround } from './ground.ts'
import { createEnvelope } from './journey/envelope.ts'
import { createIntake } from './journey/intake.ts'
import { buildJourney, type Journey } from './journey/journey.ts'
import { timed } from './journey/measured.ts'
import type { Payouts } from './journey/payouts.ts'
import { createPrices } from './journey/prices.ts'
import { readSecretKey } from './key-file.ts'
import { createLnbits, type Lnbits } from './lightning/lnbits.ts'
import { type PaymentEvents, watchPayments } from './lightning/lnbits-events.ts'
import { resolveLightningAddress } from './lightning/lnurl.ts'
import { createBtcRate } from './lightning/rate.ts'
import { PUBLISH_MS } from './limits.ts'
import type { Log } from './log.ts'
import { floorPct } from './money/sats.ts'
import { buildNet, type Net } from './net.ts'
import { npub } from './nostr/identity.ts'
import { type Health, type HttpDoor, type PageFile, startHttp } from './operator/http.ts'
import { createMeasures } from './operator/measures.ts'
import { createMetrics, type Metrics } from './operator/metrics.ts'
import { readPage } from './operator/page-files.ts'
import { createSealLoop } from './operator/seal-loop.ts'
import { createSolvency, type SolvencyOptions } from './operator/solvency.ts'
import { CUSTOMER_NAME, type Sandbox, startSandbox, writeSandboxFile } from './sandbox/sandbox.ts'
import { readBornAt } from './store/status.ts'
import { leaveTurns } from './store/turns.ts'
import { version } from './version.ts'

export interface Daemon {
  readonly pubkey: string
  readonly npub: string
  readonly relays: readonly string[]
  /** What it stands on: the curve, the kind of database, and the URL of LNbits. */
  readonly stack: { curve: string; database: string; lnbits: string }
  readonly sandbox: Sandbox | undefined
  readonly ground: Ground
  readonly http: HttpDoor
  /** Takes nothing new, lets running work end, says `paused`, gives back what is held. Idempotent. */
  stop(): Promise<void>
}

interface Parts {
  config: Config
  clock: Clock
  log: Log
  /** This replica among others. */
  holder: string
}

/**
 * Starts the whole bot: database, sandbox where nothing real is configured, Nostr, Lightning, backend, journey and
 * what operators look at. Every constructor is here, in order; what fails stops what was started before it.
 */
export async function startDaemon({
  signal = new AbortController().signal,
  ...options
}: {
  config: Config
  clock: Clock
  log: Log
  /** Ends the waiting for a database that is not there. */
  signal?: AbortSignal
}): Promise<Daemon> {
  const parts: Parts = {
    ...options,
    holder: `${hostname()}:${process.pid}:${randomBytes(3).toString('hex')}`,
  }
  const { config, clock, log } = parts
  const undo = createUndo()
  try {
    const [metrics, readiness] = [createMetrics({ version }), createReadiness()]
    const later: { events?: PaymentEvents; operator?: Operator } = {}
    const shown = withGauges(metrics, async () => later.operator?.readGauges())
    const http = undo.push(await openHttp(parts, readiness, shown))
    const patience = { signal, waiting: readiness.notYet }
    const ground = undo.push(await openGround(config, { clock, log, name: 'daemon', patience }))
    const sandbox =
      config.mode === 'sandbox'
        ? undo.push(await startSandbox({ dataDir: config.dataDir, ...config.sandbox, clock }))
        : undefined
    const net = undo.push(await openNet(parts, ground, sandbox))
    const lnbits = openLnbits(parts, sandbox)
    undo.push({ stop: async () => lnbits.close() })
    const payouts = openPayouts(parts, sandbox)
    if (payouts) undo.push(payouts)
    const common = { ...parts, sql: ground.sql }
    const changed = () => operator.touch()
    const solvency = undo.push(buildSolvency({ ...common, lightning: lnbits, changed }, metrics))
    const tools = { ground, net, lnbits, metrics }
    const eventsUp = () => later.events?.state() === 'up'
    const operator = buildOperator({ ...parts, ...tools, eventsUp, http: () => http.url })
    later.operator = operator
    const seals = undo.push(createSealLoop(common))
    const built = { ground, net, lnbits, payouts, metrics, operator }
    const journey = await buildTheJourney(parts, built)
    const events = watchPayments({
      ...keysOf(config, sandbox),
      clock,
      log,
      onHint: journey.hintPayment,
      onUp: journey.lnbitsReturned,
    })
    later.events = events
    if (sandbox) tellSandbox(config, sandbox, net)
    solvency.start()
    journey.start()
    events.start()
    net.start((event, relay) => journey.receive(event, relay))
    operator.start()
    seals.start()
    readiness.started(ground, net)
    return {
      pubkey: net.identity.pubkey,
      npub: npub(net.identity.pubkey),
      relays: net.relays,
      stack: {
        curve: net.identity.curve.name,
        database: ground.kind,
        lnbits: keysOf(config, sandbox).url,
      },
      sandbox,
      ground,
      http,
      stop: once(async () => {
        await net.stopReading()
        await events.stop()
        await journey.stop(config.lanes.stopGraceMs)
        await operator.stop()
        await seals.stop()
        await leaveTurns(ground.sql, parts.holder).catch(() => {})
        await undo.all()
      }),
    }
  } catch (error) {
    await undo.all()
    throw error
  }
}

function openNet({ config, clock, log }: Parts, ground: Ground, sandbox: Sandbox | undefined) {
  const own = sandbox ? [sandbox.relay.url] : config.nostr.relays
  return buildNet({
    secret: readSecretKey(config),
    relays: own,
    dmRelays: sandbox ? own : config.nostr.dmRelays,
    botName: config.nostr.botName,
    powBits: config.nostr.powBits,
    sql: ground.sql,
    clock,
    log,
  })
}

function keysOf({ lnbits }: Config, sandbox: Sandbox | undefined) {
  if (sandbox) return { url: sandbox.lnbits.url, invoiceKey: sandbox.lnbits.bot.invoiceKey }
  if (!lnbits) throw new Error('LNBITS_URL and LNBITS_INVOICE_KEY are missing')
  return { url: lnbits.url, invoiceKey: lnbits.invoiceKey.reveal() }
}

/** The invoice key alone runs everything but payouts. */
function openLnbits({ config, clock, log }: Parts, sandbox: Sandbox | undefined): Lnbits {
  return createLnbits({ ...keysOf(config, sandbox), clock, log })
}

/** What pays withdrawals out: the one reader of the admin key. Without it withdrawals are off. */
function openPayouts({ config, clock, log }: Parts, sandbox: Sandbox | undefined) {
  const adminKey = sandbox ? sandbox.lnbits.bot.adminKey : config.lnbits?.adminKey?.reveal()
  if (adminKey === undefined) return undefined
  const keys = { ...keysOf(config, sandbox), adminKey }
  const payer = createLnbits({ ...keys, maxInFlight: PAYOUT_CALLS, clock, log })
  return {
    payer,
    ...config.withdrawals,
    // The sandbox reaches nothing outside this machine.
    resolve: sandbox ? async () => noAddress : resolveLightningAddress,
    stop: async () => payer.close(),
  }
}

/** A payout and a question about another one. */
const PAYOUT_CALLS = 2
const noAddress = { ok: false, reason: 'address' } as const

async function buildTheJourney(
  { config, clock, log, holder }: Parts,
  built: {
    ground: Ground
    net: Net
    lnbits: Lnbits
    payouts: Payouts | undefined
    metrics: Metrics
    operator: Operator
  },
): Promise<Journey> {
  const { ground, net, lnbits, payouts, metrics, operator } = built
  const { sql } = ground
  const { identity } = net
  const fixed = config.btcUsd === undefined ? {} : { fixedUsd: Number(config.btcUsd) }
  const backend = buildBackend(config.backend, { clock, countTokens })
  const creditOf = (sats: number) => floorPct(sats, config.money.poolCreditPct)
  const measures = createMeasures(metrics, creditOf)
  const watch = { clock, measures }
  return buildJourney({
    sql,
    rules: config.money,
    prices: createPrices({
      models: config.models,
      marginPct: config.money.marginPct,
      rate: createBtcRate({ ...fixed, lnbits, clock, log }),
      countTokens,
    }),
    backend: { ...backend, run: timed('work', backend.run, watch) },
    lightning: { ...lnbits, createInvoice: timed('quote', lnbits.createInvoice, watch) },
    payouts,
    take: timed('open', createIntake({ ...net, clock, powBits: config.nostr.powBits }), watch),
    isBot: net.isBot,
    ...createEnvelope({
      sql,
      identity,
      clock,
      lookup: net.lookup,
      known: net.known,
      checkRelay: net.checkRelay,
      frameBytes: net.frameBytes,
      powBits: net.powBits,
      isConnected: net.isConnected,
      ownRelays: net.relays,
      fallback: config.nostr.dmFallback,
    }),
    publish: timed(
      'deliver',
      (event: { id: string; json: string }, relays: string[]) =>
        net.publish(event, relays, PUBLISH_MS),
      watch,
    ),
    clock,
    log,
    holder,
    bornAt: await readBornAt(sql),
    invoiceTtlSeconds: config.invoiceTtlSeconds,
    paymentPollMs: config.paymentPollMs,
    botName: config.nostr.botName,
    lanes: config.lanes,
    notes: notesFor(metrics, operator),
    measures,
  })
}

function notesFor(metrics: Metrics, operator: Operator) {
  return {
    dropped: (why: string) => metrics.intakeDropped(why),
    requested: ({ door }: { door: string; outcome: string }) => metrics.requested(door),
    delivered: ({ outcome }: { outcome: 'delivered' | 'unconfirmed' | 'given_up' }) =>
      metrics.replied(
        outcome === 'delivered' ? 'acknowledged' : outcome === 'given_up' ? 'given_up' : 'retried',
      ),
    moneyMoved: () => operator.touch(),
  }
}

const buildSolvency = (options: SolvencyOptions, metrics: Metrics) =>
  createSolvency({
    ...options,
    looked: ({ driftSats }) => metrics.read({ lightningDriftSats: driftSats }),
  })

/** Open from the first moment: whoever starts it sees what it waits for. */
function openHttp(
  { config, log }: Parts,
  { ready, page }: Readiness,
  metrics: Pick<Metrics, 'render' | 'contentType'>,
) {
  const health = () => ({ ok: true, detail: 'running' })
  return startHttp({ ...config.http, log, health, ready, metrics, page })
}

/** Gauges cost the database some questions, so they are read when somebody asks for them. */
function withGauges({ contentType, render }: Metrics, gauges: () => Promise<void>) {
  return {
    contentType,
    async render() {
      await gauges()
      return render()
    },
  }
}

interface Readiness {
  ready(): Promise<Health>
  /** The status page, which tells whose it is and is there once that is known. */
  page: ReadonlyMap<string, PageFile>
  /** It is still starting, and this is why. */
  notYet(why: string): void
  /** It has started; from now on these are asked. */
  started(ground: Ground, net: Net): void
}

function createReadiness(): Readiness {
  let ready = async (): Promise<Health> => ({ ok: false, detail: 'starting' })
  const page = new Map<string, PageFile>()
  return {
    page,
    ready: () => ready(),
    notYet(detail) {
      ready = async () => ({ ok: false, detail })
    },
    started({ sql }, net) {
      for (const [path, file] of readPage(net)) page.set(path, file)
      ready = async () => {
        if (!net.isConnected()) return { ok: false, detail: 'no relay is connected' }
        try {
          await sql`select 1`
          return { ok: true, detail: 'ready' }
        } catch {
          return { ok: false, detail: 'the database does not answer' }
        }
      }
    },
  }
}

function tellSandbox(config: Config, { relay, lnbits }: Sandbox, net: Net): void {
  writeSandboxFile(config.dataDir, {
    bot: net.identity.pubkey,
    relay: relay.url,
    lnbitsUrl: lnbits.url,
    customerAdminKey: lnbits.wallet(CUSTOMER_NAME)?.adminKey ?? '',
  })
}

/** Stops what was started, last first; one that fails to stop does not keep the others running. */
function createUndo() {
  const started: { stop(): Promise<void> }[] = []
  return {
    push<T extends { stop(): Promise<void> }>(part: T): T {
      started.push(part)
      return part
    },
    async all(): Promise<void> {
      for (const part of started.splice(0).reverse()) {
        await part.stop().catch(() => {})
      }
    },
  }
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => {
    running ??= run()
    return running
  }
}
