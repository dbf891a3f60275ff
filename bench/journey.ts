import { parseArgs } from 'node:util'
import { buyJob } from './conversation.ts'
import { type Crowd, openCrowd } from './crowd.ts'
import { percentile, rounded, tell } from './figures.ts'
import { type Conversation, sharesOf, stages } from './journey-stages.ts'
import { openStage, type Stage } from './stage.ts'

const CUSTOMERS = [1, 32]
const KEYS_EACH = 8
const WARM_UP_SECONDS = 2

interface Figures {
  jobsPerSecond: number
  /** From the DM to the DM with its invoice. */
  invoice: Latency
  /** From the payment, LNbits' part of it included, to the DM with the result. */
  result: Latency
}

interface Latency {
  p50Ms: number
  p99Ms: number
}

/**
 * Whole jobs through a real relay, LNbits with play money, a database on a disk and the daemon, all on this machine:
 * a DM, its invoice, the payment, the result of the echo backend. Prints how long each half takes, how many jobs
 * there are in a second, and where the time of one customer goes.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '8' },
    },
  })
  const seconds = Number(values.seconds)
  await using stage = await openStage()
  await using crowd = await openCrowd({
    relay: stage.relays[0] ?? '',
    bot: stage.bot,
    customers: Math.max(...CUSTOMERS),
    keysEach: KEYS_EACH,
  })
  await runJobs(stage, crowd, 8, WARM_UP_SECONDS)
  const byCustomers: Record<string, Figures> = {}
  stage.markStages()
  await stage.usage()
  let shares: Record<string, number> = {}
  for (const customers of CUSTOMERS) {
    const jobs = await runJobs(stage, crowd, customers, seconds)
    const { marks } = await stage.usage()
    // With one customer at a time each mark belongs to the only job there is.
    if (customers === 1) shares = sharesOf(jobs.all, marks)
    byCustomers[customers] = figuresOf(jobs)
    show(customers, figuresOf(jobs))
  }
  tell('where the time of one customer goes:')
  for (const name of stages) {
    tell(`  ${name.padEnd(9)} ${((shares[name] ?? 0) * 100).toFixed(0).padStart(3)} %`)
  }
  console.log(values.json ? JSON.stringify({ journey: { ...byCustomers, shares } }) : '')
}

async function runJobs(stage: Stage, crowd: Crowd, customers: number, seconds: number) {
  const all: Conversation[] = []
  const began = performance.now()
  const until = began + seconds * 1000
  await Promise.all(
    Array.from({ length: customers }, async (_, customer) => {
      while (performance.now() < until) all.push(await buyJob(stage, crowd, customer))
    }),
  )
  return { all, seconds: (performance.now() - began) / 1000 }
}

function figuresOf({ all, seconds }: { all: Conversation[]; seconds: number }): Figures {
  const latency = (values: number[]): Latency => ({
    p50Ms: rounded(percentile(values, 0.5)),
    p99Ms: rounded(percentile(values, 0.99)),
  })
  return {
    jobsPerSecond: rounded(all.length / seconds),
    invoice: latency(all.map(({ sentAt, invoiceAt }) => invoiceAt - sentAt)),
    result: latency(all.map(({ paidAt, resultAt }) => resultAt - paidAt)),
  }
}

function show(customers: number, { jobsPerSecond, invoice, result }: Figures): void {
  const half = ({ p50Ms, p99Ms }: Latency) => `p50 ${p50Ms} ms, p99 ${p99Ms} ms`
  tell(`${customers} at a time: ${jobsPerSecond} jobs a second`)
  tell(`  DM to invoice      ${half(invoice)}`)
  tell(`  payment to result  ${half(result)}`)
}
