import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { type Bolt11Sign, encodeBolt11 } from '../lightning/bolt11-encode.ts'
import { INVOICE_SATS } from '../limits.ts'
import {
  type Answer,
  crashed,
  created,
  invalid,
  ok,
  paymentError,
  paymentJson,
  refused,
} from './lnbits-answers.ts'
import type { Books, PlayRow, PlayWallet } from './lnbits-books.ts'
import { looseBolt11 } from './lnbits-loose.ts'
import type { NodeAnswer, PlayNode } from './lnbits-node.ts'

export interface PaymentsParts {
  books: Books
  node: PlayNode
  /** How the node signs its invoices. */
  sign: Bolt11Sign
  clock: Clock
  /** How long LNbits waits for its node before it answers `pending`. */
  payWaitMs: number
  signal: AbortSignal
  /** Tells the websocket listeners; `times` because LNbits tells some things twice. */
  announce(row: PlayRow, times: number): void
  /** Calls the webhook of an invoice, if it has one. */
  callWebhook(row: PlayRow, times: number): void
}

/**
 * FakeWallet's bolt11 takes this many bytes of memo, whatever LNbits' own check of 640 characters
 * says.
 */
const NODE_MEMO_BYTES = 639
const DEFAULT_EXPIRY_SECONDS = 3600
const createShape = z.object({
  amount: z.coerce.number().optional(),
  unit: z.string().default('sat'),
  memo: z.string().nullish(),
  expiry: z.number().int().nullish(),
  extra: z.record(z.string(), z.unknown()).nullish(),
  labels: z.array(z.string()).default([]),
  external_id: z.string().nullish(),
  webhook: z.url({ protocol: /^http$/ }).nullish(),
})

/** `POST /payments` with `out: false`. */
export function createInvoice(parts: PaymentsParts, wallet: PlayWallet, body: unknown): Answer {
  const read = createShape.safeParse(body)
  if (!read.success) return invalid(String(read.error.issues[0]?.path[0] ?? ''), 'invalid value')
  const { amount, unit, memo, expiry, extra } = read.data
  if (amount === undefined || (expiry ?? 0) < 0) return crashed()
  if (amount < 0) return invalid('amount', 'ensure this value is greater than or equal to 0')
  if (unit !== 'sat') return invalid('unit', 'The provided unit is not supported')
  if ((memo ?? '').length > 640)
    return invalid('memo', 'ensure this value has at most 640 characters')
  if (amount === 0) return paymentError('Amountless invoices not supported.', 'failed')
  if (Buffer.byteLength(memo ?? '', 'utf8') > NODE_MEMO_BYTES) {
    return refused(400, 'the bitstring is too long for the tagged field')
  }
  const sats = Math.floor(amount)
  if (sats > INVOICE_SATS) {
    const detail = `Invoice amount ${sats} sats is too high. Max allowed: ${INVOICE_SATS} sats.`
    return paymentError(detail, 'failed')
  }
  if (parts.node.down) return paymentError('Unable to connect to the funding source.', 'pending')
  const row = addInvoice(parts, wallet, {
    amountMsat: sats * 1000,
    memo: memo || 'LNbits',
    expirySeconds: expiry || DEFAULT_EXPIRY_SECONDS,
    extra: extra ?? {},
    labels: read.data.labels,
    externalId: read.data.external_id ?? null,
    webhook: read.data.webhook ?? undefined,
  })
  return created(paymentJson(row, true))
}

interface InvoiceDraft {
  amountMsat: number
  memo: string
  expirySeconds: number
  extra: Record<string, unknown>
  labels: string[]
  externalId: string | null
  webhook?: string | undefined
}

export function addInvoice(parts: PaymentsParts, wallet: PlayWallet, draft: InvoiceDraft): PlayRow {
  const preimage = randomBytes(32)
  const paymentHash = createHash('sha256').update(preimage).digest('hex')
  const createdAt = Math.floor(parts.clock.now() / 1000)
  const bolt11 = encodeBolt11(
    {
      ...(draft.amountMsat === 0 ? {} : { amountMsat: BigInt(draft.amountMsat) }),
      paymentHash,
      paymentSecret: randomBytes(32).toString('hex'),
      createdAt,
      expirySeconds: draft.expirySeconds,
      description: draft.memo,
    },
    parts.books.nodeKey,
    parts.sign,
  )
  return parts.books.add({
    checkingId: paymentHash,
    paymentHash,
    walletId: wallet.id,
    amountMsat: draft.amountMsat,
    feeMsat: 0,
    bolt11,
    status: 'pending',
    memo: draft.memo,
    preimage: preimage.toString('hex'),
    tag: typeof draft.extra.tag === 'string' ? draft.extra.tag : null,
    extra: draft.extra,
    labels: draft.labels,
    externalId: draft.externalId,
    webhook: draft.webhook,
    expiresAt: createdAt + draft.expirySeconds,
  })
}

const payShape = z.object({
  bolt11: z.string().nullish(),
  extra: z.record(z.string(), z.unknown()).nullish(),
  labels: z.array(z.string()).default([]),
})

/** `POST /payments` with `out: true`, in the order of LNbits' own checks. */
export async function payInvoice(
  parts: PaymentsParts,
  wallet: PlayWallet,
  body: unknown,
): Promise<Answer> {
  const { books } = parts
  const read = payShape.safeParse(body)
  if (!read.success) return invalid(String(read.error.issues[0]?.path[0] ?? ''), 'invalid value')
  const bolt11 = read.data.bolt11
  if (!bolt11) return refused(400, 'Missing BOLT11 invoice')
  const invoice = looseBolt11(bolt11)
  if (!invoice) return paymentError('Bolt11 decoding failed.', 'failed')
  const { amountMsat, paymentHash } = invoice
  if (amountMsat === 0) return paymentError('Amountless invoices not supported.', 'failed')
  if (amountMsat > INVOICE_SATS * 1000) {
    const sats = Math.floor(amountMsat / 1000)
    const detail = `Invoice amount ${sats} sats is too high. Max allowed: ${INVOICE_SATS} sats.`
    return paymentError(detail, 'failed')
  }
  const incoming = books.find(paymentHash).filter((row) => row.amountMsat > 0)
  if (incoming.some((row) => row.status === 'success')) {
    return paymentError('Internal invoice already paid.', 'failed')
  }
  const draft: NewPayment = {
    paymentHash,
    walletId: wallet.id,
    amountMsat: -amountMsat,
    bolt11,
    memo: invoice.description,
    tag: typeof read.data.extra?.tag === 'string' ? read.data.extra.tag : null,
    extra: read.data.extra ?? {},
    labels: read.data.labels,
    externalId: null,
    expiresAt: invoice.createdAt + invoice.expirySeconds,
  }
  const pending = incoming.find((row) => row.status === 'pending')
  return pending ? payInside(parts, draft, pending) : payOutside(parts, draft)
}

type NewPayment = Omit<
  PlayRow,
  'checkingId' | 'feeMsat' | 'status' | 'preimage' | 'createdAt' | 'updatedAt'
>

function payInside(
  { books, announce, callWebhook }: PaymentsParts,
  draft: NewPayment,
  invoice: PlayRow,
): Answer {
  if (invoice.amountMsat !== -draft.amountMsat || invoice.bolt11 !== draft.bolt11.toLowerCase()) {
    return paymentError('Invalid invoice. Bolt11 changed.', 'failed')
  }
  if (books.balanceMsat(draft.walletId) < invoice.amountMsat) {
    return paymentError('Insufficient balance.', 'failed')
  }
  const payment = books.add({
    ...draft,
    checkingId: `internal_${draft.paymentHash}`,
    feeMsat: 0,
    status: 'success',
    preimage: invoice.preimage,
  })
  const received = books.save(invoice, { status: 'success' })
  announce(payment, 1)
  announce(received, 2)
  callWebhook(received, 2)
  return created(paymentJson(payment, true))
}

async function payOutside(parts: PaymentsParts, draft: NewPayment): Promise<Answer> {
  const { books, node, payWaitMs, signal, announce } = parts
  const reserveMsat = feeReserveMsat(-draft.amountMsat)
  const balanceMsat = books.balanceMsat(draft.walletId)
  if (balanceMsat < -draft.amountMsat) return paymentError('Insufficient balance.', 'failed')
  if (balanceMsat < -draft.amountMsat + reserveMsat) {
    const sats = Math.round(reserveMsat / 1000)
    const detail = `You must reserve at least (${sats}  sat) to cover potential routing fees.`
    return paymentError(detail, 'failed')
  }
  const [earlier] = books.find(draft.paymentHash)
  if (earlier) return payAgain(parts, earlier)
  const row = books.add({
    ...draft,
    checkingId: draft.paymentHash,
    feeMsat: -reserveMsat,
    status: 'pending',
    preimage: null,
  })
  const answer = await node.pay(draft.paymentHash, payWaitMs, signal)
  if (answer.state === 'crash') return crashed()
  if (answer.state === 'failed') {
    books.save(row, { status: 'failed' })
    return paymentError('Payment failed: no route.', 'failed')
  }
  if (answer.state === 'unknown') return created(paymentJson(row, true))
  const paid = books.save(row, {
    status: 'success',
    feeMsat: -answer.feeMsat,
    preimage: '00'.repeat(32),
  })
  announce(paid, 1)
  return created(paymentJson(paid, true))
}

/** A second POST never pays; it is the one call that asks the node about a failed payment again. */
function payAgain({ books, node }: PaymentsParts, row: PlayRow): Answer {
  if (row.status === 'pending') return paymentError('Payment is still pending.', 'pending')
  if (row.status === 'success') return paymentError('Payment already paid.', 'success')
  const answer: NodeAnswer =
    row.amountMsat > 0 ? { state: 'unknown' } : node.outgoing(row.paymentHash)
  if (answer.state === 'failed') {
    return paymentError('Payment is failed node, retrying is not possible.', 'failed')
  }
  if (answer.state === 'success') {
    books.save(row, { status: 'success', feeMsat: -answer.feeMsat })
    return paymentError('Failed payment was already paid on the fundingsource.', 'success')
  }
  return created(paymentJson(row, true))
}

/** LNbits' reserve for routing fees: one percent, at least two sats. */
export function feeReserveMsat(amountMsat: number): number {
  return Math.max(2000, Math.floor(amountMsat / 100))
}

/**
 * `GET /payments/{hash}`: asks the node about a pending row, and fails an expired one without
 * asking.
 */
export function lookUp(parts: PaymentsParts, id: string, wallet: PlayWallet | undefined): Answer {
  const [row] = parts.books.find(id, wallet?.id)
  if (!row) return refused(404, 'Payment does not exist.')
  const details = (found: PlayRow) => (wallet ? { details: paymentJson(found) } : {})
  if (row.status === 'success') {
    return ok({ paid: true, preimage: row.preimage, ...details(row) })
  }
  if (row.status === 'failed') return ok({ paid: false, status: 'failed', ...details(row) })
  if (parts.node.down && !(row.amountMsat > 0 && isExpired(parts, row))) {
    return ok({ paid: false, ...details({ ...row, preimage: null }) })
  }
  const fresh = refresh(parts, row)
  return ok({
    paid: fresh.status === 'success',
    ...(wallet ? { status: fresh.status } : {}),
    preimage: fresh.status === 'success' ? fresh.preimage : null,
    ...details(fresh),
  })
}

const isExpired = ({ clock }: PaymentsParts, row: PlayRow) => row.expiresAt * 1000 < clock.now()

/** What LNbits does when somebody looks at a pending row. */
export function refresh(parts: PaymentsParts, row: PlayRow): PlayRow {
  const { books, node } = parts
  if (row.amountMsat > 0) {
    if (isExpired(parts, row)) {
      return books.save(row, { status: 'failed', labels: [...row.labels, 'expired'] })
    }
    return node.received(row.paymentHash) ? books.save(row, { status: 'success' }) : row
  }
  const answer: NodeAnswer = row.checkingId.startsWith('internal_')
    ? { state: 'unknown' }
    : node.outgoing(row.paymentHash)
  if (answer.state === 'failed') return books.save(row, { status: 'failed' })
  if (answer.state !== 'success') return row
  return books.save(row, { status: 'success', feeMsat: -answer.feeMsat })
}

/** Money arrives over the node's own stream: whatever the row was, it becomes a success. */
export function settleIncoming(parts: PaymentsParts, paymentHash: string, feeMsat: number): void {
  const row = parts.books.find(paymentHash).find((found) => found.amountMsat > 0)
  if (!row) return
  const paid = parts.books.save(row, { status: 'success', feeMsat: -feeMsat })
  parts.announce(paid, 2)
  parts.callWebhook(paid, 1)
}
