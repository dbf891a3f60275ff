import type { LnbitsAnswer } from './lnbits-http.ts'
import {
  feeOf,
  instantSeconds,
  lookShape,
  type PaymentJson,
  rowState,
  errorShape,
} from './lnbits-shapes.ts'
import type { IncomingState, OutgoingState } from './lnbits-types.ts'

interface Asked {
  paymentHash: string
  /** Absent where the caller has none to compare. */
  amountSats?: number
  walletId: string | undefined
}

/**
 * Three-valued truth about an incoming payment. `paid` asks for all of: details, our wallet,
 * our hash, our amount with a plus sign, status success. A word of "unpaid" without a state is what
 * an outage of the node looks like, and "failed" is only believed as LNbits' own row.
 */
export function judgeIncoming(
  answer: LnbitsAnswer,
  asked: Asked & { amountSats: number },
): IncomingState {
  const row = ownRow(answer, asked)
  if ('state' in row) return row
  return judgeIncomingRow(row, asked.amountSats)
}

/**
 * The same for a row of a list under our own key. `paid` is as good as from a look at the hash, which reads
 * the same row; `pending` and `failed` are what LNbits knew, for a list does not ask the node.
 */
export function judgeListed(
  payment: PaymentJson,
  asked: Asked & { amountSats: number },
): IncomingState {
  const own = payment.payment_hash === asked.paymentHash && isOurs(payment, asked)
  const status = rowState(payment)
  if (!own) return foreign
  if (status === undefined) return { state: 'unreachable', reason: 'malformed' }
  return judgeIncomingRow({ payment, status, asked: true }, asked.amountSats)
}

function judgeIncomingRow(row: KnownRow, amountSats: number): IncomingState {
  // One wallet on both sides: LNbits then shows the payment that left, which brought us nothing
  // (trap 12).
  if (row.payment.amount < 0) return { state: 'pending' }
  if (row.payment.amount !== amountSats * 1000) return foreign
  switch (row.status) {
    case 'success': {
      const at = instantSeconds(row.payment.updated_at)
      const paid = { state: 'paid' as const, amountSats, ...feeOf(row.payment) }
      return at === undefined ? paid : { ...paid, at }
    }
    case 'failed':
      return { state: 'failed' }
    default:
      return row.asked ? { state: 'pending' } : { state: 'unreachable', reason: 'node-unclear' }
  }
}

/** The same for an outgoing payment: a `failed` here is never more than unconfirmed (trap 1). */
export function judgeOutgoing(answer: LnbitsAnswer, asked: Asked): OutgoingState {
  const row = ownRow(answer, asked)
  if ('state' in row) return row
  // Our own invoice and nothing that left: no payment of ours has this hash.
  if (row.payment.amount > 0) return { state: 'absent' }
  if (asked.amountSats !== undefined && row.payment.amount !== -asked.amountSats * 1000)
    return foreign
  switch (row.status) {
    case 'success':
      return { state: 'success', ...feeOf(row.payment) }
    case 'failed':
      return { state: 'failed-unconfirmed' }
    default:
      return row.asked ? { state: 'pending' } : { state: 'unreachable', reason: 'node-unclear' }
  }
}

const foreign = { state: 'unreachable', reason: 'foreign' } as const

interface KnownRow {
  payment: PaymentJson
  status: 'success' | 'failed' | 'pending'
  /** Whether LNbits could ask its node for this answer. */
  asked: boolean
}

type OwnRow = KnownRow | { state: 'absent' } | { state: 'unreachable'; reason: string }

function ownRow({ status, json }: LnbitsAnswer, { paymentHash, walletId }: Asked): OwnRow {
  if (status === 404) {
    const said = errorShape.safeParse(json)
    const absent = said.success && said.data.detail === 'Payment does not exist.'
    return absent ? { state: 'absent' } : { state: 'unreachable', reason: 'not-lnbits' }
  }
  if (status !== 200) return { state: 'unreachable', reason: reasonOf(status) }
  const look = lookShape.safeParse(json)
  if (!look.success) return { state: 'unreachable', reason: 'malformed' }
  const { details: payment, status: word, paid } = look.data
  // Without details LNbits does not know our key, or it is not LNbits.
  if (!payment) return { state: 'unreachable', reason: 'no-details' }
  if (payment.payment_hash !== paymentHash) return foreign
  if (!isOurs(payment, { walletId })) return foreign
  const state = rowState(payment)
  if (state === undefined) return { state: 'unreachable', reason: 'malformed' }
  // Money is booked on one clear word, and two that differ are none.
  if (state === 'success' && !paid) return { state: 'unreachable', reason: 'contradiction' }
  // Before 1.0 no answer had a word on the state, so its absence says nothing there.
  return { payment, status: state, asked: word !== undefined || payment.status === undefined }
}

const isOurs = (payment: PaymentJson, { walletId }: Pick<Asked, 'walletId'>): boolean =>
  walletId !== undefined && payment.wallet_id === walletId

function reasonOf(status: number): string {
  if (status === 429) return 'rate-limited'
  if (status === 401 || status === 403) return 'unauthorised'
  return `http-${status}`
}
