import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { CannotInstall, installLnbits } from '../scripts/lnbits/install.ts'
import { decodeBolt11 } from '../src/lightning/bolt11.ts'
import { ensureCustomers } from '../src/store/customers.ts'
import { inTransaction } from '../src/store/database.ts'
import { insertInvoices } from '../src/store/invoices.ts'
import { buyJob } from './conversation.ts'
import { type Crowd, openCrowd } from './crowd.ts'
import { percentile, rounded, tell } from './figures.ts'
import type { OpenInvoice } from './lightning-world.ts'
import { openStage, type Stage } from './stage.ts'

const OPEN = [10, 10_000]
const WARM_UP = 15
/** After payments the daemon reads once more what has just changed; from then on it is quiet. */
const CALM_MS = 5_000
/** Keys of the one customer that pays: each is good for ninety jobs. */
const KEYS = 6
const AMOUNT_SATS = 21
/** Nobody's key, under which the invoices stand that nobody pays. */
const STRANGER = 'ab'.repeat(32)
const UNAVAILABLE = 69

interface Figures {
  requestsPerMinute: number
  paymentToWorkMs: { p50: number; p99: number }
}

/**
 * What open invoices cost: the requests that LNbits gets in a minute while ten of them and ten thousand of them
 * are open, and how long it takes from LNbits' own instant of a payment to the start of the work it paid for.
 * The daemon is a real one, as are its database and its relay; LNbits is the play-money one, or with `--real` a
 * real one that this bench starts. The figure above the others is the one with ten thousand open.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean', default: false },
      real: { type: 'boolean', default: false },
      payments: { type: 'string', default: '150' },
      seconds: { type: 'string', default: '45' },
    },
  })
  const home = values.real ? await realHome() : undefined
  if (home === 'none') return
  const world = new URL('lightning-world.ts', import.meta.url).pathname
  await using stage = await openStage({ world: [world, ...(home === undefined ? [] : [home])] })
  const [relay = ''] = stage.relays
  await using crowd = await openCrowd({ relay, bot: stage.bot, customers: 1, keysEach: KEYS })
  tell(`${home ? 'a real LNbits' : 'the play-money LNbits'}, one payment after the other:`)
  await pay(stage, crowd, WARM_UP)
  const open: Record<string, Figures> = {}
  let there = 0
  for (const count of OPEN) {
    await holdOpen(stage, count - there)
    there = count
    const paymentToWorkMs = await pay(stage, crowd, Number(values.payments))
    const requestsPerMinute = await countRequests(stage, Number(values.seconds))
    open[count] = { requestsPerMinute, paymentToWorkMs }
    const { p50, p99 } = paymentToWorkMs
    tell(`${count} open invoices: ${requestsPerMinute} requests a minute`)
    tell(`  payment to work, ${values.payments} payments: p50 ${p50} ms, p99 ${p99} ms`)
  }
  const paymentToWorkMs = open[Math.max(...OPEN)]?.paymentToWorkMs
  if (values.json) console.log(JSON.stringify({ lightning: { paymentToWorkMs, open } }))
}

async function realHome(): Promise<string> {
  try {
    return await installLnbits(tell)
  } catch (error) {
    if (!(error instanceof CannotInstall)) throw error
    tell(`a real LNbits cannot run here: ${error.message}`)
    process.exitCode = UNAVAILABLE
    return 'none'
  }
}

/** Invoices that LNbits has, that the daemon watches, and that nobody will pay while the bench runs. */
async function holdOpen(stage: Stage, count: number): Promise<void> {
  const invoices = (await stage.askWorld({ ask: 'invoices', count })) as OpenInvoice[]
  await inTransaction(stage.sql, async (tx) => {
    await ensureCustomers(tx, [STRANGER])
    await insertInvoices(
      tx,
      invoices.map((invoice, at) => ({
        ...invoice,
        purpose: 'topup',
        jobId: null,
        to: {
          customer: STRANGER,
          via: 'nip17',
          form: 'json',
          programId: null,
          rumorAt: at,
          rumorId: invoice.paymentHash,
        },
        amountSats: AMOUNT_SATS,
      })),
    )
  })
}

/** Asks for a job, pays it, waits for its result, and again; then reads what both clocks noted. */
async function pay(
  stage: Stage,
  crowd: Crowd,
  count: number,
): Promise<{ p50: number; p99: number }> {
  stage.markStages()
  await stage.usage()
  const jobs: Awaited<ReturnType<typeof buyJob>>[] = []
  while (jobs.length < count) jobs.push(await buyJob(stage, crowd, 0))
  const { marks } = await stage.usage()
  const started = marks.flatMap(([name, at]) => (name === 'work:start' ? [at] : []))
  const tookMs: number[] = []
  for (const { bolt11, paidAt, resultAt } of jobs) {
    // One job at a time: the start between its payment and its result is its own.
    const startedAt = started.find((at) => at > paidAt && at < resultAt)
    if (startedAt === undefined) throw new Error('a job had a result and never began')
    tookMs.push(startedAt - (await stage.settledAt(paymentHashOf(bolt11))))
  }
  const at = (p: number) => rounded(percentile(tookMs, p))
  return { p50: at(0.5), p99: at(0.99) }
}

function paymentHashOf(bolt11: string): string {
  const decoded = decodeBolt11(bolt11)
  if (!decoded.ok) throw new Error(`the invoice cannot be read: ${decoded.reason}`)
  return decoded.invoice.paymentHash
}

/** Nobody pays meanwhile: what LNbits is asked is what open invoices cost. */
async function countRequests(stage: Stage, seconds: number): Promise<number> {
  await pause(CALM_MS)
  await stage.askWorld({ ask: 'requests' })
  const beganAt = performance.now()
  await pause(seconds * 1000)
  const counts = (await stage.askWorld({ ask: 'requests' })) as Record<string, number>
  const tookMinutes = (performance.now() - beganAt) / 60_000
  tell(
    `  in ${seconds} s: ${Object.entries(counts)
      .map((entry) => entry.reverse().join(' × '))
      .join(', ')}`,
  )
  const all = Object.values(counts).reduce((sum, requests) => sum + requests, 0)
  return rounded(all / tookMinutes, 0)
}
