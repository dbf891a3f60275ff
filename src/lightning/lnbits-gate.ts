import { LNBITS_WAITING } from '../limits.ts'
import { LnbitsError } from './lnbits-error.ts'

/**
 * Who goes first when LNbits is behind: a payment seen, then a quote, then everything that can
 * wait.
 */
export type LnbitsPriority = 'payment' | 'quote' | 'background'

export interface GateLoad {
  inFlight: number
  waiting: Record<LnbitsPriority, number>
}

export interface Gate {
  /** Runs `work` when its turn comes. Rejects with `busy` at once when too much waits already. */
  run<T>(priority: LnbitsPriority, work: () => Promise<T>): Promise<T>
  load(): GateLoad
}

/**
 * Bounds the calls in flight. One slot is never given to quotes and half of them never to
 * background look-ups, so that a payment does not wait behind what a slow LNbits already holds.
 */
export function createGate(slots: number): Gate {
  const most: Record<LnbitsPriority, number> = {
    payment: slots,
    quote: Math.max(1, slots - 1),
    background: Math.max(1, Math.floor(slots / 2)),
  }
  const waiting: Record<LnbitsPriority, (() => void)[]> = { payment: [], quote: [], background: [] }
  let inFlight = 0

  const next = () => {
    for (const priority of ['payment', 'quote', 'background'] as const) {
      if (inFlight >= most[priority]) continue
      const start = waiting[priority].shift()
      if (start) return start()
    }
  }
  return {
    async run(priority, work) {
      if (waiting[priority].length >= LNBITS_WAITING) throw new LnbitsError('busy')
      if (inFlight >= most[priority] || waiting[priority].length > 0) {
        await new Promise<void>((resolve) => {
          waiting[priority].push(() => {
            inFlight += 1
            resolve()
          })
        })
      } else {
        inFlight += 1
      }
      try {
        return await work()
      } finally {
        inFlight -= 1
        next()
      }
    },
    load: () => ({
      inFlight,
      waiting: {
        payment: waiting.payment.length,
        quote: waiting.quote.length,
        background: waiting.background.length,
      },
    }),
  }
}
