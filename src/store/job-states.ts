/** Where a job is; `reason` beside it says by which road it came there. */
export type JobState =
  /** Put there by accept, taken out by quote: an invoice must be made. */
  | 'accepted'
  /** Not served and never charged; final. */
  | 'refused'
  /** Put there by quote with an open invoice; taken out by the payment or at expiry. */
  | 'awaiting_payment'
  /** Put there by accept (free, from balance) or by a payment; taken out by settle. */
  | 'working'
  /** There is a result, and the money is settled; final. The outbox delivers it. */
  | 'done'
  /** There is no result, and everything is refunded; final. */
  | 'failed'
  /** The invoice was not paid in time or the customer cancelled; final. Late money goes to the balance. */
  | 'expired'

/** The only place that knows which state may follow which. */
export const transitions: Record<JobState, readonly JobState[]> = {
  accepted: ['refused', 'awaiting_payment', 'working', 'expired'],
  refused: [],
  awaiting_payment: ['working', 'expired'],
  working: ['done', 'failed'],
  done: [],
  failed: [],
  expired: [],
}

export const jobStates = Object.keys(transitions) as JobState[]
