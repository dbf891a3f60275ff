import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { feeReserveSats } from '../money/withdrawal.ts'
import { decodeBolt11 } from './bolt11.ts'
import type { Bolt11Network } from './bolt11-words.ts'
import { createCaller } from './lnbits-call.ts'
import { LnbitsError } from './lnbits-error.ts'
import { createGate, type GateLoad, type LnbitsPriority } from './lnbits-gate.ts'
import { createLnbitsHttp } from './lnbits-http.ts'
import {
  createInvoice,
  createWalletIdentity,
  type InvoiceMade,
  type InvoiceWanted,
  lookupIncoming,
} from './lnbits-incoming.ts'
import { type IncomingAsked, readIncoming } from './lnbits-listed.ts'
import { createLists, type ListedPayment, type ListedState } from './lnbits-lists.ts'
import { confirmFailed, lookupOutgoing, type OutgoingParts, pay } from './lnbits-outgoing.ts'
import { healthShape, rateShape, reserveShape, walletShape } from './lnbits-shapes.ts'
import type { IncomingState, OutgoingState, PayState } from './lnbits-types.ts'

export interface LnbitsOptions {
  /** Base URL, with a path if a proxy wants one. */
  url: string
  invoiceKey: string
  /** Enables payouts and is used by nothing else. */
  adminKey?: string
  /** The network of its invoices; real money unless said otherwise. */
  network?: Bolt11Network
  clock: Clock
  log: Log
  /** Calls in flight at once; LNbits gets no faster with more than a few (trap 25). */
  maxInFlight?: number
  timeoutMs?: number
  payTimeoutMs?: number
}

/**
 * One LNbits wallet: sats outside, millisats only where the name says so. A "trap" in the comments of this folder is
 * one of `docs/lnbits.md`.
 */
export interface Lnbits {
  /** Makes an invoice that is checked against what was asked. Throws `LnbitsError`. */
  createInvoice(invoice: InvoiceWanted): Promise<InvoiceMade>
  /** The authority on one invoice. Never throws. */
  lookupIncoming(
    paymentHash: string,
    amountSats: number,
    priority?: LnbitsPriority,
  ): Promise<IncomingState>
  /**
   * Up to LNBITS_HASHES invoices in one request: `paid` as good as a look's, the rest as LNbits knew it.
   * Throws `LnbitsError`.
   */
  readIncoming(asked: readonly IncomingAsked[]): Promise<Map<string, IncomingState>>
  /**
   * Hints on many invoices in few requests; `paid` must be confirmed by `lookupIncoming`. Throws
   * `LnbitsError`.
   */
  listIncoming(paymentHashes: string[]): Promise<Map<string, ListedState>>
  /** All rows since an instant (Unix seconds), oldest first. Throws `LnbitsError`. */
  listSince(unixSeconds: number): AsyncGenerator<ListedPayment>
  /** Pays once and asks what became of it. Needs the admin key, and the hold committed before. */
  pay(bolt11: string, paymentHash: string): Promise<PayState>
  lookupOutgoing(paymentHash: string, amountSats?: number): Promise<OutgoingState>
  /** Whether a failed payment is failed at the node too. Needs the admin key. */
  confirmFailed(bolt11: string, paymentHash: string): Promise<OutgoingState>
  /** Throws `LnbitsError`. */
  balanceMsat(): Promise<bigint>
  /** `undefined` when LNbits has no price: it says zero then, with status 200 (trap 13). Throws `LnbitsError`. */
  rate(currency: string): Promise<{ satsPerUnit: number; btcPrice: number } | undefined>
  /** What LNbits holds back for routing fees of this invoice, sats, rounded up; its rule if it cannot be asked. */
  feeReserveSats(bolt11: string): Promise<number>
  /** Never throws. */
  health(): Promise<{ up: true } | { up: false; reason: string }>
  /** The wallet's id once a payment has told it. Throws `LnbitsError`. */
  walletId(): Promise<string | undefined>
  /** Calls in flight and waiting, for a customer's place in line and for metrics. */
  load(): GateLoad
  /** Ends every call; nothing may be asked afterwards. */
  close(): void
}

const IN_FLIGHT = 4
/** LNbits waits five seconds for its node, but begins when everything before has had its turn (trap 17). */
const PAY_MS = 60_000

export function createLnbits(options: LnbitsOptions): Lnbits {
  const { url, invoiceKey, log } = options
  const slots = options.maxInFlight ?? IN_FLIGHT
  const network = options.network ?? 'bc'
  // One socket more than slots: a payout has a lane of its own.
  const http = createLnbitsHttp({ url, clock: options.clock, sockets: slots + 1 })
  const gate = createGate(slots)
  const { timeoutMs } = options
  const caller = createCaller({ http, gate, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
  const identity = createWalletIdentity(caller, invoiceKey)
  const incoming = { caller, invoiceKey, identity, network, log }
  const lists = createLists(caller, invoiceKey)
  const oneAtATime = createLine()

  const outgoing = (): OutgoingParts => {
    if (options.adminKey === undefined) {
      throw new LnbitsError('unauthorised', { detail: 'payouts need the admin key' })
    }
    const payTimeoutMs = options.payTimeoutMs ?? PAY_MS
    return { caller, http, invoiceKey, adminKey: options.adminKey, identity, network, payTimeoutMs }
  }

  return {
    createInvoice: (invoice) => createInvoice(incoming, invoice),
    lookupIncoming: (paymentHash, amountSats, priority = 'payment') =>
      lookupIncoming(incoming, { paymentHash, amountSats, priority }),
    readIncoming: (asked) => readIncoming(incoming, asked),
    ...lists,
    pay: (bolt11, paymentHash) => oneAtATime(() => pay(outgoing(), bolt11, paymentHash)),
    lookupOutgoing: (paymentHash, amountSats) =>
      lookupOutgoing({ caller, invoiceKey, identity }, paymentHash, amountSats),
    confirmFailed: (bolt11, paymentHash) =>
      oneAtATime(() => confirmFailed(outgoing(), bolt11, paymentHash)),
    async balanceMsat() {
      return BigInt((await caller.read('/wallet', walletShape, { key: invoiceKey })).balance)
    },
    async rate(currency) {
      const path = `/rate/${encodeURIComponent(currency)}`
      const { rate, price } = await caller.read(path, rateShape, { priority: 'quote' })
      const btcPrice = price ?? 1e8 / rate
      return rate > 0 && btcPrice > 0 && Number.isFinite(btcPrice)
        ? { satsPerUnit: rate, btcPrice }
        : undefined
    },
    feeReserveSats: (bolt11) => askReserveSats(caller, bolt11, network),
    async health() {
      try {
        await caller.read('/health', healthShape)
        return { up: true }
      } catch (error) {
        if (!(error instanceof LnbitsError)) throw error
        const reason = error.status === 307 ? 'first-install' : error.kind
        return { up: false, reason }
      }
    },
    walletId: identity.learn,
    load: gate.load,
    close: http.close,
  }
}

async function askReserveSats(
  caller: ReturnType<typeof createCaller>,
  bolt11: string,
  network: Bolt11Network,
): Promise<number> {
  const decoded = decodeBolt11(bolt11, { network })
  if (!decoded.ok) throw new LnbitsError('refused', { detail: decoded.reason })
  // A bad invoice would be a 500 there, so only a good one is asked about.
  try {
    const path = `/payments/fee-reserve?invoice=${bolt11}`
    const { fee_reserve } = await caller.read(path, reserveShape, { priority: 'quote' })
    return Math.ceil(fee_reserve / 1000)
  } catch (error) {
    if (error instanceof LnbitsError) return feeReserveSats(decoded.invoice.amountSats)
    throw error
  }
}

/** Runs what it is given one after the other: more than one payment stalls a whole LNbits (trap 17). */
function createLine(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const done = last.then(work)
    last = done.catch(() => undefined)
    return done
  }
}
