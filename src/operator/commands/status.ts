import { type CommandContext, type ExitStatus, grouped, inSats, withGround } from '../../command.ts'
import { WATCH_MS } from '../../limits.ts'
import { tiers } from '../../money/tiers.ts'
import type { Queue } from '../../store/overview.ts'
import type { Replica } from '../../store/replicas.ts'
import { stateOf } from '../figures.ts'
import { attentionOf, type Overview, type RelayView, readOverview } from '../overview.ts'
import { ago } from '../screen.ts'

export interface StatusOptions {
  json?: boolean
  /** Shows it again and again until `signal`. */
  watch?: boolean
  signal: AbortSignal
}

/**
 * One screen: what runs, what the pool holds, what the day gave, what waits, and what is wrong. Status 1 when
 * something needs a hand, so that a watchdog needs nothing but the status.
 */
export function status(
  context: CommandContext,
  { json = false, watch = false, signal }: StatusOptions,
): Promise<ExitStatus> {
  const { clock, config, terminal } = context
  return withGround(context, async ({ sql }) => {
    for (;;) {
      const overview = await readOverview(sql, config.money)
      if (watch && !json) terminal.clear()
      if (json) terminal.print(JSON.stringify(viewOf(overview)))
      else for (const line of linesOf(context, overview)) terminal.print(line)
      if (watch) await clock.sleep(WATCH_MS, signal)
      if (!watch || signal.aborted) return attentionOf(overview).length === 0 ? 0 : 1
    }
  })
}

const stateWord = (overview: Overview): string =>
  overview.replicas.length === 0 ? 'stopped' : stateOf(overview.figures)

/** The same for programs; times are Unix seconds unless they say otherwise. */
function viewOf(overview: Overview) {
  const { figures, balances, queues, waiting, relays, lnbits, drift, replicas } = overview
  const { pool, today, budgets, outflowLimitSats } = figures
  return {
    at: pool.nowSeconds,
    state: stateWord(overview),
    attention: attentionOf(overview),
    pool: {
      balanceSats: pool.balanceSats,
      promisedSats: pool.openPromisesSats,
      paused: pool.paused,
      outflow: { limitSats: outflowLimitSats, usedSats: pool.absorbedTodaySats },
      dailyBudgets: budgets,
    },
    day: pool.day,
    today,
    balances,
    queues,
    waiting,
    relays,
    lnbits,
    backendFailures: overview.backendFailures,
    drift,
    replicas: replicas.map(({ facts: { http, backend }, ...replica }) => ({
      ...replica,
      http,
      backend,
    })),
  }
}

function linesOf({ terminal: { paint } }: CommandContext, overview: Overview): string[] {
  const attention = attentionOf(overview)
  const { at, rows } = rowsOf(overview)
  const { queues, relays, replicas } = overview
  const row = (name: string, text: string) => `${paint('dim', name.padEnd(10))}${text}`
  /** One line each under one name. */
  const rowsFor = <T>(name: string, items: readonly T[], text: (item: T) => string) =>
    items.length === 0
      ? [row(name, 'not known')]
      : items.map((item, place) => row(place === 0 ? name : '', text(item)))
  const state = paint(attention.length === 0 ? 'green' : 'yellow', stateWord(overview))
  return [
    row('state', `${state}${overview.figures.pool.paused ? ', the pool is paused' : ''}`),
    ...rows.map(([name, text]) => row(name, text)),
    ...rowsFor('queues', queues, queueText),
    ...rowsFor('relays', relays, relayText),
    row('LNbits', lnbitsText(overview.lnbits)),
    row('drift', driftText(overview.drift)),
    ...rowsFor('replicas', replicas, (replica) => replicaText(replica, at)),
    ...attention.map((text) => `${paint('yellow', '!')} ${text}`),
  ]
}

function rowsOf({ figures, balances, waiting }: Overview) {
  const { pool, today, budgets, outflowLimitSats } = figures
  const budgetTexts = tiers.map((tier) => `${tier} ${grouped(budgets[tier])}`)
  const rows: [name: string, text: string][] = [
    [
      'pool',
      `${inSats(pool.balanceSats)}, ${grouped(pool.openPromisesSats)} promised; ` +
        `out today ${grouped(pool.absorbedTodaySats)} of ${inSats(outflowLimitSats)}`,
    ],
    ['budgets', `${budgetTexts.join(', ')} sats a day`],
    [
      'today',
      `${today.free} free, ${today.partial} in part, ${today.paid} paid; ` +
        `in ${inSats(today.creditedSats)}, shortfall ${inSats(today.shortfallSats)} (${pool.day})`,
    ],
    [
      'owed',
      `${inSats(balances.customersSats)} to customers, ` +
        `${grouped(balances.holdsSats)} in jobs at work, ` +
        `${grouped(balances.withdrawalsSats)} in withdrawals`,
    ],
    [
      'waiting',
      `${waiting.openInvoices} invoices (${inSats(waiting.openInvoicesSats)}), ` +
        `${waiting.undelivered} replies, ${waiting.openWithdrawals} withdrawals ` +
        `(${waiting.unknownWithdrawals} uncertain)`,
    ],
  ]
  return { at: pool.nowSeconds, rows }
}

function queueText({ lane, open, held, due, oldestDueSeconds }: Queue): string {
  const late = oldestDueSeconds === null ? '' : `, oldest for ${ago(oldestDueSeconds)}`
  return `${lane.padEnd(9)}${String(open).padStart(6)} open, ${held} at work, ${due} due${late}`
}

/** A relay that was just reached is read from before it is live, milliseconds. */
const BEGINNING_MS = 10_000

function relayText({ relay, state, liveMs, deafMs }: RelayView): string {
  if (liveMs !== null) return `${relay} live for ${ago(liveMs / 1000)}`
  const isBeginning = state === 'open' && (deafMs ?? 0) < BEGINNING_MS
  if (isBeginning) return `${relay} open, and what it has kept is being read`
  return `${relay} ${state}, not heard for ${ago((deafMs ?? 0) / 1000)}`
}

function lnbitsText(lnbits: Overview['lnbits']): string {
  if (!lnbits) return 'not known'
  if (!lnbits.up) return `has not answered for ${ago((lnbits.downMs ?? 0) / 1000)}`
  const holds = lnbits.balanceSats === null ? '' : `, holds ${inSats(lnbits.balanceSats)}`
  return `up${holds}, payment events ${lnbits.events ? 'on' : 'off'}`
}

function driftText({ ledgerSats, lightningSats, stopped }: Overview['drift']): string {
  const looked = lightningSats === null ? 'not compared yet' : inSats(lightningSats)
  return `books ${inSats(ledgerSats)}, LNbits ${looked}${stopped ? ', selling is stopped' : ''}`
}

const replicaText = ({ holder, version, startedAt, facts }: Replica, at: number): string =>
  `${holder}, ${version}, up ${ago(at - startedAt)}, ${facts.http}`
