import type { IncomingState } from '../lightning/lnbits-types.ts'
import { LNBITS_HASHES } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Sql } from '../store/database.ts'
import { noteUnpaid, type SeenPayment, type WatchedInvoice } from '../store/invoices.ts'
import type { PaymentChecker } from './lightning.ts'

/** LNbits' authoritative word on invoices, asked for and acted upon. */
export interface Looks {
  /** Concurrent reasons to look at one invoice share the look. True when it is paid, which is booked then. */
  look(invoice: WatchedInvoice, priority?: LookPriority): Promise<boolean>
  /** Looks at what a bulk answer called paid; answers how many are. */
  confirm(likely: readonly WatchedInvoice[]): Promise<number>
  /** Resolves when no look is in progress. */
  settled(): Promise<void>
}

export interface LooksOptions {
  sql: Sql
  lightning: PaymentChecker
  log: Log
  /** Books a confirmed payment. */
  paid(payment: SeenPayment): Promise<void>
}

/** A payment that somebody hinted at goes before quotes; a look that is merely due goes last. */
type LookPriority = 'payment' | 'background'

/** So many payments are looked at one by one; more are read in bulk. */
const FEW_PAID = 3

export function createLooks({ sql, lightning, log, paid }: LooksOptions): Looks {
  const running = new Map<string, Promise<boolean>>()
  return {
    look,
    confirm,
    async settled() {
      await Promise.allSettled(running.values())
    },
  }

  function look({ paymentHash, amountSats }: WatchedInvoice, priority: LookPriority = 'payment') {
    const already = running.get(paymentHash)
    if (already) return already
    const fresh = lookOnce(paymentHash, amountSats, priority).finally(() =>
      running.delete(paymentHash),
    )
    running.set(paymentHash, fresh)
    return fresh
  }

  async function lookOnce(
    paymentHash: string,
    amountSats: number,
    priority: LookPriority,
  ): Promise<boolean> {
    const seen: IncomingState = await lightning.lookupIncoming(paymentHash, amountSats, priority)
    if (seen.state === 'paid') {
      await paid({ ...seen, paymentHash })
      return true
    }
    if (seen.state === 'unreachable') log.debug({ reason: seen.reason }, 'LNbits cannot be asked')
    else await noteUnpaid(sql, [paymentHash])
    return false
  }

  async function confirm(likely: readonly WatchedInvoice[]): Promise<number> {
    if (likely.length <= FEW_PAID) {
      const found = await Promise.all(likely.map((invoice) => look(invoice)))
      return found.filter(Boolean).length
    }
    let count = 0
    for (let at = 0; at < likely.length; at += LNBITS_HASHES) {
      const rows = await lightning.readIncoming(likely.slice(at, at + LNBITS_HASHES))
      const payments = [...rows].flatMap(([paymentHash, row]) =>
        row.state === 'paid' ? [{ ...row, paymentHash }] : [],
      )
      await Promise.all(payments.map((payment) => paid(payment)))
      count += payments.length
    }
    return count
  }
}
