import { encodeBolt11 } from '../../src/lightning/bolt11-encode.ts'
import { LnbitsError } from '../../src/lightning/lnbits-error.ts'
import type { InvoiceMaker, PaymentChecker } from '../../src/journey/lightning.ts'
import type { IncomingState } from '../../src/lightning/lnbits-types.ts'
import type { Chance } from './chance.ts'
import type { Running, VirtualTime } from './time.ts'
import type { Trace } from './trace.ts'

/** How badly LNbits behaves, each a part of all cases from 0 to 1. */
export interface LnbitsDials {
  /** A question gets no answer. */
  unreachable: number
  /** An invoice is refused, or made and the answer lost. */
  createFails: number
  createLost: number
  /** An answer takes up to twenty seconds. */
  slow: number
  /** A payment is seen up to a minute late: until then LNbits says that the invoice is open. */
  seenLate: number
  /** An expired invoice is called failed until it is paid after all. */
  calledFailed: number
  /** The bulk list calls an open invoice paid, or leaves a paid one out. */
  listLies: number
  /** A payment that comes after the expiry is taken. */
  takesLate: number
  /** Less comes than was asked for, or more. */
  otherAmount: number
}

interface Invoice {
  paymentHash: string
  amountSats: number
  expiresMs: number
  bolt11: string
  /** When the payment came, and from when LNbits says so. */
  paidMs?: number
  seenMs?: number
  /** What came, which is not always what was asked for. */
  cameSats?: number
  feeMsat: number
  failed: boolean
}

/** The part of LNbits that takes money in: a small model with known truths and a choice of lies. */
export interface IncomingModel {
  /** As one process calls it. */
  of(owner: Running): InvoiceMaker & PaymentChecker
  /** Pays an invoice, or so many sats of it; false when it is unknown, over, or paid already. */
  pay(bolt11: string, sats?: number): boolean
  /** Whether somebody paid this hash, whatever LNbits says of it by now. */
  isPaid(paymentHash: string): boolean
  byBolt11(bolt11: string): { paymentHash: string; amountSats: number } | undefined
  all(): readonly Readonly<Invoice>[]
}

export interface LnbitsParts {
  time: VirtualTime
  chance: Chance
  trace: Trace
  dials: LnbitsDials
  /** Changes what the wallet holds. */
  moved(msat: number): void
  /** Told when a payment came. */
  paid(paymentHash: string): void
}

const NODE_KEY = new Uint8Array(32).fill(7)

export function createIncoming(parts: LnbitsParts): IncomingModel {
  const { time, chance, trace, dials } = parts
  const invoices = new Map<string, Invoice>()
  const byText = new Map<string, Invoice>()

  return {
    of: (owner) => ({
      createInvoice: (wanted) =>
        exchange(parts, owner, `create ${wanted.amountSats}`, () => create(wanted)),
      lookupIncoming: (paymentHash) =>
        exchange(parts, owner, `look ${paymentHash.slice(0, 8)}`, () => {
          if (chance.happens(dials.unreachable)) return silent
          return stateOf(paymentHash)
        }),
      readIncoming: (asked) =>
        exchange(parts, owner, `read ${asked.length}`, () => {
          if (chance.happens(dials.unreachable)) throw new LnbitsError('unreachable')
          return new Map(
            asked.flatMap(({ paymentHash }) => {
              const state = stateOf(paymentHash)
              return state.state === 'absent' ? [] : [[paymentHash, state] as const]
            }),
          )
        }),
      listIncoming: (hashes) =>
        exchange(parts, owner, `list ${hashes.length}`, () => {
          if (chance.happens(dials.unreachable)) throw new LnbitsError('unreachable')
          return new Map(hashes.flatMap((hash) => listed(hash)))
        }),
    }),
    pay(bolt11, onlySats) {
      const invoice = byText.get(bolt11)
      if (!invoice || invoice.paidMs !== undefined) return false
      if (time.now() > invoice.expiresMs && !chance.happens(dials.takesLate)) return false
      const lateMs = chance.happens(dials.seenLate) ? chance.between(1, 60) * 1000 : 0
      invoice.paidMs = time.now()
      invoice.seenMs = invoice.paidMs + lateMs
      const pct = chance.happens(dials.otherAmount) ? chance.between(20, 180) : 100
      const sats = onlySats ?? Math.ceil((invoice.amountSats * pct) / 100)
      invoice.cameSats = sats
      parts.moved(sats * 1000 - invoice.feeMsat)
      trace.note(`paid ${invoice.paymentHash.slice(0, 8)} ${sats} late=${lateMs}`)
      parts.paid(invoice.paymentHash)
      return true
    },
    isPaid: (paymentHash) => invoices.get(paymentHash)?.paidMs !== undefined,
    byBolt11: (bolt11) => byText.get(bolt11),
    all: () => [...invoices.values()],
  }

  function create(wanted: { amountSats: number; expirySeconds: number }) {
    if (chance.happens(dials.createFails)) throw new LnbitsError('unreachable')
    const createdAt = Math.floor(time.now() / 1000)
    const paymentHash = chance.hex()
    const { amountSats, expirySeconds } = wanted
    const draft = {
      ...{ paymentHash, createdAt, expirySeconds, description: 'sats' },
      amountMsat: BigInt(amountSats) * 1000n,
      paymentSecret: paymentHash,
    }
    const bolt11 = encodeBolt11(draft, NODE_KEY)
    const expiresAt = createdAt + expirySeconds
    const feeMsat = chance.happens(0.1) ? chance.between(1, 900) : 0
    const invoice = {
      ...{ paymentHash, amountSats, bolt11, feeMsat },
      ...{ expiresMs: expiresAt * 1000, failed: false },
    }
    invoices.set(paymentHash, invoice)
    byText.set(bolt11, invoice)
    if (chance.happens(dials.createLost)) throw new LnbitsError('crashed', { wroteMaybe: true })
    return { paymentHash, bolt11, expiresAt }
  }

  function stateOf(paymentHash: string): IncomingState {
    const invoice = invoices.get(paymentHash)
    if (!invoice) return { state: 'absent' }
    const { feeMsat, seenMs, expiresMs, cameSats: amountSats = 0 } = invoice
    if (seenMs !== undefined && seenMs <= time.now()) {
      const feeSats = Math.ceil(feeMsat / 1000)
      return { state: 'paid', amountSats, feeSats, dustMsat: feeSats * 1000 - feeMsat }
    }
    if (time.now() > expiresMs && chance.happens(dials.calledFailed)) invoice.failed = true
    return { state: invoice.failed ? 'failed' : 'pending' }
  }

  function listed(hash: string): [string, 'paid' | 'pending' | 'failed'][] {
    const { state } = stateOf(hash)
    if (state === 'absent' || state === 'unreachable') return []
    if (!chance.happens(dials.listLies)) return [[hash, state]]
    return state === 'paid' ? [] : [[hash, 'paid']]
  }
}

const silent: IncomingState = { state: 'unreachable', reason: 'unreachable' }

/**
 * A call over the network: carried out in the middle of its time, whoever still waits for the answer. What a dead
 * process asks for is never sent.
 */
export function exchange<T>(
  { time, chance, trace, dials }: Pick<LnbitsParts, 'time' | 'chance' | 'trace' | 'dials'>,
  owner: Running,
  what: string,
  carryOut: () => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (owner.state === 'dead') return
    const halfMs = chance.happens(dials.slow) ? chance.between(200, 10_000) : chance.between(1, 40)
    time.after(halfMs, undefined, () => {
      try {
        const answer = carryOut()
        trace.note(`${owner.name} lnbits ${what}`)
        time.after(halfMs, owner, () => resolve(answer))
      } catch (error) {
        trace.note(`${owner.name} lnbits ${what}: ${String(error)}`)
        time.after(halfMs, owner, () => reject(error))
      }
    })
  })
}
