import type { Log } from '../log.ts'
import { INVOICE_SATS, MEMO_BYTES } from '../limits.ts'
import { decodeBolt11 } from './bolt11.ts'
import type { Bolt11Network } from './bolt11-words.ts'
import { type Caller, readAs } from './lnbits-call.ts'
import { LnbitsError } from './lnbits-error.ts'
import type { LnbitsPriority } from './lnbits-gate.ts'
import { judgeIncoming } from './lnbits-judge.ts'
import type { IncomingState } from './lnbits-types.ts'
import { createdShape, pageShape, paymentShape } from './lnbits-shapes.ts'

export interface InvoiceWanted {
  amountSats: number
  memo: string
  expirySeconds: number
  extra: Record<string, string>
}

export interface InvoiceMade {
  paymentHash: string
  bolt11: string
  /**
   * Unix seconds, from the bolt11: the expiry in LNbits' answer is local time without a zone (trap
   * 15).
   */
  expiresAt: number
}

export interface WalletIdentity {
  /** The id if it is known already. */
  known(): string | undefined
  /**
   * The id, asked for if need be; `undefined` while the wallet has no payment that would tell it.
   */
  learn(): Promise<string | undefined>
  /** Takes the id from an answer that was our own create. */
  take(id: string): void
}

/**
 * Which wallet is ours. The invoice key alone is never told the wallet's id, but every payment of
 * the wallet carries it, and a list under our own key holds our wallet's payments only.
 */
export function createWalletIdentity(caller: Caller, invoiceKey: string): WalletIdentity {
  let id: string | undefined
  return {
    known: () => id,
    async learn() {
      if (id !== undefined) return id
      const path = '/payments/paginated?sortby=time&direction=desc&limit=1'
      const page = await caller.read(path, pageShape, { key: invoiceKey, priority: 'payment' })
      const row = paymentShape.safeParse(page.data[0])
      id ??= row.success ? row.data.wallet_id : undefined
      return id
    },
    take(taken) {
      id ??= taken
    },
  }
}

export interface IncomingParts {
  caller: Caller
  invoiceKey: string
  identity: WalletIdentity
  network: Bolt11Network
  log: Log
}

/** `POST /payments` with `out: false`. Throws `LnbitsError`. */
export async function createInvoice(
  { caller, invoiceKey, identity, network }: IncomingParts,
  { amountSats, memo, expirySeconds, extra }: InvoiceWanted,
): Promise<InvoiceMade> {
  // LNbits floors fractions after its check for zero, so 0.5 would be an invoice of any amount
  // (trap 10).
  const whole = Number.isSafeInteger(amountSats) && Number.isSafeInteger(expirySeconds)
  if (!whole || amountSats < 1 || amountSats > INVOICE_SATS || expirySeconds < 1) {
    throw new LnbitsError('refused', { detail: 'amount or expiry out of range' })
  }
  const body = {
    // The default is to pay (trap 20).
    out: false,
    unit: 'sat',
    amount: amountSats,
    memo: cutMemo(memo),
    expiry: expirySeconds,
    extra: { tag: 'tithe', ...extra },
  }
  const answer = await caller.ask(
    { method: 'POST', path: '/payments', key: invoiceKey, body },
    'quote',
  )
  const made = readAs(createdShape, answer, true)
  const bolt11 = made.bolt11 ?? made.payment_request ?? ''
  const decoded = decodeBolt11(bolt11, { network, signature: 'unread' })
  const known = identity.known()
  const fits =
    decoded.ok &&
    decoded.invoice.paymentHash === made.payment_hash &&
    decoded.invoice.amountSats === amountSats &&
    (made.amount === undefined || made.amount === amountSats * 1000) &&
    (made.wallet_id === undefined || known === undefined || made.wallet_id === known)
  if (!decoded.ok || !fits) {
    const detail = decoded.ok ? 'the invoice does not fit what was asked' : decoded.reason
    throw new LnbitsError('malformed', { status: answer.status, wroteMaybe: true, detail })
  }
  if (made.wallet_id !== undefined) identity.take(made.wallet_id)
  return {
    paymentHash: made.payment_hash,
    bolt11: decoded.invoice.text,
    expiresAt: decoded.invoice.expiresAt,
  }
}

/** What no outage explains, so that an operator hears of it. */
const STRANGE = new Map([
  ['foreign', 'LNbits shows a row that is not ours'],
  ['contradiction', 'LNbits calls a payment paid and unpaid in one answer'],
])

/**
 * `GET /payments/{hash}`: the only authority on whether an invoice is paid. Never throws; an
 * answer that is not LNbits' clear word on our own row is `unreachable`, which proves nothing.
 */
export async function lookupIncoming(
  { caller, invoiceKey, identity, log }: IncomingParts,
  {
    paymentHash,
    amountSats,
    priority,
  }: { paymentHash: string; amountSats: number; priority: LnbitsPriority },
): Promise<IncomingState> {
  try {
    const call = { method: 'GET' as const, path: `/payments/${paymentHash}`, key: invoiceKey }
    const answer = await caller.ask(call, priority)
    const walletId = answer.status === 200 ? await identity.learn() : undefined
    const judged = judgeIncoming(answer, { paymentHash, amountSats, walletId })
    const strange = judged.state === 'unreachable' ? STRANGE.get(judged.reason) : undefined
    if (strange !== undefined) log.warn({ paymentHash: paymentHash.slice(0, 8) }, strange)
    return judged
  } catch (error) {
    if (error instanceof LnbitsError) return { state: 'unreachable', reason: error.kind }
    throw error
  }
}

/** Nodes limit the memo in bytes (trap 24); the cut never splits a character. */
export function cutMemo(memo: string): string {
  const whole = memo.toWellFormed()
  const { read } = new TextEncoder().encodeInto(whole, new Uint8Array(MEMO_BYTES))
  return whole.slice(0, read) || 'tithe'
}
