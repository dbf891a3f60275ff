import { assertSats, floorPct } from './sats.ts'

/**
 * How one job's money ends. For every settlement, in sats:
 * paid + absorbed + shortfall = actual + refund, reserved = absorbed + returned,
 * charge + refund = paid, and the credit is a part of the charge.
 */
export interface Settlement {
  /** The pool's part. The pool pays first. */
  absorbedSats: number
  /** What the customer paid in the end: the net charge, on which trust and credit are counted. */
  chargeSats: number
  /** Paid and not charged; goes to the customer's balance. From 0 to what was paid. */
  refundSats: number
  /** Reserved and not absorbed; back to the pool and to the budget of the day it was taken from. */
  returnedSats: number
  /** What neither pool nor customer pays: the operator's. */
  shortfallSats: number
  /**
   * What the pool gets of the net charge, once per job. Moves from the operator, not in the sums
   * above.
   */
  creditSats: number
}

/**
 * Settles a job whose true cost is known. `actualSats` is the true cost even where it is above the
 * quote: the customer is never charged more than was paid, the rest is shortfall. `paidSats` is
 * what the invoice asked for or the balance holds for this job; an overpayment goes to the balance
 * before and is no part of it. `poolCreditPct` is a whole number from 0 to 100.
 * @throws RangeError on an amount no correct caller can have.
 */
export function settle({
  actualSats,
  reservedSats,
  paidSats,
  poolCreditPct,
}: {
  actualSats: number
  reservedSats: number
  paidSats: number
  poolCreditPct: number
}): Settlement {
  assertSats(actualSats, 'actualSats')
  assertSats(reservedSats, 'reservedSats')
  assertSats(paidSats, 'paidSats')
  const absorbedSats = Math.min(actualSats, reservedSats)
  const chargeSats = Math.min(paidSats, actualSats - absorbedSats)
  return {
    absorbedSats,
    chargeSats,
    refundSats: paidSats - chargeSats,
    returnedSats: reservedSats - absorbedSats,
    shortfallSats: actualSats - absorbedSats - chargeSats,
    creditSats: floorPct(chargeSats, poolCreditPct),
  }
}

/**
 * Settles a job that brought no result: nothing is absorbed or charged, all that was paid is
 * refunded and all that was reserved returned.
 * @throws RangeError on an amount no correct caller can have.
 */
export function settleFailed({
  reservedSats,
  paidSats,
}: {
  reservedSats: number
  paidSats: number
}): Settlement {
  return settle({ actualSats: 0, reservedSats, paidSats, poolCreditPct: 0 })
}
