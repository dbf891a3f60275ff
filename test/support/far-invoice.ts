import { randomBytes } from 'node:crypto'
import { systemClock, unixSeconds } from '../../src/clock.ts'
import { encodeBolt11 } from '../../src/lightning/bolt11-encode.ts'

const FAR_KEY = new Uint8Array(32).fill(5)

/** An invoice of a Lightning node that is not the play-money one. */
export function farInvoice(amountSats: number, expirySeconds = 3600) {
  const paymentHash = randomBytes(32).toString('hex')
  const bolt11 = encodeBolt11(
    {
      amountMsat: BigInt(amountSats) * 1000n,
      paymentHash,
      paymentSecret: '11'.repeat(32),
      createdAt: unixSeconds(systemClock),
      expirySeconds,
      description: 'elsewhere',
    },
    FAR_KEY,
  )
  return { bolt11, paymentHash }
}
