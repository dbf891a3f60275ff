/** What LNbits' word on an incoming payment comes to. `unreachable` is no word at all. */
export type IncomingState =
  | {
      state: 'paid'
      amountSats: number
      /** What the node kept, rounded up to a sat: the wallet holds that much less. */
      feeSats: number
      /** What the rounding of the fee left in the wallet; absent when nothing. */
      dustMsat?: number
      /** Unix seconds of LNbits' last change to the row. */
      at?: number
    }
  | { state: 'pending' | 'failed' | 'absent' }
  | { state: 'unreachable'; reason: string }

/** What LNbits' word on an outgoing payment comes to. */
export type OutgoingState =
  | {
      state: 'success'
      /** Rounded up to a sat. */
      feeSats: number
      /** What the rounding left in the wallet; absent when nothing. */
      dustMsat?: number
    }
  /** In flight; it may stay so for weeks, or for ever (trap 1). */
  | { state: 'pending' }
  /** LNbits says failed, which is no proof (trap 1): `confirmFailed` asks the node again. */
  | { state: 'failed-unconfirmed' }
  /** The node itself says again that this invoice is not paid and will not be. */
  | { state: 'failed' }
  /** LNbits has no such payment of ours. */
  | { state: 'absent' }
  | { state: 'unreachable'; reason: string }

export type PayState =
  | Exclude<OutgoingState, { state: 'absent' }>
  /** LNbits said no before it wrote anything, and shows nothing: nothing was or will be paid. */
  | { state: 'absent'; refusal: string }
