import { ALL_SATS } from '../limits.ts'
import type { Room } from './room.ts'
import { isSats } from './sats.ts'
import { isTier, type Tier } from './tiers.ts'

/** `free`: the pool pays all; `partial`: the pool promises a part; `gate`: full price. */
export type Serve = 'free' | 'partial' | 'gate'

/** Why a decision is what it is; for a gate, the first bound that closed the room. */
export type DecisionReason =
  | 'within_room'
  | 'above_room'
  | 'tier_new'
  | 'banned'
  | 'pool_paused'
  | 'pool_empty'
  | 'breaker_used'
  | 'budget_used'
  | 'ratio_used'
  | 'bad_estimate'

export interface Decision {
  serve: Serve
  /** What the pool is to pay, sats; for `partial` a promise that touches no pool row. */
  absorbSats: number
  /** What the customer is to pay, sats. `absorbSats` + `chargeSats` is the estimate. */
  chargeSats: number
  reason: DecisionReason
}

/**
 * Answers free, partial or gate for an estimate (1 sat or more). Total over its inputs: what makes
 * no sense ends in a gate, never in NaN. An estimate that is no amount is gated at ALL_SATS, which
 * no invoice can ask for, so that a bug upstream ends in a refusal and not in free work.
 */
export function decide({
  tier,
  banned,
  poolPaused,
  room,
  estimateSats,
}: {
  tier: Tier
  /** From free work: a banned key may still pay. */
  banned: boolean
  poolPaused: boolean
  room: Room
  estimateSats: number
}): Decision {
  if (!isSats(estimateSats) || estimateSats < 1) return gate(ALL_SATS, 'bad_estimate')
  if (banned) return gate(estimateSats, 'banned')
  if (!isTier(tier) || tier === 'new') return gate(estimateSats, 'tier_new')
  if (poolPaused) return gate(estimateSats, 'pool_paused')
  if (!isSats(room.roomSats) || room.roomSats === 0) return gate(estimateSats, closedBy(room))
  if (room.roomSats >= estimateSats) {
    return { serve: 'free', absorbSats: estimateSats, chargeSats: 0, reason: 'within_room' }
  }
  return {
    serve: 'partial',
    absorbSats: room.roomSats,
    chargeSats: estimateSats - room.roomSats,
    reason: 'above_room',
  }
}

function gate(chargeSats: number, reason: DecisionReason): Decision {
  return { serve: 'gate', absorbSats: 0, chargeSats, reason }
}

/**
 * What everybody shares is named before what is the key's own, because the key can do nothing about
 * it.
 */
function closedBy({ terms }: Room): DecisionReason {
  if (terms.poolSats === 0) return 'pool_empty'
  if (terms.breakerSats === 0) return 'breaker_used'
  if (terms.ratioSats === 0) return 'ratio_used'
  return 'budget_used'
}

/**
 * The discount an invoice may promise, sats. Zero when the key has an open discounted invoice, and
 * never so much that all open promises together pass the pool or what the breaker lets out today:
 * the operator's exposure to a pool emptied between promise and payment is Σ open promises. Without
 * the breaker, keys that pay their promises together get a whole pool a day from the operator. Read
 * under the pool's row lock, when the invoice is made and not when it is estimated. At least 1 sat
 * is left to ask for.
 */
export function boundPromise({
  absorbSats,
  estimateSats,
  poolSats,
  breakerSats,
  openPromisesSats,
  hasOpenDiscount,
}: {
  absorbSats: number
  estimateSats: number
  poolSats: number
  /** What is left of the day's breaker: `room(…).terms.breakerSats`. */
  breakerSats: number
  /** Σ promises of all keys' open invoices. */
  openPromisesSats: number
  hasOpenDiscount: boolean
}): number {
  const amounts = [absorbSats, estimateSats, poolSats, breakerSats, openPromisesSats]
  if (hasOpenDiscount || !amounts.every(isSats)) return 0
  const unpromisedSats = Math.min(poolSats, breakerSats) - openPromisesSats
  return Math.max(0, Math.min(absorbSats, estimateSats - 1, unpromisedSats))
}

/**
 * What `reservePartialGrant` may take when the payment of a discounted invoice is confirmed, sats:
 * the promise, as far as the key's room of now reaches, possibly zero. The work goes on either way;
 * the gap to the promise is the operator's shortfall. A ban since then closes the room (tier `new`
 * has a budget of 0); a pool paused since then keeps the promises it made.
 */
export function reserveNow({ promisedSats, room }: { promisedSats: number; room: Room }): number {
  if (!isSats(promisedSats) || !isSats(room.roomSats)) return 0
  return Math.min(promisedSats, room.roomSats)
}
