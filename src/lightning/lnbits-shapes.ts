import { z } from 'zod'
import { INVOICE_SATS } from '../limits.ts'

/** The shapes of LNbits' answers, 0.12 to 1.6: what tithe reads of them, and nothing else. */

const msat = z.number().int().refine(Number.isSafeInteger)
/** No fee is above the largest invoice; one of 1e20 could never be booked, and would be tried for ever. */
const isFee = (fee?: number | null) => Math.abs(fee ?? 0) <= INVOICE_SATS * 1000
const hash = z.string().regex(/^[0-9a-f]{64}$/)
const instant = z.union([z.string(), z.number()]).optional().catch(undefined)

export const paymentShape = z.object({
  payment_hash: hash,
  wallet_id: z.string().optional().catch(undefined),
  /** Negative when it went out. */
  amount: msat,
  /** Never positive where it is real; zero where a version leaves it out. */
  fee: z.number().nullish().catch(null).refine(isFee),
  status: z.enum(['success', 'pending', 'failed']).optional().catch(undefined),
  /** What stood for `status` before 1.0. */
  pending: z.boolean().optional().catch(undefined),
  tag: z.string().nullish().catch(null),
  checking_id: z.string().optional().catch(undefined),
  time: instant,
  updated_at: instant,
})
export type PaymentJson = z.infer<typeof paymentShape>

export const lookShape = z.object({
  paid: z.boolean(),
  status: z.string().optional().catch(undefined),
  details: paymentShape.optional().catch(undefined),
})

export const createdShape = z.object({
  payment_hash: hash,
  bolt11: z.string().nullish(),
  payment_request: z.string().nullish(),
  amount: msat.optional(),
  wallet_id: z.string().optional(),
})

export const pageShape = z.object({ data: z.array(z.unknown()), total: z.number().int() })
export const walletShape = z.object({ balance: msat })
/** Its clock, Unix seconds. */
export const healthShape = z.object({ server_time: z.number() })
export const rateShape = z.object({ rate: z.number(), price: z.number().optional() })
export const reserveShape = z.object({ fee_reserve: msat })
export const errorShape = z.object({
  detail: z.string().optional().catch(undefined),
  status: z.string().optional().catch(undefined),
  error: z.string().optional().catch(undefined),
})

/**
 * The state of a row, whatever the version calls it; none where the row contradicts itself. Before 1.0 a failed
 * payment had no row.
 */
export function rowState(row: PaymentJson): 'success' | 'pending' | 'failed' | undefined {
  if (row.status === 'success' && row.pending) return undefined
  if (row.status !== undefined) return row.status
  if (row.pending === undefined) return undefined
  return row.pending ? 'pending' : 'success'
}

/**
 * A fee as the ledger counts it: rounded up, because a fraction that we leave out would make the
 * wallet fall short. What LNbits did not take of the last sat is the dust.
 */
export function feeOf(row: PaymentJson): { feeSats: number; dustMsat?: number } {
  const feeMsat = Math.ceil(Math.abs(row.fee ?? 0))
  const feeSats = Math.ceil(feeMsat / 1000)
  const dustMsat = feeSats * 1000 - feeMsat
  return dustMsat === 0 ? { feeSats } : { feeSats, dustMsat }
}

/** Unix seconds of LNbits' instant: a number, or ISO with a zone; without one it is UTC. */
export function instantSeconds(value: string | number | undefined): number | undefined {
  if (typeof value === 'number') return value
  if (value === undefined) return undefined
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/.test(value) ? value : `${value}Z`
  const ms = Date.parse(zoned)
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000)
}
