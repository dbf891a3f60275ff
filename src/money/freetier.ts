import type { Decision } from './decide.ts'
import type { Estimate, PriceRefusal } from './pricing.ts'
import type { Room } from './room.ts'
import type { Settlement } from './settlement.ts'
import type { Tier, TierSource } from './tiers.ts'

/** A decision with all that led to it, as `/why` and the JSON door's `estimate` show it. */
export interface ExplainedDecision {
  decision: Decision
  tier: Tier
  source: TierSource
  room: Room
}

/** The pool as everybody may see it. */
export interface PoolStatus {
  state: 'open' | 'paused' | 'empty'
  balanceSats: number
  dailyBudgets: Record<Tier, number>
  /** Jobs by how they were served, and sats, of the UTC day by the database's clock. */
  today: {
    free: number
    partial: number
    paid: number
    absorbedSats: number
    creditedSats: number
  }
}

/** A row of `free_tier_grants`: written once, at settlement, and never changed. */
export interface Grant {
  jobId: string
  customer: string
  /** What the pool paid. */
  actualSats: number
  /** What was taken from it before the work. */
  reservedSats: number
  /** UTC day the reservation was taken from and what is returned goes back to, YYYY-MM-DD. */
  day: string
}

/**
 * The gate between a request and the pool. The rules behind it are the pure functions of this
 * folder; what implements it reads their inputs and writes their answers, in one transaction each.
 * `customer` is a pubkey in lower-case hex.
 */
export interface FreeTierService {
  /**
   * Decides, and for `free` takes the whole estimate from the pool in the transaction that creates
   * the job, before any work. For `partial` it promises and touches no pool row.
   */
  decide(question: {
    jobId: string
    customer: string
    estimateSats: number
  }): Promise<ExplainedDecision>
  /** The same answer, on a read-only transaction: an estimate changes no row. */
  decideDryRun(question: { customer: string; estimateSats: number }): Promise<ExplainedDecision>
  /**
   * At payment: takes the promise from the pool as far as the room reaches. The sats taken,
   * possibly 0.
   */
  reservePartialGrant(job: { jobId: string; customer: string }): Promise<number>
  /** At settlement: writes the grant and gives back what was reserved and not absorbed. */
  recordGrant(grant: Grant): Promise<void>
  /**
   * At settlement: gives the pool its part of the net charge. Once per job; false when it had it.
   */
  credit(job: { jobId: string; settlement: Settlement }): Promise<boolean>
  poolStatus(): Promise<PoolStatus>
}

/**
 * What a request costs before it is done. Refuses an unknown model or a missing BTC rate; never
 * guesses.
 */
export interface PricingService {
  estimateRequestCost(
    request: string,
    model: string,
  ): (Estimate & { usdPerBtc: number | null }) | PriceRefusal | { refused: 'unknown_model' }
}
