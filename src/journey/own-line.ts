import { FUNDS_AT_ONCE, FUNDS_PER_CUSTOMER } from '../limits.ts'

/**
 * What asks LNbits while its customer's message is served: one at a time for each customer, so that whoever
 * sends a hundred does not keep another from its first, and so many altogether, so that a slow LNbits does not
 * fill our memory.
 */
export interface OwnLines {
  /** Why nothing of this customer's may join its line now. */
  refuses(customer: string): 'rate_limited' | 'busy' | undefined
  /** Runs when all that this customer had in line before is over. */
  run<T>(customer: string, work: () => Promise<T>): Promise<T>
}

export function createOwnLines(): OwnLines {
  const lines = new Map<string, { count: number; last: Promise<unknown> }>()
  let total = 0

  return {
    refuses(customer) {
      if ((lines.get(customer)?.count ?? 0) >= FUNDS_PER_CUSTOMER) return 'rate_limited'
      return total >= FUNDS_AT_ONCE ? 'busy' : undefined
    },
    run(customer, work) {
      const line = lines.get(customer) ?? { count: 0, last: Promise.resolve() }
      lines.set(customer, line)
      total += 1
      line.count += 1
      const done = line.last.then(work).finally(() => {
        total -= 1
        line.count -= 1
        if (line.count === 0) lines.delete(customer)
      })
      line.last = done.catch(() => undefined)
      return done
    },
  }
}
