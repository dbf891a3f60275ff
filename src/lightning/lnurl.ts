import { z } from 'zod'
import { LNURL_CALLBACK_CHARS } from '../limits.ts'
import { type Bolt11Refusal, decodeBolt11 } from './bolt11.ts'
import type { Bolt11Network } from './bolt11-words.ts'
import { createPublicGet, type GetRefusal, type PublicGetOptions } from './public-get.ts'

export interface LightningAddressAsked extends PublicGetOptions {
  /** `name@domain`, as a customer typed it. */
  address: string
  amountSats: number
  network?: Bolt11Network
}

export type LightningAddressAnswer =
  | { ok: true; bolt11: string; paymentHash: string }
  /** The payee takes no such amount; what it takes, in whole sats. */
  | { ok: false; reason: 'out-of-range'; minSats: number; maxSats: number }
  | {
      ok: false
      reason:
        | 'address'
        | 'callback'
        /** The payee's own no. */
        | 'refused'
        /** The invoice asks for another amount than was asked for. */
        | 'invoice-amount'
        | GetRefusal
        | `invoice-${Bolt11Refusal}`
    }

/** LUD-16 names, with the `+` that some payees allow. One class, so that no text makes it slow. */
const ADDRESS = /^([a-z0-9._+-]{1,64})@([a-z0-9.-]{3,253})$/

const payShape = z.object({
  tag: z.literal('payRequest'),
  callback: z.string().max(LNURL_CALLBACK_CHARS),
  minSendable: z.number().int().positive(),
  maxSendable: z.number().int().positive(),
})
const invoiceShape = z.object({ pr: z.string() })
const errorShape = z.object({ status: z.string().regex(/^error$/i) })

/**
 * Turns a lightning address into an invoice for exactly `amountSats` (LUD-16, LUD-06), under every
 * guard of `createPublicGet` for both of its requests. The description hash is not compared: it
 * binds the payee's own text to the payee's own invoice. Call it once for a withdrawal and keep
 * what it answers: every call makes a new invoice, and paying two is paying twice (trap 18). Never
 * throws.
 */
export async function resolveLightningAddress(
  asked: LightningAddressAsked,
): Promise<LightningAddressAnswer> {
  const [, name, domain] = ADDRESS.exec(asked.address.trim().toLowerCase()) ?? []
  const url = name && domain ? parseUrl(`https://${domain}/.well-known/lnurlp/${name}`) : undefined
  if (!url || url.hostname !== domain) return refuse('address')
  const get = createPublicGet(asked)
  const offered = await get(url)
  if (!offered.ok) return refuse(offered.reason === 'url' ? 'address' : offered.reason)
  if (errorShape.safeParse(offered.json).success) return refuse('refused')
  const offer = payShape.safeParse(offered.json)
  if (!offer.success) return refuse('answer')
  const amountMsat = asked.amountSats * 1000
  const { minSendable, maxSendable } = offer.data
  if (amountMsat < minSendable || amountMsat > maxSendable) {
    const minSats = Math.ceil(minSendable / 1000)
    const maxSats = Math.floor(maxSendable / 1000)
    return { ok: false, reason: 'out-of-range', minSats, maxSats }
  }
  const callback = parseUrl(offer.data.callback)
  if (!callback) return refuse('callback')
  callback.searchParams.set('amount', String(amountMsat))
  const answered = await get(callback)
  if (!answered.ok) return refuse(answered.reason === 'url' ? 'callback' : answered.reason)
  if (errorShape.safeParse(answered.json).success) return refuse('refused')
  return readInvoice(answered.json, asked)
}

function readInvoice(json: unknown, asked: LightningAddressAsked): LightningAddressAnswer {
  const answer = invoiceShape.safeParse(json)
  if (!answer.success) return refuse('answer')
  const decoded = decodeBolt11(answer.data.pr, asked.network ? { network: asked.network } : {})
  if (!decoded.ok) return refuse(`invoice-${decoded.reason}`)
  const { text, amountMsat, paymentHash } = decoded.invoice
  if (amountMsat !== BigInt(asked.amountSats) * 1000n) return refuse('invoice-amount')
  return { ok: true, bolt11: text, paymentHash }
}

type Refusal = Exclude<Extract<LightningAddressAnswer, { ok: false }>['reason'], 'out-of-range'>

function refuse(reason: Refusal): LightningAddressAnswer {
  return { ok: false, reason }
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}
