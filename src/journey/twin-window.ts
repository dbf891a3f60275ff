import { TWIN_SECONDS } from '../limits.ts'
import type { Tx } from '../store/database.ts'
import { readLatestJobBefore } from '../store/gate.ts'

/**
 * Below which id jobs are too old to have twins. Without it a key that comes back after months
 * would have its old jobs read, each from a page that nobody else needs.
 */
export interface TwinWindow {
  /** Undefined until it is opened. */
  above(): number | undefined
  /** Asks the database, once in the life of a process. */
  open(tx: Tx): Promise<number>
  /** A job id that was taken at `nowSeconds` of the database's clock. */
  note(nowSeconds: number, jobId: number | undefined): void
}

/** Seconds between the marks that are kept. */
const MARK_SECONDS = 30
/** Above `TWIN_SECONDS`, because a mark may be half a minute old and a job's id younger than its `now()`. */
const WINDOW_SECONDS = TWIN_SECONDS + 2 * MARK_SECONDS

export function createTwinWindow(): TwinWindow {
  let above: number | undefined
  const marks: { atSeconds: number; jobId: number }[] = []
  return {
    above: () => above,
    async open(tx) {
      above = await readLatestJobBefore(tx, WINDOW_SECONDS)
      return above
    },
    note(nowSeconds, jobId) {
      const last = marks.at(-1)
      if (jobId !== undefined && (!last || nowSeconds - last.atSeconds >= MARK_SECONDS)) {
        marks.push({ atSeconds: nowSeconds, jobId })
      }
      while (marks[0] && marks[0].atSeconds < nowSeconds - WINDOW_SECONDS) {
        above = Math.max(above ?? 0, marks.shift()?.jobId ?? 0)
      }
    },
  }
}
