import { encodeBolt11 } from '../../src/lightning/bolt11-encode.ts'
import { LnbitsError } from '../../src/lightning/lnbits-error.ts'
import type { OutgoingState, PayState } from '../../src/lightning/lnbits-types.ts'
import type { Payer } from '../../src/journey/lightning.ts'
import { feeReserveSats } from '../../src/money/withdrawal.ts'
import type { LnbitsParts } from './lnbits.ts'
import { exchange } from './lnbits.ts'
import type { Running } from './time.ts'

/** What LNbits and its node make of one payment that leaves. */
export type PayoutFate =
  | 'paid'
  /** In flight, and arrived or come back later. */
  | 'pending-then-paid'
  | 'pending-then-failed'
  /** Called failed, and true or not. */
  | 'failed'
  | 'called-failed-and-paid'
  /** LNbits says no before it writes anything. */
  | 'refused'
  /** The call does not get through. */
  | 'not-sent'
  /** Paid, and the answer is lost. */
  | 'answer-lost'
  /** The call hangs and is carried out when its caller has long given up. */
  | 'late'

export const payoutFates: readonly PayoutFate[] = [
  'paid',
  'pending-then-paid',
  'pending-then-failed',
  'failed',
  'called-failed-and-paid',
  'refused',
  'not-sent',
  'answer-lost',
  'late',
]

interface Row {
  amountSats: number
  state: 'success' | 'pending' | 'failed'
  /** What the node did or will have done. */
  paid: boolean
  feeMsat: number
}

export interface OutgoingModel {
  of(owner: Running): Payer
  /** An invoice of a node that is not this one. */
  outside(amountSats: number, fate?: PayoutFate): { bolt11: string; paymentHash: string }
  /** Sats that really left, by hash: how often, and how many. */
  payouts(paymentHash: string): { count: number; sats: number }
  total(): { count: number }
  /** Everything in flight ends soon, and the node says what it knows. */
  heal(): void
}

const FAR_KEY = new Uint8Array(32).fill(5)
/** When a caller hangs up, milliseconds. */
const HANGS_MS = 55_000

export function createOutgoing(parts: LnbitsParts, fates: () => PayoutFate): OutgoingModel {
  const { time, chance, trace, dials } = parts
  const rows = new Map<string, Row>()
  const invoices = new Map<string, { amountSats: number; fate: PayoutFate }>()
  const left = new Map<string, { count: number; sats: number }>()
  /** Amounts by invoice. */
  const asked = new Map<string, number>()
  let healed = false

  return {
    of: (owner) => ({
      feeReserveSats: (bolt11) =>
        exchange(parts, owner, 'reserve', () => {
          if (chance.happens(dials.unreachable)) throw new LnbitsError('unreachable')
          return feeReserveSats(asked.get(bolt11) ?? 1)
        }),
      pay: (_, paymentHash) => pay(owner, paymentHash),
      lookupOutgoing: (paymentHash) =>
        exchange(parts, owner, `ask ${paymentHash.slice(0, 8)}`, () => {
          if (chance.happens(dials.unreachable)) return unreachable
          return stateOf(paymentHash)
        }),
      confirmFailed: (_, paymentHash) =>
        exchange(parts, owner, `confirm ${paymentHash.slice(0, 8)}`, () => confirm(paymentHash)),
    }),
    outside(amountSats, fate = fates()) {
      const paymentHash = chance.hex()
      const bolt11 = encodeBolt11(
        {
          amountMsat: BigInt(amountSats) * 1000n,
          paymentHash,
          paymentSecret: paymentHash,
          createdAt: Math.floor(time.now() / 1000),
          expirySeconds: 7200,
          description: 'elsewhere',
        },
        FAR_KEY,
      )
      invoices.set(paymentHash, { amountSats, fate })
      asked.set(bolt11, amountSats)
      return { bolt11, paymentHash }
    },
    payouts: (paymentHash) => left.get(paymentHash) ?? { count: 0, sats: 0 },
    total: () => ({ count: [...left.values()].reduce((sum, { count }) => sum + count, 0) }),
    heal() {
      healed = true
      for (const row of rows.values()) if (row.state === 'pending') endSoon(row)
    },
  }

  function pay(owner: Running, paymentHash: string): Promise<PayState> {
    const fate = rows.has(paymentHash) ? 'paid' : (invoices.get(paymentHash)?.fate ?? 'refused')
    const what = `pay ${paymentHash.slice(0, 8)} ${fate}`
    if (fate === 'late') return payLate(owner, paymentHash, what)
    return exchange(parts, owner, what, (): PayState => {
      if (fate === 'not-sent') {
        // The next call gets through.
        const invoice = invoices.get(paymentHash)
        if (invoice) invoice.fate = 'paid'
        return { state: 'absent', refusal: 'unreachable' }
      }
      if (fate === 'refused') return { state: 'absent', refusal: 'Insufficient balance.' }
      carryOut(paymentHash, fate)
      if (fate === 'answer-lost' || chance.happens(dials.unreachable)) return unreachable
      const state = stateOf(paymentHash)
      return state.state === 'absent' ? unreachable : state
    })
  }

  /** The caller hears nothing, looks, and sees nothing; then the payment is made. */
  function payLate(owner: Running, paymentHash: string, what: string): Promise<PayState> {
    return new Promise((resolve) => {
      if (owner.state === 'dead') return
      trace.note(`${owner.name} lnbits ${what}`)
      time.after(chance.between(1, HANGS_MS), undefined, () => carryOut(paymentHash, 'paid'))
      time.after(HANGS_MS, owner, () => {
        const state = stateOf(paymentHash)
        resolve(state.state === 'absent' ? { state: 'unreachable', reason: 'no-row' } : state)
      })
    })
  }

  /** A second call for a hash that has a row pays nothing. */
  function carryOut(paymentHash: string, fate: PayoutFate): void {
    const invoice = invoices.get(paymentHash)
    if (!invoice || rows.has(paymentHash)) return
    const { amountSats } = invoice
    const row: Row = {
      amountSats,
      state: fate.startsWith('pending')
        ? 'pending'
        : fate.includes('failed')
          ? 'failed'
          : 'success',
      paid: fate !== 'failed' && fate !== 'pending-then-failed',
      feeMsat: chance.between(0, 2_500),
    }
    rows.set(paymentHash, row)
    trace.note(`payout ${paymentHash.slice(0, 8)} ${row.state} paid=${row.paid}`)
    if (row.paid) {
      const before = left.get(paymentHash) ?? { count: 0, sats: 0 }
      left.set(paymentHash, { count: before.count + 1, sats: before.sats + amountSats })
      parts.moved(-amountSats * 1000 - row.feeMsat)
    }
    if (row.state !== 'pending') return
    if (healed) endSoon(row)
    else time.after(chance.between(5, 240) * 1000, undefined, () => end(row))
  }

  function endSoon(row: Row): void {
    time.after(chance.between(1, 5) * 1000, undefined, () => end(row))
  }

  function end(row: Row): void {
    if (row.state === 'pending') row.state = row.paid ? 'success' : 'failed'
  }

  function stateOf(paymentHash: string): OutgoingState {
    const row = rows.get(paymentHash)
    if (!row) return { state: 'absent' }
    if (row.state === 'failed') return { state: 'failed-unconfirmed' }
    if (row.state === 'pending') return { state: 'pending' }
    const feeSats = Math.ceil(row.feeMsat / 1000)
    return { state: 'success', feeSats, dustMsat: feeSats * 1000 - row.feeMsat }
  }

  /** The second call of the same invoice: it asks the node again, which knows or does not. */
  function confirm(paymentHash: string): OutgoingState {
    const row = rows.get(paymentHash)
    if (chance.happens(dials.unreachable)) return unreachable
    if (row?.state !== 'failed') return stateOf(paymentHash)
    if (!healed && chance.happens(0.3)) return { state: 'failed-unconfirmed' }
    if (!row.paid) return { state: 'failed' }
    row.state = 'success'
    return stateOf(paymentHash)
  }
}

const unreachable = { state: 'unreachable', reason: 'unreachable' } as const
