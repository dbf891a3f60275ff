import type { InboxMessage, ReplyTo } from '../store/inbox.ts'

/** A message that was opened, verified and read: what every door makes of its events. */
export interface Incoming {
  message: InboxMessage
  to: ReplyTo
}

/** A request for work with its price, ready to be accepted. */
export interface PricedRequest extends Incoming {
  request: string
  /** SHA-256 of the trimmed text, lower-case hex. */
  requestHash: string
  model: string
  estimatedSats: number
  /** USD per BTC the estimate was made at; null for flat-priced models. */
  usdPerBtc: number | null
  inputTokens: number
  outputTokens: number
  /** Most that the customer will pay, millisats; what the pool pays is within any bid. */
  bidMsat?: number | undefined
}
