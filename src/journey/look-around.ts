import type { Clock } from '../clock.ts'
import { LOOKS_AFTER_RETURN } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Sql } from '../store/database.ts'
import { readOpen, type WatchedInvoice } from '../store/invoices.ts'
import { takeTurn } from '../store/turns.ts'

export interface LookAroundOptions {
  sql: Sql
  clock: Clock
  log: Log
  holder: string
  /** Asks LNbits for one invoice by its hash, and books what is paid. */
  look(invoice: WatchedInvoice): Promise<unknown>
  signal: AbortSignal
}

/**
 * What is done when LNbits comes back. It has heard nothing of what its node received meanwhile; of its own accord
 * it looks at the ten newest invoices only, and for an expired one it does not ask its node (traps 16 and 11 of
 * `docs/lnbits.md`). So open invoices are looked at one by one: each customer's first to expire, then the second.
 */
export interface LookAround {
  /** LNbits was away, or this process was. */
  wish(): void
  /** Begins what is wished, once a minute at most, for a connection may break again and again. */
  tend(): void
  settled(): Promise<void>
}

const EVERY_MS = 60_000
/** One at a time and five a second: a tenth of what LNbits answers, and less when its node is slow. */
const PAUSE_MS = 200

export function createLookAround(options: LookAroundOptions): LookAround {
  const { sql, clock, log, holder, look, signal } = options
  let wished = false
  let begunAt = Number.NEGATIVE_INFINITY
  let walking: Promise<void> | undefined

  return {
    wish() {
      wished = true
    },
    tend() {
      // In either direction, for a clock that is set back must not put it off for ever.
      if (!wished || walking || Math.abs(clock.now() - begunAt) < EVERY_MS) return
      wished = false
      begunAt = clock.now()
      walking = walk()
        .catch((error: unknown) => {
          wished = true
          log.warn({ err: error }, 'open invoices could not be looked at one by one; trying again')
        })
        .finally(() => {
          walking = undefined
        })
    },
    async settled() {
      await walking
    },
  }

  async function walk(): Promise<void> {
    // All replicas hear of the return in the same moment, and one of them is enough.
    if (!(await takeTurn(sql, 'look-around', holder, EVERY_MS / 1000))) return
    for (const invoice of await readOpen(sql, LOOKS_AFTER_RETURN)) {
      await look(invoice)
      await clock.sleep(PAUSE_MS, signal)
      if (signal.aborted) return
    }
  }
}
