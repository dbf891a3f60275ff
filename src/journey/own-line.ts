import { FUNDS_AT_ONCE, FUNDS_PER_CUSTOMER } from '../limits.ts'

/**
 * What asks LNbits while its customer's message is served: one at a time for each customer, so that whoever
 * sends a hundred does not keep another from its first, and so many altogether, so that a slow LNbits does not
 * fill our memory.
 */
export interface OwnLines {
  /** Works when all that this customer had in line before is over; or says why nothing of theirs may join. */
  join<T>(
    customer: string,
    work: () => Promise<T>,
  ): { refused: 'rate_limited' | 'busy' } | { done: Promise<T> }
}

export function createOwnLines(): OwnLines {
  const lines = new Map<string, { count: number; last: Promise<unknown> }>()
  let total = 0

  return {
    join(customer, work) {
      const line = lines.get(customer) ?? { count: 0, last: Promise.resolve() }
      if (line.count >= FUNDS_PER_CUSTOMER) return { refused: 'rate_limited' }
      if (total >= FUNDS_AT_ONCE) return { refused: 'busy' }
      lines.set(customer, line)
      total += 1
      line.count += 1
      const done = line.last.then(work).finally(() => {
        total -= 1
        line.count -= 1
        if (line.count === 0) lines.delete(customer)
      })
      line.last = done.catch(() => undefined)
      return { done }
    },
  }
}
