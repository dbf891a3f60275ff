import { LNBITS_HASHES } from '../limits.ts'
import { judgeListed } from './lnbits-judge.ts'
import type { IncomingParts } from './lnbits-incoming.ts'
import { pageShape, type PaymentJson, paymentShape } from './lnbits-shapes.ts'
import type { IncomingState } from './lnbits-types.ts'

/** Twice, because a hash has two rows where a wallet paid itself. */
const ROWS_MAX = 2 * LNBITS_HASHES

export interface IncomingAsked {
  paymentHash: string
  amountSats: number
}

/**
 * `GET /payments/paginated?payment_hash[in]=…`: the rows of up to LNBITS_HASHES invoices in one
 * request, under our own key. `paid` is as good as by `lookupIncoming`, which reads the same row; `pending`
 * and `failed` are what LNbits knew without asking its node. What it does not show is left out, for a filter
 * that it does not know is quietly ignored (trap 14). Throws `LnbitsError`.
 */
export async function readIncoming(
  { caller, invoiceKey, identity }: Pick<IncomingParts, 'caller' | 'invoiceKey' | 'identity'>,
  asked: readonly IncomingAsked[],
): Promise<Map<string, IncomingState>> {
  const states = new Map<string, IncomingState>()
  if (asked.length === 0) return states
  if (asked.length > LNBITS_HASHES) throw new RangeError(`${asked.length} hashes in one request`)
  const query = new URLSearchParams({
    'payment_hash[in]': asked.map(({ paymentHash }) => paymentHash).join(','),
    sortby: 'time',
    direction: 'desc',
    limit: String(ROWS_MAX),
  })
  const path = `/payments/paginated?${query}`
  const { data } = await caller.read(path, pageShape, { key: invoiceKey, priority: 'payment' })
  const rows = Map.groupBy(
    data.flatMap((row) => paymentShape.safeParse(row).data ?? []),
    (row) => row.payment_hash,
  )
  const walletId = rows.size > 0 ? await identity.learn() : undefined
  for (const { paymentHash, amountSats } of asked) {
    const row = mostNegative(rows.get(paymentHash))
    if (row) states.set(paymentHash, judgeListed(row, { paymentHash, amountSats, walletId }))
  }
  return states
}

/** Of one wallet's two rows the one that left, as a look at the hash shows it (trap 12). */
const mostNegative = (rows: PaymentJson[] | undefined): PaymentJson | undefined =>
  rows?.reduce((least, row) => (row.amount < least.amount ? row : least))
