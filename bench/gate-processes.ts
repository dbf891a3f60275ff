import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { SLICE_COUNT } from './gate-cell.ts'
import { checkBooks, finishOpen, type GateDatabase, setPool } from './gate-database.ts'
import { ESTIMATE_SATS } from './gate-load.ts'
import type { Order, Told } from './gate-process.ts'

/** All processes together, so that only their number differs. */
const CALLERS = 192

/** So many processes that share one database. */
export interface Crowd {
  /** Decisions a second of all together, one per slice. */
  rates: number[]
  slice(seconds: number): Promise<void>
  /** Empties a pool of `poolSats`; answers what was given and what is left. */
  drain(poolSats: number): Promise<{ givenSats: number; leftSats: number }>
  end(): Promise<void>
}

export async function openCrowd(size: number, { target, sql }: GateDatabase): Promise<Crowd> {
  const children = Array.from({ length: size }, () =>
    fork(join(import.meta.dirname, 'gate-process.ts')),
  )
  const tellAll = (order: Order) => Promise.all(children.map((child) => tell(child, order)))
  const callers = CALLERS / size
  const rates: number[] = []
  await tellAll({ open: target })
  await tellAll({ load: { callers, seconds: 1, countMax: SLICE_COUNT / size } })
  return {
    rates,
    async slice(seconds) {
      await finishOpen(sql)
      const countMax = Math.ceil(SLICE_COUNT / size)
      const told = await tellAll({ load: { callers, seconds, countMax } })
      // Each at its own pace while all run; the slower ones decide how long that is.
      rates.push(told.reduce((sum, { count, seconds }) => sum + count / seconds, 0))
    },
    async drain(poolSats) {
      await finishOpen(sql)
      await setPool(sql, poolSats)
      const told = await tellAll({ drain: { callers } })
      const [row] = await sql<{ sats: number }[]>`
        select balance_sats as sats from accounts where name = 'pool'`
      const givenSats = told.reduce((sum, { count }) => sum + count, 0) * ESTIMATE_SATS
      return { givenSats, leftSats: row?.sats ?? Number.NaN }
    },
    async end() {
      await tellAll({ close: true })
      await checkBooks(sql)
    },
  }
}

async function tell(child: ChildProcess, order: Order): Promise<Told> {
  child.send(order)
  const ended = new AbortController()
  const { signal } = ended
  try {
    const [told] = await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then(() => {
        throw new Error('a process of the bench has died')
      }),
    ])
    return told
  } finally {
    ended.abort()
  }
}
