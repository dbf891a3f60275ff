import { parseArgs } from 'node:util'
import { converse, type Latency, toInvoice } from './conversation.ts'
import { installContextvm, measureContextvm } from './contextvm.ts'
import { type Crowd, openCrowd } from './crowd.ts'
import { median, rounded, tell } from './figures.ts'
import { benchResume } from './nostr-resume.ts'
import { benchTrip } from './nostr-trip.ts'
import { openStage } from './stage.ts'

const CUSTOMERS = 32
/** Each key may have a hundred unpaid jobs, so a customer has more than one key; who asks alone asks oftener. */
const KEYS_EACH = 4
const KEYS_ALONE = 32
const ROUNDS = 3

/**
 * The Nostr edge: what one trip of a wrap costs beside nostr-tools, a DM to its invoice end to end beside the paid
 * server of the ContextVM SDK, and the resume after a day away.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '10' },
      parts: { type: 'string', default: 'trip,endToEnd,contextvm,resume' },
    },
  })
  const parts = values.parts.split(',')
  const seconds = Number(values.seconds)
  const nostr: Record<string, unknown> = {}
  if (parts.includes('trip')) {
    tell('one wrap opened and one reply built, 500 bytes:')
    const trip = await benchTrip()
    tell(`  beside nostr-tools: native ${trip.native}, WASM ${trip.wasm}; workers ${trip.workers}`)
    nostr.trip = trip
  }
  if (parts.includes('endToEnd')) {
    const besides = parts.includes('contextvm') && installContextvm()
    Object.assign(nostr, await benchEndToEnd(seconds, besides))
  }
  if (parts.includes('resume')) {
    tell('after a day away:')
    nostr.resume = await benchResume()
  }
  if (values.json) console.log(JSON.stringify({ nostr }))
}

/**
 * From the DM to the DM with its invoice; relay, LNbits, database, daemon and customers on one machine. Beside it the
 * paid server of the ContextVM SDK, in turns, so that what else the machine does hits both alike.
 */
async function benchEndToEnd(seconds: number, besides: boolean) {
  await using stage = await openStage()
  const [relay = ''] = stage.relays
  const crowd = (customers: number, keysEach: number) =>
    openCrowd({ relay, bot: stage.bot, customers, keysEach })
  tell(`DM to invoice, curve ${stage.curve}:`)
  const alone = await talk(await crowd(1, KEYS_ALONE), 1, Math.min(seconds, 5))
  show(1, alone)
  const rounds: Latency[] = []
  const theirs: number[] = []
  const ratios: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const ours = await talk(await crowd(CUSTOMERS, KEYS_EACH), CUSTOMERS, seconds / ROUNDS)
    rounds.push(ours)
    show(CUSTOMERS, ours)
    if (!besides) continue
    const { perSecond, p50Ms } = await measureContextvm({ clients: CUSTOMERS, seconds: 5 })
    tell(
      `     the paid server of the ContextVM SDK: ${rounded(perSecond)} a second, p50 ${Math.round(p50Ms)} ms`,
    )
    theirs.push(perSecond)
    ratios.push(ours.perSecond / perSecond)
  }
  const middle = (pick: (latency: Latency) => number) => median(rounds.map(pick))
  const contextvm = besides
    ? { perSecond: rounded(median(theirs)), ratio: rounded(median(ratios)) }
    : null
  if (contextvm) tell(`  ${contextvm.ratio} times the calls of the ContextVM SDK`)
  return {
    endToEnd: {
      perSecond: middle(({ perSecond }) => perSecond),
      p50Ms: middle(({ p50Ms }) => p50Ms),
      p99Ms: middle(({ p99Ms }) => p99Ms),
      alone,
    },
    contextvm,
  }
}

async function talk(crowd: Crowd, customers: number, seconds: number): Promise<Latency> {
  await using _ = crowd
  await converse(customers, 1, toInvoice(crowd))
  const { all: __, ...latency } = await converse(customers, seconds, toInvoice(crowd))
  return latency
}

const show = (customers: number, { perSecond, p50Ms, p99Ms }: Latency) =>
  tell(
    `  ${String(customers).padStart(2)} at a time: ${perSecond} a second, p50 ${p50Ms} ms, p99 ${p99Ms} ms`,
  )
