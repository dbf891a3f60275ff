/** Everything a relay did, counted since `connectRelay`. */
export interface RelayCounters {
  opens: number
  drops: number
  events: number
  /** Events whose id and signature had been verified before. */
  known: number
  forged: number
  malformed: number
  /** Events that do not match the filter they were sent for. */
  mismatched: number
  /** Events for a subscription that was never opened. */
  unsolicited: number
  /** Frames that are not JSON or not a relay's message. */
  broken: number
  oversized: number
  challenges: number
  authFailures: number
  notices: number
  /** Times the connection was cut because the relay's budget was used up. */
  trips: number
  /** Exceptions of our own code while handling a frame. */
  faults: number
  acknowledged: number
  refused: number
  timeout: number
  unreachable: number
}

export const noCounts = (): RelayCounters => ({
  opens: 0,
  drops: 0,
  trips: 0,
  faults: 0,
  events: 0,
  known: 0,
  forged: 0,
  malformed: 0,
  mismatched: 0,
  unsolicited: 0,
  broken: 0,
  oversized: 0,
  challenges: 0,
  authFailures: 0,
  notices: 0,
  acknowledged: 0,
  refused: 0,
  timeout: 0,
  unreachable: 0,
})
