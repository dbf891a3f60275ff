import type { IncomingState, OutgoingState, PayState } from '../lightning/lnbits-types.ts'

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

/** How it is learned what LNbits knows of invoices. */
export interface PaymentChecker {
  /** The authority: an authenticated look at one hash. `background` looks wait for all others. */
  lookupIncoming(
    paymentHash: string,
    amountSats: number,
    priority?: 'payment' | 'background',
  ): Promise<IncomingState>
  /**
   * The rows of up to LNBITS_HASHES invoices in one question: `paid` is as good as a look's, the rest is what
   * LNbits knew without asking its node, and what it does not show is left out. Throws `LnbitsError`.
   */
  readIncoming(
    asked: readonly { paymentHash: string; amountSats: number }[],
  ): Promise<Map<string, IncomingState>>
  /** A hint for many hashes at once; whoever reads `paid` looks again by hash. */
  listIncoming(paymentHashes: string[]): Promise<Map<string, 'paid' | 'pending' | 'failed'>>
}

/** What pays out. Only here the admin key is used; every answer but a success is asked about again. */
export interface Payer {
  /** What LNbits holds back for routing this invoice, sats. */
  feeReserveSats(bolt11: string): Promise<number>
  /** Pays once; afterwards the money may be gone, whatever the answer is. */
  pay(bolt11: string, paymentHash: string): Promise<PayState>
  /** What LNbits knows of a payment of ours, without asking its node about a failed one. */
  lookupOutgoing(paymentHash: string, amountSats: number): Promise<OutgoingState>
  /** Whether a payment that LNbits calls failed is failed at its node too. */
  confirmFailed(bolt11: string, paymentHash: string): Promise<OutgoingState>
}
