import type { Clock } from '../clock.ts'
import { LOOKS_AT_ONCE, LOOKS_PER_MINUTE } from '../limits.ts'

/**
 * How many looks at single invoices may be made that nobody waits for. After a downtime thousands may be due
 * at once, and LNbits, which answers fifty a second to all its callers together, must keep room for quotes
 * and payments.
 */
export interface LookBudget {
  /** Takes up to `wanted` looks; answers how many may be made. */
  take(wanted: number): number
  /** Puts back what was taken and not used. */
  giveBack(unused: number): void
}

export function createLookBudget(clock: Clock): LookBudget {
  let left = LOOKS_AT_ONCE
  let filledAt = clock.now()

  return {
    take(wanted) {
      const now = clock.now()
      // A wall clock that was set back gives nothing, and counts from there.
      const minutes = Math.max(0, now - filledAt) / 60_000
      left = Math.min(LOOKS_AT_ONCE, left + minutes * LOOKS_PER_MINUTE)
      filledAt = now
      const taken = Math.min(wanted, Math.floor(left))
      left -= taken
      return taken
    },
    giveBack(unused) {
      left = Math.min(LOOKS_AT_ONCE, left + unused)
    },
  }
}
