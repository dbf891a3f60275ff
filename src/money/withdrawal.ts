/**
 * What is set aside for the routing fee of a payment of `amountSats`: one percent rounded up, at
 * least 2 sats. LNbits' own rule, so that what it holds back is never more than we do.
 */
export const feeReserveSats = (amountSats: number): number =>
  Math.max(2, Math.ceil(amountSats / 100))

/** The largest amount that, with its fee reserve, `availableSats` still cover; 0 when none is. */
export const largestWithdrawalSats = (availableSats: number): number =>
  Math.max(0, Math.min(availableSats - Math.ceil(availableSats / 101), availableSats - 2))

/** How a withdrawal's hold is used up when its payment has arrived. */
export interface WithdrawalEnd {
  /** The part of the fee that the reserve pays. */
  heldFeeSats: number
  /** The part beyond the reserve: LNbits knows no cap of ours, so that is the operator's. */
  operatorFeeSats: number
  /** Back to the customer. */
  returnedSats: number
}

/** Splits a routing fee, so that no customer ever pays more than what was set aside with its consent. */
export function settleWithdrawal({
  reserveSats,
  feeSats,
}: {
  reserveSats: number
  feeSats: number
}): WithdrawalEnd {
  const heldFeeSats = Math.min(reserveSats, feeSats)
  return {
    heldFeeSats,
    operatorFeeSats: feeSats - heldFeeSats,
    returnedSats: reserveSats - heldFeeSats,
  }
}
