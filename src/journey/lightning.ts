/** What the journey needs of LNbits; `src/lightning/lnbits.ts` is one, the simulator another. */
export interface InvoiceMaker {
  /** Throws when LNbits does not answer or says no; a second call may make a second invoice. */
  createInvoice(invoice: {
    amountSats: number
    memo: string
    expirySeconds: number
    extra: Record<string, string>
  }): Promise<{ paymentHash: string; bolt11: string; expiresAt: number }>
}

export type IncomingState =
  | { state: 'paid'; amountSats: number; feeSats: number }
  | { state: 'pending' | 'failed' | 'absent' }
  | { state: 'unreachable'; reason: string }

export interface PaymentChecker {
  /** The authority: an authenticated look at one hash. */
  lookupIncoming(paymentHash: string, amountSats: number): Promise<IncomingState>
  /** A hint for many hashes at once; whoever reads `paid` looks again by hash. */
  listIncoming(paymentHashes: string[]): Promise<Map<string, 'paid' | 'pending' | 'failed'>>
}
