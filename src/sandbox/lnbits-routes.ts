import { type Answer, crashed, ok, refused } from './lnbits-answers.ts'
import type { PlayWallet } from './lnbits-books.ts'
import type { PlayCall, PlayFaults } from './lnbits-faults.ts'
import { listRows } from './lnbits-list.ts'
import { looseBolt11 } from './lnbits-loose.ts'
import {
  createInvoice,
  feeReserveMsat,
  lookUp,
  type PaymentsParts,
  payInvoice,
  refresh,
} from './lnbits-payments.ts'

/** A request, read and not yet judged. */
export interface PlayRequest {
  method: string
  path: string
  query: URLSearchParams
  key: string | undefined
  /** Parsed JSON; `undefined` when there was none or it was broken. */
  body: unknown
}

export interface PlayParts extends PaymentsParts {
  faults: PlayFaults
  /** Unix milliseconds. */
  startedAt: number
  /** Sends a text to whoever listens under a name. */
  forge(name: string, text: string): void
}

export interface Route {
  call: PlayCall
  paymentHash?: string
}

const CURRENCIES = ['USD', 'EUR', 'GBP', 'CHF', 'JPY', 'CAD', 'AUD']

/** Which call a request is: what faults are looked up by. */
export function routeOf({ method, path, body }: PlayRequest): Route {
  const [section, id] = path.replace(/^\/api\/v1\//, '').split('/')
  if (section === 'payments' && method === 'POST' && id === undefined) {
    const text = field(body, 'out') !== false ? String(field(body, 'bolt11') ?? '') : ''
    if (field(body, 'out') === false) return { call: 'create' }
    const paymentHash = looseBolt11(text)?.paymentHash
    return { call: 'pay', ...(paymentHash === undefined ? {} : { paymentHash }) }
  }
  if (section === 'payments' && id === 'decode') return { call: 'decode' }
  if (section === 'payments' && id === 'fee-reserve') return { call: 'feeReserve' }
  if (section === 'payments' && (id === undefined || id === 'paginated')) return { call: 'list' }
  if (section === 'payments' && id !== undefined) return { call: 'look', paymentHash: id }
  if (section === 'wallet' || section === 'rate' || section === 'health') return { call: section }
  return { call: 'other' }
}

/** Answers a request as LNbits 1.6.2 does (shapes, status codes and oddities as they were seen). */
export async function answer(
  parts: PlayParts,
  route: Route,
  request: PlayRequest,
): Promise<Answer> {
  const { path, query, key, body } = request
  switch (route.call) {
    case 'health': {
      const seconds = Math.floor((parts.clock.now() - parts.startedAt) / 1000)
      const upTime = new Date(seconds * 1000).toISOString().slice(11, 19)
      return ok({ server_time: Math.floor(parts.clock.now() / 1000), up_time: upTime })
    }
    case 'rate':
      return rate(path.split('/').at(-1)?.toUpperCase() ?? '', parts.faults.rateUsd)
    case 'decode':
      return decode(String(field(body, 'data') ?? ''))
    case 'feeReserve':
      return feeReserve(query.get('invoice') ?? '')
    case 'look': {
      const known = key === undefined ? undefined : parts.books.walletOfKey(key)
      return lookUp(parts, route.paymentHash ?? '', known?.wallet)
    }
    case 'other':
      return forge(parts, request)
  }
  if (key === undefined) return refused(401, 'No Api Key provided.')
  const known = parts.books.walletOfKey(key)
  if (!known) return refused(404, 'Wallet not found.')
  return answerKey(parts, route, request, known)
}

async function answerKey(
  parts: PaymentsParts,
  route: Route,
  { path, query, body }: PlayRequest,
  { wallet, mayPay }: { wallet: PlayWallet; mayPay: boolean },
): Promise<Answer> {
  const { books } = parts
  switch (route.call) {
    case 'create':
      return createInvoice(parts, wallet, body)
    case 'pay':
      if (body === undefined)
        return refused(400, [{ loc: ['body'], msg: 'no JSON', type: 'value_error' }])
      return mayPay
        ? payInvoice(parts, wallet, body)
        : refused(403, 'Invoice (or Admin) key required.')
    case 'list': {
      const paginated = path.endsWith('/paginated')
      if (paginated && query.get('recheck_pending') === 'true') {
        for (const row of books.rowsOf(wallet.id)) if (row.status === 'pending') refresh(parts, row)
      }
      return listRows(books.rowsOf(wallet.id), query, paginated)
    }
    default: {
      const balance = books.balanceMsat(wallet.id)
      return ok({ name: wallet.name, balance, ...(mayPay ? { id: wallet.id } : {}) })
    }
  }
}

/**
 * `/ws/{name}` takes a text from anybody, without a key, for everybody who listens under that name.
 */
function forge(parts: PlayParts, { path, query }: PlayRequest): Answer {
  const [, name, inPath] = /^\/api\/v1\/ws\/([^/]+)(?:\/(.+))?$/.exec(path) ?? []
  if (name === undefined) return refused(404, 'Not Found')
  const data = inPath === undefined ? (query.get('data') ?? '') : decodeURIComponent(inPath)
  parts.forge(name, data)
  return ok({ sent: true, data })
}

/** Without a price LNbits says zero, with status 200. */
function rate(currency: string, rateUsd: number): Answer {
  if (!CURRENCIES.includes(currency)) return refused(400, `Currency '${currency}' not allowed.`)
  if (currency !== 'USD' || rateUsd === 0) return ok({ rate: 0, price: 0 })
  return ok({ rate: 1e8 / rateUsd, price: rateUsd })
}

function decode(text: string): Answer {
  const invoice = looseBolt11(text)
  if (!invoice) return { status: 400, body: { message: 'Failed to decode: Invalid bolt11' } }
  return ok({
    currency: invoice.currency,
    amount_msat: invoice.amountMsat,
    date: invoice.createdAt,
    expiry: invoice.expirySeconds,
    payment_hash: invoice.paymentHash,
    payment_secret: invoice.paymentSecret,
    description: invoice.description,
    min_final_cltv_expiry: 18,
    payee: invoice.payee,
  })
}

function feeReserve(text: string): Answer {
  const invoice = looseBolt11(text)
  if (!invoice) return crashed()
  if (invoice.amountMsat === 0) return refused(400, 'Invoice has no amount.')
  return ok({ fee_reserve: feeReserveMsat(invoice.amountMsat) })
}

function field(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null && name in body
    ? Object.entries(body).find(([key]) => key === name)?.[1]
    : undefined
}
