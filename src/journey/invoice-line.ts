import type { Clock } from '../clock.ts'
import { INVOICE_WAIT_MS } from '../limits.ts'
import type { InvoiceMaker } from './lightning.ts'

export interface InvoiceLineOptions {
  lightning: InvoiceMaker
  /** Jobs whose invoice is still to be made, of all replicas. */
  countWaiting(): Promise<number>
  clock: Clock
}

/** Who stands before a new customer, and for how long. */
export interface Wait {
  ahead: number
  waitMs: number
}

/**
 * The line in front of LNbits, which makes some 25 invoices a second whatever we do, and
 * none while it waits for its node. It is not a queue, the rows are: it only knows how long one that
 * joins now would stand there, so that a customer is told at once instead of being left waiting.
 */
export interface InvoiceLine {
  /** Makes invoices, and learns how fast that goes. */
  readonly maker: InvoiceMaker
  /** For one that comes after all others and `more` of the same moment. */
  wait(more?: number): Wait
  /** The same, when it is longer than a customer is let into. */
  tooLong(more?: number): Wait | undefined
  /** A job that waits for its invoice was accepted here. */
  joined(): void
}

const COUNT_EVERY_MS = 1_000
/** A count says nothing of now when nobody has joined or called for so long. */
const COUNT_HOLDS_MS = 5_000
/** A pause longer than this says that LNbits stood still, not how fast it is. */
const PACE_MS_MAX = 2_000
const PACE_WEIGHT = 0.1

export function createInvoiceLine(options: InvoiceLineOptions): InvoiceLine {
  const { lightning, clock } = options
  /** Calls that have not ended. */
  let calls = 0
  /** What the database counted, and what has joined since. */
  let [counted, fresh] = [0, 0]
  let countedAt = Number.NEGATIVE_INFINITY
  /** Somebody joined, or a call ended. */
  let stirredAt = Number.NEGATIVE_INFINITY
  let counting = false
  /** Milliseconds between two invoices while there is demand. */
  let paceMs: number | undefined
  let madeAt = Number.NEGATIVE_INFINITY
  let demandSince: number | undefined

  const ahead = () => Math.max(calls, counted + fresh)

  function noteDemand(): void {
    if (ahead() === 0) demandSince = undefined
    else demandSince ??= clock.now()
  }

  function count(): void {
    if (counting || clock.now() - countedAt < COUNT_EVERY_MS) return
    counting = true
    options
      .countWaiting()
      .then((waiting) => {
        ;[counted, fresh] = [waiting, 0]
        noteDemand()
      })
      // Without a count the last one goes on; the database is somebody else's to complain about.
      .catch(() => {})
      .finally(() => {
        counting = false
        countedAt = clock.now()
      })
  }

  function made(): void {
    const now = clock.now()
    const sampleMs = Math.min(PACE_MS_MAX, now - Math.max(madeAt, demandSince ?? now))
    paceMs = paceMs === undefined ? sampleMs : paceMs + PACE_WEIGHT * (sampleMs - paceMs)
    madeAt = now
    if (counted > 0) counted -= 1
    else fresh = Math.max(0, fresh - 1)
  }

  /** Who joined while it was counted may count twice, and would stand before the first customer after a lull. */
  function forget(): void {
    if (calls > 0 || clock.now() - Math.max(countedAt, stirredAt) < COUNT_HOLDS_MS) return
    ;[counted, fresh] = [0, 0]
    noteDemand()
  }

  function wait(more = 0): Wait {
    forget()
    count()
    const standsMs = demandSince === undefined ? 0 : clock.now() - Math.max(madeAt, demandSince)
    const line = ahead() + more
    return { ahead: line, waitMs: standsMs + line * (paceMs ?? 0) }
  }

  return {
    maker: {
      async createInvoice(invoice) {
        calls += 1
        noteDemand()
        try {
          const answer = await lightning.createInvoice(invoice)
          made()
          return answer
        } finally {
          calls -= 1
          stirredAt = clock.now()
          noteDemand()
        }
      },
    },
    wait,
    tooLong(more) {
      const line = wait(more)
      return line.waitMs > INVOICE_WAIT_MS ? line : undefined
    },
    joined() {
      fresh += 1
      stirredAt = clock.now()
      noteDemand()
    },
  }
}
