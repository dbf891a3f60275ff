/** What broke, if anything; every figure must be 0. */
export interface Violations {
  /** Grants above ratio × net paid; by careful books, grants and shortfalls together. */
  ratio: number
  /** More left the pool in a day than the breaker allows. */
  outflow: number
  /** Open promises above the pool; by careful books, above what the breaker lets out. */
  promises: number
  /** A shortfall above the promise it came from. */
  shortfall: number
  /** A pool, balance or day counter below zero. */
  negative: number
  /** A new key was given something. */
  newTier: number
  /** Sats that are in no place, or in two. */
  conservation: number
}

export interface Tally {
  /** Net settled charges of earned keys. */
  paidSats: number
  /** What the pool absorbed for earned keys. */
  absorbedSats: number
  shortfallSats: number
  /** Worst day's outflow in percent of its opening pool. */
  outflowPctMax: number
  /** Most promises open at once, and most shortfall booked in one day. */
  openPromisesSatsMax: number
  shortfallDaySatsMax: number
  violations: Violations
}

export const noViolations = (): Violations => ({
  ratio: 0,
  outflow: 0,
  promises: 0,
  shortfall: 0,
  negative: 0,
  newTier: 0,
  conservation: 0,
})

export const emptyTally = (): Tally => ({
  paidSats: 0,
  absorbedSats: 0,
  shortfallSats: 0,
  outflowPctMax: 0,
  openPromisesSatsMax: 0,
  shortfallDaySatsMax: 0,
  violations: noViolations(),
})
