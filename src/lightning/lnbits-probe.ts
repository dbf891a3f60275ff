import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { createCaller } from './lnbits-call.ts'
import { createGate } from './lnbits-gate.ts'
import { createLnbitsHttp } from './lnbits-http.ts'
import { healthShape } from './lnbits-shapes.ts'

/** What an LNbits says about a key, for who sets a bot up. */
export interface KeyFacts {
  name: string
  balanceSats: number
  /** It is the admin key: LNbits tells the wallet's id to that one alone. */
  mayPay: boolean
  walletId: string | undefined
}

export interface LnbitsProbe {
  /** How long it took to answer, milliseconds, and its clock, Unix seconds. Throws `LnbitsError`. */
  greet(): Promise<{ ms: number; serverSeconds: number }>
  /** Throws `LnbitsError`; `unauthorised` when LNbits does not know the key. */
  look(key: string): Promise<KeyFacts>
  close(): void
}

/** A person waits for the answer. */
const PROBE_MS = 10_000

const walletShape = z.object({
  name: z.string().catch(''),
  balance: z.number(),
  id: z.string().optional().catch(undefined),
})

/** Asks an LNbits what an operator must know before trusting it; writes nothing. */
export function probeLnbits({ url, clock }: { url: string; clock: Clock }): LnbitsProbe {
  const http = createLnbitsHttp({ url, clock, sockets: 2 })
  const caller = createCaller({ http, gate: createGate(2), timeoutMs: PROBE_MS })
  return {
    async greet() {
      const began = clock.now()
      const { server_time: serverSeconds } = await caller.read('/health', healthShape)
      return { ms: clock.now() - began, serverSeconds }
    },
    async look(key) {
      const { name, balance, id } = await caller.read('/wallet', walletShape, { key })
      const balanceSats = Math.floor(balance / 1000)
      return { name, balanceSats, mayPay: id !== undefined, walletId: id }
    },
    close: http.close,
  }
}
