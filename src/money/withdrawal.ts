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
  /** Back to the customer: the reserve less the fee. */
  returnedSats: number
  /** The part of the fee beyond the reserve, which is the operator's. */
  shortfallSats: number
}

/** LNbits knows no cap of ours on a fee, so it may be above what was set aside for it. */
export function settleWithdrawal({
  reserveSats,
  feeSats,
}: {
  reserveSats: number
  feeSats: number
}): WithdrawalEnd {
  return {
    returnedSats: Math.max(0, reserveSats - feeSats),
    shortfallSats: Math.max(0, feeSats - reserveSats),
  }
}
