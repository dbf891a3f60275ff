/** Who a row is given to when it is written, and for how long. */
export interface Lease {
  /** The replica. */
  holder: string
  seconds: number
}
