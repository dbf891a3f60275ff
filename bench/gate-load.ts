import { randomBytes, randomFillSync } from 'node:crypto'
import type { PricedRequest } from '../src/journey/request.ts'
import { identities } from './gate-database.ts'

/** One way to decide: the gate itself, or what it is compared with. */
export interface Gate {
  /** Answers how a request is served, after its commit. */
  ask(request: PricedRequest): Promise<string>
  close(): Promise<void>
}

/** A seal around a request of a few sentences, as NIP-17 clients send it. */
const PROOF = JSON.stringify({ kind: 13, content: randomBytes(576).toString('base64') })
const TEXT = 'Say in three sentences what a Lightning invoice is, and what it is not. '.repeat(2)
/** Small, so that the last sats of a pool can be given too. */
export const ESTIMATE_SATS = 3
const RELAY = 'wss://relay.example'

const random = Buffer.alloc(68 * 1_024)
let randomAt = random.length

/** Random bytes for one request, taken from a large draw because small ones are slow. */
function draw(): Buffer {
  if (randomAt === random.length) randomAt = randomFillSync(random).length - random.length
  randomAt += 68
  return random.subarray(randomAt - 68, randomAt)
}

/** A request never seen before. A tenth of the keys ask half of the requests. */
export function someRequest(): PricedRequest {
  const bytes = draw()
  const hex = bytes.toString('hex', 0, 64)
  const dice = bytes.readUInt32LE(64)
  const keys = dice % 2 === 0 ? identities.length / 10 : identities.length
  const customer = identities[(dice >>> 1) % keys]
  if (customer === undefined) throw new Error('no such identity')
  const place = { rumorAt: Math.floor(Date.now() / 1000), rumorId: hex.slice(0, 64) }
  return {
    message: { ...place, sender: customer, via: 'nip17', relay: RELAY, proof: PROOF },
    to: { ...place, customer, via: 'nip17', form: 'words', programId: null },
    request: TEXT,
    requestHash: hex.slice(64),
    model: 'echo',
    estimatedSats: ESTIMATE_SATS,
    usdPerBtc: 100_000,
    inputTokens: 40,
    outputTokens: 500,
  }
}

export interface Load {
  callers: number
  seconds: number
  /** Ends early after so many decisions. */
  countMax: number
}

export interface Ran {
  count: number
  seconds: number
  /** Milliseconds from question to answer, one per decision. */
  waits: number[]
}

/** A closed loop: each caller asks again as soon as it has its answer. */
export async function runLoad(gate: Gate, { callers, seconds, countMax }: Load): Promise<Ran> {
  const waits: number[] = []
  const startedAt = performance.now()
  const until = startedAt + seconds * 1_000
  let asked = 0
  const caller = async () => {
    while (asked < countMax && performance.now() < until) {
      asked += 1
      const request = someRequest()
      const askedAt = performance.now()
      const served = await gate.ask(request)
      waits.push(performance.now() - askedAt)
      if (served !== 'free') throw new Error(`a request was answered ${served}`)
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return { count: waits.length, seconds: (performance.now() - startedAt) / 1_000, waits }
}

export const perSecond = ({ count, seconds }: Ran): number => count / seconds
