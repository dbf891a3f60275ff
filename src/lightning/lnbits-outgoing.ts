import { decodeBolt11 } from './bolt11.ts'
import type { Bolt11Network } from './bolt11-words.ts'
import type { Caller } from './lnbits-call.ts'
import { LnbitsError, scrub } from './lnbits-error.ts'
import type { LnbitsAnswer, LnbitsHttp } from './lnbits-http.ts'
import type { WalletIdentity } from './lnbits-incoming.ts'
import { judgeOutgoing } from './lnbits-judge.ts'
import { errorShape } from './lnbits-shapes.ts'
import type { OutgoingState, PayState } from './lnbits-types.ts'

export interface LookParts {
  caller: Caller
  invoiceKey: string
  identity: WalletIdentity
}

export interface OutgoingParts extends LookParts {
  http: LnbitsHttp
  adminKey: string
  network: Bolt11Network
  payTimeoutMs: number
}

/** A POST of a bolt11: its answer, or that there was none. */
type Posted =
  | { answered: true; answer: LnbitsAnswer; said: string | undefined; text: string }
  | { answered: false; sent: boolean; reason: string }

/**
 * Pays a bolt11 once, then asks LNbits what became of it, whatever the POST said: 201 is not paid
 * (trap 3), 520 is not failed (traps 1, 4), and no answer is not nothing. Never throws for what
 * LNbits does; throws `LnbitsError` when the bolt11 is not one that this hash belongs to.
 * The hold must be committed before: after this call the money may be gone, whatever it answers.
 */
export async function pay(
  parts: OutgoingParts,
  bolt11: string,
  paymentHash: string,
): Promise<PayState> {
  const amountSats = checkedAmount(parts, bolt11, paymentHash)
  const posted = await post(parts, bolt11)
  if (!posted.answered && !posted.sent) return { state: 'absent', refusal: posted.reason }
  const found = await look(parts, { paymentHash, amountSats })
  if (found.state !== 'absent') return found
  // Nothing is written: proof only if LNbits itself has ended the call, for a POST may still be on
  // its way.
  if (posted.answered && refusedClearly(posted)) {
    return { state: 'absent', refusal: scrub(posted.text) || 'rate-limited' }
  }
  return { state: 'unreachable', reason: posted.answered ? 'no-row' : posted.reason }
}

/** `GET /payments/{hash}` for a payment of ours that left. Never throws. */
export function lookupOutgoing(
  parts: LookParts,
  paymentHash: string,
  amountSats?: number,
): Promise<OutgoingState> {
  return look(parts, { paymentHash, ...(amountSats === undefined ? {} : { amountSats }) })
}

/**
 * Asks the node again about a payment that LNbits calls failed, by the only call that does: a
 * second POST of the same bolt11, which cannot pay while the row is there (trap 2). `failed` comes
 * back only on the node's own repeated no; everything unclear stays `failed-unconfirmed`, and a
 * late success is a success. To be called before the hold is given back, never after.
 */
export async function confirmFailed(
  parts: OutgoingParts,
  bolt11: string,
  paymentHash: string,
): Promise<OutgoingState> {
  const amountSats = checkedAmount(parts, bolt11, paymentHash)
  const before = await look(parts, { paymentHash, amountSats })
  if (before.state !== 'failed-unconfirmed') return before
  const posted = await post(parts, bolt11)
  const after = await look(parts, { paymentHash, amountSats })
  if (after.state !== 'failed-unconfirmed') return after
  return posted.answered && nodeConfirms(posted) ? { state: 'failed' } : after
}

/**
 * LNbits' wording of the node's no on a second POST. Another wording leaves the payment to the
 * operator.
 */
const NODE_CONFIRMS = 'Payment is failed node, retrying is not possible.'

function nodeConfirms({ answer, said, text }: Posted & { answered: true }): boolean {
  return answer.status === 520 && said === 'failed' && text === NODE_CONFIRMS
}

/**
 * LNbits' no before it writes a row, by its first words. A wrong match here pays twice, a missed one only parks a
 * withdrawal: "Payment failed: …" is absent on purpose, because versions before 1.0 took the row away then, whatever
 * the node had done.
 */
const REFUSALS = [
  'Insufficient balance.',
  'You must reserve at least',
  'Bolt11 decoding failed.',
  'Amountless invoices not supported.',
  'Invoice amount',
  'Only incoming payments allowed.',
  'Wallet does not have permission',
  'Invalid invoice. Bolt11 changed.',
  'The time limit of',
  // Rows of other wallets of the instance: nothing of ours is behind them.
  'Internal invoice already paid.',
  'Payment already paid.',
  'Payment is still pending.',
  'Payment is failed node',
  'Failed payment was already paid on the fundingsource.',
]

function refusedClearly({ answer, text }: Posted & { answered: true }): boolean {
  const { status } = answer
  if (status === 429) return true
  if (status === 404) return text === 'Wallet not found.'
  if (status === 520) return REFUSALS.some((refusal) => text.startsWith(refusal))
  return (status === 400 || status === 401 || status === 403) && text !== ''
}

async function post(parts: OutgoingParts, bolt11: string): Promise<Posted> {
  const body = { out: true, bolt11, extra: { tag: 'tithe' }, labels: [] }
  try {
    const answer = await parts.http.send({
      method: 'POST',
      path: '/payments',
      key: parts.adminKey,
      body,
      timeoutMs: parts.payTimeoutMs,
    })
    const read = errorShape.safeParse(answer.json)
    const { status: said, detail } = read.success ? read.data : {}
    return { answered: true, answer, said, text: detail ?? '' }
  } catch (error) {
    if (!(error instanceof LnbitsError)) throw error
    return { answered: false, sent: error.wroteMaybe, reason: error.kind }
  }
}

async function look(
  { caller, invoiceKey, identity }: LookParts,
  asked: { paymentHash: string; amountSats?: number },
): Promise<OutgoingState> {
  try {
    const call = { method: 'GET' as const, path: `/payments/${asked.paymentHash}`, key: invoiceKey }
    const answer = await caller.ask(call, 'payment')
    const walletId = answer.status === 200 ? await identity.learn() : undefined
    return judgeOutgoing(answer, { ...asked, walletId })
  } catch (error) {
    if (error instanceof LnbitsError) return { state: 'unreachable', reason: error.kind }
    throw error
  }
}

function checkedAmount({ network }: OutgoingParts, bolt11: string, paymentHash: string): number {
  const decoded = decodeBolt11(bolt11, { network })
  if (!decoded.ok) throw new LnbitsError('refused', { detail: decoded.reason })
  if (decoded.invoice.paymentHash !== paymentHash) {
    throw new LnbitsError('refused', { detail: 'the invoice has another hash' })
  }
  return decoded.invoice.amountSats
}
