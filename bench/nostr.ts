import { parseArgs } from 'node:util'
import { converse, type Latency, toInvoice } from './conversation.ts'
import { openCrowd } from './crowd.ts'
import { rounded, tell } from './figures.ts'
import { benchContextvm } from './contextvm.ts'
import { benchResume } from './nostr-resume.ts'
import { benchTrip } from './nostr-trip.ts'
import { openStage } from './stage.ts'

const CUSTOMERS = 32
/** Each key may have a hundred unpaid jobs, so a customer has more than one key. */
const KEYS_EACH = 8

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
  const endToEnd = parts.includes('endToEnd') ? await benchEndToEnd(seconds) : undefined
  if (endToEnd) nostr.endToEnd = endToEnd
  if (parts.includes('contextvm')) {
    tell(`the paid server of the ContextVM SDK, ${CUSTOMERS} clients:`)
    const perSecond = await benchContextvm({ clients: CUSTOMERS, seconds })
    const ratio = perSecond && endToEnd ? rounded(endToEnd.perSecond / perSecond) : null
    tell(`  ${perSecond ?? 'no'} encrypted calls a second; ratio ${ratio ?? 'unknown'}`)
    nostr.contextvm = { perSecond, ratio }
  }
  if (parts.includes('resume')) {
    tell('after a day away:')
    nostr.resume = await benchResume()
  }
  if (values.json) console.log(JSON.stringify({ nostr }))
}

/** From the DM to the DM with its invoice, relay, LNbits, database, daemon and customers on one machine. */
async function benchEndToEnd(seconds: number): Promise<Latency & { alone: Latency }> {
  await using stage = await openStage()
  const [relay = ''] = stage.relays
  await using crowd = await openCrowd({
    ...{ relay, bot: stage.bot, customers: CUSTOMERS, keysEach: KEYS_EACH },
  })
  tell(`DM to invoice, curve ${stage.curve}:`)
  await converse(4, 2, toInvoice(crowd))
  const { all: _, ...alone } = await converse(1, Math.min(seconds, 5), toInvoice(crowd))
  const { all: __, ...together } = await converse(CUSTOMERS, seconds, toInvoice(crowd))
  show(1, alone)
  show(CUSTOMERS, together)
  return { ...together, alone }
}

const show = (customers: number, { perSecond, p50Ms, p99Ms }: Latency) =>
  tell(
    `  ${String(customers).padStart(2)} at a time: ${perSecond} a second, p50 ${p50Ms} ms, p99 ${p99Ms} ms`,
  )
