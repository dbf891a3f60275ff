/** The calls of LNbits' API that tithe makes, by what they do. */
export type PlayCall =
  | 'create'
  | 'pay'
  | 'look'
  | 'list'
  | 'wallet'
  | 'rate'
  | 'feeReserve'
  | 'decode'
  | 'health'
  | 'other'

/**
 * What goes wrong with one call. `after` means that the effect has happened and only its answer is
 * lost.
 */
export type CallFault =
  /** Answers late, then as if nothing had been. */
  | { kind: 'hang'; ms: number }
  /** 500, and the connection breaks just after. */
  | { kind: 'crash'; after?: boolean }
  /** The connection breaks and nothing is answered. */
  | { kind: 'cut'; after?: boolean }
  | { kind: 'rateLimited' }
  /** A proxy's page instead of an answer, 520 unless told otherwise. */
  | { kind: 'html'; status?: number; after?: boolean }
  | { kind: 'firstInstall' }
  | { kind: 'answer'; status: number; body: unknown }
  /** The effect happens, and the answer is changed. */
  | { kind: 'alter'; alter: (body: Record<string, unknown>) => unknown }

export interface PlayFaults {
  /**
   * Lets the next `times` matching calls fail (1 by default), those for one payment hash if it is
   * given.
   */
  add(call: PlayCall | 'any', fault: CallFault, scope?: FaultScope): void
  clear(): void
  /** USD per BTC; 0 is what LNbits says when no price service answers. */
  rateUsd: number
  /** Times that each websocket message is sent. */
  copies: number
  /** While true the websocket tells nothing. */
  silent: boolean
  /** What webhooks carry: JSON in a JSON text, the object itself as before 1.1.0, or nothing is sent. */
  webhook: 'text' | 'object' | 'missing'
  /** Calls seen so far. */
  calls: Record<PlayCall, number>
}

export interface FaultScope {
  times?: number
  paymentHash?: string
}

export interface FaultMenu extends PlayFaults {
  /** Counts a call and takes what is to go wrong with it. */
  take(call: PlayCall, paymentHash: string | undefined): CallFault | undefined
}

export function createFaults(rateUsd: number): FaultMenu {
  let waiting: { call: PlayCall | 'any'; fault: CallFault; times: number; paymentHash?: string }[] =
    []
  const faults: FaultMenu = {
    rateUsd,
    copies: 2,
    silent: false,
    webhook: 'text',
    calls: {
      create: 0,
      pay: 0,
      look: 0,
      list: 0,
      wallet: 0,
      rate: 0,
      feeReserve: 0,
      decode: 0,
      health: 0,
      other: 0,
    },
    add(call, fault, { times = 1, paymentHash } = {}) {
      waiting.push({ call, fault, times, ...(paymentHash === undefined ? {} : { paymentHash }) })
    },
    clear() {
      waiting = []
    },
    take(call, paymentHash) {
      faults.calls[call] += 1
      const entry = waiting.find(
        (fault) =>
          (fault.call === 'any' || fault.call === call) &&
          (fault.paymentHash === undefined || fault.paymentHash === paymentHash),
      )
      if (!entry) return undefined
      entry.times -= 1
      if (entry.times <= 0) waiting = waiting.filter((other) => other !== entry)
      return entry.fault
    },
  }
  return faults
}

const detailsOf = (body: Record<string, unknown>) =>
  typeof body.details === 'object' && body.details !== null ? body.details : {}

/** Answers that were seen, or that a broken or hostile LNbits could give. */
export const lies = {
  /** Says unpaid, whatever the row says. */
  unpaid: alter((body) => ({
    ...body,
    paid: false,
    status: 'pending',
    details: { ...detailsOf(body), status: 'pending' },
  })),
  /** What an outage of the node looked like before 1.6: unpaid, and no word on the state. */
  unclear: alter((body) => {
    const { status: _, ...rest } = body
    return { ...rest, paid: false, details: { ...detailsOf(body), status: 'pending' } }
  }),
  /** What a key that LNbits does not know is told. */
  bare: alter((body) => ({ paid: body.paid })),
  foreignWallet: alter((body) => ({
    ...body,
    details: { ...detailsOf(body), wallet_id: 'f'.repeat(32) },
  })),
  /** 0.12 and before. */
  createdBefore10: alter((body) => ({
    payment_hash: body.payment_hash,
    payment_request: body.bolt11,
    checking_id: body.payment_hash,
    lnurl_response: null,
  })),
  /** 1.0.0 to 1.3.0. */
  bolt11Only: alter(({ payment_request: _, ...body }) => body),
  paymentRequestOnly: alter(({ bolt11: _, ...body }) => body),
  doubledAmount: alter((body) => ({ ...body, amount: Number(body.amount) * 2 })),
  otherAmount: alter((body) => ({ ...body, details: { ...detailsOf(body), amount: 1_000 } })),
  otherHash: alter((body) =>
    'details' in body
      ? { ...body, details: { ...detailsOf(body), payment_hash: 'e'.repeat(64) } }
      : { ...body, payment_hash: 'e'.repeat(64) },
  ),
  wrappedInList: alter((body) => [body]),
} as const satisfies Record<string, CallFault>

function alter(change: (body: Record<string, unknown>) => unknown): CallFault {
  return { kind: 'alter', alter: change }
}
