import { createAccept } from '../src/journey/accept.ts'
import type { DatabaseTarget } from '../src/store/database-target.ts'
import { openBaseline } from './gate-baseline.ts'
import { benchRules, checkBooks, finishOpen, type GateDatabase, open } from './gate-database.ts'
import { median, percentile } from './figures.ts'
import { type Gate, perSecond, type Ran, runLoad } from './gate-load.ts'

const lease = { holder: 'bench', seconds: 30 }

/** The gate as the daemon runs it. */
export function openGate(target: DatabaseTarget): Gate {
  const sql = open(target, 10)
  const accept = createAccept({ sql, rules: benchRules, lease, replyLease: lease })
  return {
    ask: async (request) => {
      const accepted = await accept.add(request)
      return accepted.outcome === 'job' ? accepted.job.serve : accepted.outcome
    },
    close: () => sql.end(),
  }
}

/** Most decisions between two clearings of open jobs: a busy key has then a dozen open ones. */
export const SLICE_COUNT = 5_000

/** One way to decide on a database of its own, measured in slices. */
export interface Cell {
  slice(load: { callers: number; seconds: number }): Promise<void>
  ran: Ran[]
  /** Replays the ledger, throws when a sat is off, and closes. */
  end(): Promise<void>
}

function openCell(gate: Gate, { sql }: GateDatabase): Cell {
  const ran: Ran[] = []
  let isWarm = false
  return {
    ran,
    async slice({ callers, seconds }) {
      await finishOpen(sql)
      const load = { callers, countMax: SLICE_COUNT }
      if (!isWarm) {
        // Long enough for the optimizer of JavaScript and the plans of the server.
        await runLoad(gate, { ...load, seconds: 1 })
        await finishOpen(sql)
        isWarm = true
      }
      ran.push(await runLoad(gate, { ...load, seconds }))
    },
    async end() {
      await gate.close()
      await checkBooks(sql)
    },
  }
}

export const openGateCell = (db: GateDatabase): Cell => openCell(openGate(db.target), db)

export const openBaselineCell = (db: GateDatabase, how: { pipelined: boolean }): Cell =>
  openCell(openBaseline(db.target, benchRules, how), db)

export interface Figures {
  perSecond: number
  p50Ms: number
  p99Ms: number
}

/** Medians over the slices. */
export const figuresOf = ({ ran }: Cell): Figures => ({
  perSecond: median(ran.map(perSecond)),
  p50Ms: median(ran.map((one) => percentile(one.waits, 0.5))),
  p99Ms: median(ran.map((one) => percentile(one.waits, 0.99))),
})

/** How much faster `one` was than `other`: the median over slices that were run side by side. */
export const ratioOf = (one: Cell, other: Cell): number =>
  median(
    one.ran.map((ran, place) => {
      const beside = other.ran[place]
      return beside ? perSecond(ran) / perSecond(beside) : Number.NaN
    }),
  )

/** Runs cells in turn, in an order that turns round each time, so that a busy minute hits all alike. */
export async function interleave(
  cells: readonly Cell[],
  rounds: number,
  load: { callers: number; seconds: number },
): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? cells : cells.toReversed()
    for (const cell of order) await cell.slice(load)
  }
}
