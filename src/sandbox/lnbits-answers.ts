import type { PlayRow } from './lnbits-books.ts'

/** What a call answers, before a fault may change it. */
export interface Answer {
  status: number
  body: unknown
  /** A crash breaks the connection just after its answer. */
  breaks?: boolean
}

export const ok = (body: unknown): Answer => ({ status: 200, body })
export const created = (body: unknown): Answer => ({ status: 201, body })
export const refused = (status: number, detail: unknown): Answer => ({ status, body: { detail } })

/** LNbits' own status for anything about a payment; proxies use 520 too. */
export const paymentError = (detail: string, status: string): Answer => ({
  status: 520,
  body: { detail, status },
})

export const crashed = (): Answer => ({
  status: 500,
  body: { detail: `Unexpected error! ID: ${Math.random().toString(36).slice(2, 24)}` },
  breaks: true,
})

/** LNbits' validation errors are lists, with status 400. */
export const invalid = (field: string, msg: string): Answer =>
  refused(400, [{ loc: ['body', field], msg, type: 'value_error' }])

/**
 * Hours that the play-money server's clock on the wall is off UTC: POST answers show local time.
 */
const LOCAL_OFFSET_HOURS = -5

/** The payment object. `asCreated` writes the expiry as POST answers do: local time, no zone. */
export function paymentJson(row: PlayRow, asCreated = false): Record<string, unknown> {
  return {
    checking_id: row.checkingId,
    payment_hash: row.paymentHash,
    wallet_id: row.walletId,
    amount: row.amountMsat,
    fee: row.feeMsat,
    bolt11: row.bolt11,
    payment_request: row.bolt11,
    fiat_provider: null,
    status: row.status,
    memo: row.memo,
    expiry: asCreated ? localTime(row.expiresAt) : utcTime(row.expiresAt * 1000, false),
    webhook: row.webhook ?? null,
    webhook_status: null,
    preimage: row.preimage,
    tag: row.tag,
    extension: null,
    time: utcTime(row.createdAt),
    created_at: utcTime(row.createdAt),
    updated_at: utcTime(row.updatedAt),
    labels: row.labels,
    extra: row.extra,
    external_id: row.externalId,
  }
}

function utcTime(ms: number, withMicros = true): string {
  const text = new Date(ms).toISOString()
  return withMicros ? text.replace('Z', '000+00:00') : text.replace(/\.\d+Z$/, '+00:00')
}

function localTime(seconds: number): string {
  const local = new Date((seconds + LOCAL_OFFSET_HOURS * 3600) * 1000)
  return local.toISOString().replace(/\.\d+Z$/, '')
}
