import type { Clock } from '../clock.ts'
import { createLnbits } from '../lightning/lnbits.ts'
import type { Log } from '../log.ts'

export interface PayerOptions {
  url: string
  /** Of the wallet that pays. */
  adminKey: string
  clock: Clock
  log: Log
}

/** Pays an invoice from a play-money wallet, through the API of LNbits. Answers why not, or nothing. */
export async function payFromWallet(
  { url, adminKey, clock, log }: PayerOptions,
  { bolt11, paymentHash }: { bolt11: string; paymentHash: string },
): Promise<string | undefined> {
  // The admin key may do all that the invoice key may.
  const lnbits = createLnbits({ url, invoiceKey: adminKey, adminKey, clock, log })
  try {
    const paid = await lnbits.pay(bolt11, paymentHash)
    if (paid.state === 'success') return undefined
    return 'refusal' in paid ? paid.refusal : paid.state
  } finally {
    lnbits.close()
  }
}
