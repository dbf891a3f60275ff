import type { Clock } from '../clock.ts'

export interface Budget {
  /** Takes `units`; false when there were not enough left, and then nothing is taken. */
  spend(units: number): boolean
}

/** A bucket that starts full with `burst` units and gains `perSecond`. A clock set back gains nothing. */
export function createBudget(options: { perSecond: number; burst: number; clock: Clock }): Budget {
  const { perSecond, burst, clock } = options
  let units = burst
  let filledAt = clock.now()
  return {
    spend(wanted) {
      if (units < wanted) {
        const now = clock.now()
        units = Math.min(burst, units + (Math.max(0, now - filledAt) * perSecond) / 1000)
        filledAt = now
      }
      if (units < wanted) return false
      units -= wanted
      return true
    },
  }
}
