import { unwrapEvent, wrapEvent } from 'nostr-tools/nip59'
import {
  generateSecretKey as theirSecretKey,
  getPublicKey,
  verifyEvent as theirVerify,
} from 'nostr-tools/pure'
import { systemClock, unixSeconds } from '../src/clock.ts'
import { loadCurve } from '../src/nostr/curve.ts'
import { verifyEvent } from '../src/nostr/event.ts'
import { makeRumor, openGiftWrap, wrapRumor } from '../src/nostr/giftwrap.ts'
import { createIdentity } from '../src/nostr/identity.ts'
import { createOpener } from '../src/nostr/opener.ts'
import type { Curve, NostrEvent } from '../src/nostr/types.ts'
import { median, rounded, tell } from './figures.ts'

/*
 * One trip is what one request costs: the wrap's signature, opening it with every check, and one reply wrapped.
 * Candidates run in turn in short slices, so that what else the machine does hits them alike; costs are
 * processor time, ratios are taken slice by slice.
 */

const TEXT_BYTES = 500
const PEERS = 8
const WRAPS = 64
const ROUNDS = 7
const SLICE_MS = 250
const TEXT = 'x'.repeat(TEXT_BYTES)

export interface TripRatios {
  native: number | null
  wasm: number
  workers: number
}

export async function benchTrip(): Promise<TripRatios & { microseconds: Record<string, number> }> {
  const secret = theirSecretKey()
  const bot = getPublicKey(secret)
  const peers = Array.from({ length: PEERS }, () => theirSecretKey())
  const wraps = Array.from({ length: WRAPS }, (_, place) => {
    const peer = peers[place % PEERS] ?? secret
    const wrap = wrapEvent({ kind: 14, content: TEXT, tags: [['p', bot]] }, peer, bot)
    return JSON.stringify(wrap)
  })
  const trips: Record<string, (json: string) => void> = {
    'nostr-tools': (json) => theirTrip(json, secret),
  }
  const [native, wasm] = await Promise.all([
    loadCurve({ prefer: 'native' }),
    loadCurve({ prefer: 'wasm' }),
  ])
  for (const { curve } of [native, wasm]) trips[curve.name] = ourTrip(curve, secret)
  const costs = runSlices(trips, wraps)
  const ratio = (name: string) => {
    const ours = costs[name]
    const theirs = costs['nostr-tools']
    if (!ours || !theirs) return null
    return rounded(median(ours.map((cost, round) => (theirs[round] ?? Number.NaN) / cost)))
  }
  const microseconds = Object.fromEntries(
    Object.entries(costs).map(([name, all]) => [name, Math.round(median(all))]),
  )
  for (const [name, cost] of Object.entries(microseconds)) {
    tell(`  trip, ${name.padEnd(12)} ${String(cost).padStart(6)} us of processor time`)
  }
  const workers = await benchWorkers(native.curve, secret, wraps)
  return { native: ratio('native'), wasm: ratio('wasm') ?? Number.NaN, workers, microseconds }
}

function theirTrip(json: string, secret: Uint8Array): void {
  const wrap = JSON.parse(json)
  if (!theirVerify(wrap)) throw new Error('a wrap does not verify')
  const rumor = unwrapEvent(wrap, secret)
  wrapEvent({ kind: 14, content: rumor.content, tags: [['p', rumor.pubkey]] }, secret, rumor.pubkey)
}

function ourTrip(curve: Curve, secret: Uint8Array): (json: string) => void {
  const identity = createIdentity(curve, secret)
  return (json) => {
    const nowSeconds = unixSeconds(systemClock)
    const wrap: NostrEvent = JSON.parse(json)
    if (!verifyEvent(curve, wrap)) throw new Error('a wrap does not verify')
    const opened = openGiftWrap({ wrap, identity, nowSeconds, verified: true })
    if (!opened.ok) throw new Error(`a wrap does not open: ${opened.code}`)
    const { sender, rumor } = opened
    const template = { kind: 14, created_at: nowSeconds, tags: [['p', sender]] }
    const reply = makeRumor(identity.pubkey, { ...template, content: rumor.content })
    wrapRumor({ identity, rumor: reply, to: sender, nowSeconds })
  }
}

/** Microseconds of processor time per trip, for each candidate in each round. */
function runSlices(trips: Record<string, (json: string) => void>, wraps: readonly string[]) {
  const names = Object.keys(trips)
  const costs: Record<string, number[]> = {}
  for (const name of names) costs[name] = []
  for (let round = -1; round < ROUNDS; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(turn + round + names.length) % names.length] ?? ''
      const trip = trips[name]
      if (!trip) continue
      const cost = slice(trip, wraps)
      // The first round warms the compiler up.
      if (round >= 0) costs[name]?.push(cost)
    }
  }
  return costs
}

function slice(trip: (json: string) => void, wraps: readonly string[]): number {
  const until = performance.now() + SLICE_MS
  const before = process.cpuUsage()
  let count = 0
  while (performance.now() < until || count < 4) {
    trip(wraps[count % wraps.length] ?? '')
    count += 1
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / count
}

const OPENED = 2_000
const TURNS = 5

/** How much faster a queue of wraps is opened with threads than without, by the clock on the wall. */
async function benchWorkers(curve: Curve, secret: Uint8Array, wraps: readonly string[]) {
  const identity = createIdentity(curve, secret)
  const events: NostrEvent[] = wraps.map((json) => JSON.parse(json))
  await using one = createOpener({ identity, secret, workers: 0 })
  await using many = createOpener({ identity, secret, workers: 'auto' })
  const openAll = async (opener: typeof one) => {
    const began = performance.now()
    const all = Array.from({ length: OPENED }, (_, place) => {
      const wrap = events[place % events.length]
      return wrap ? opener.open(wrap) : undefined
    })
    const opened = await Promise.all(all)
    if (opened.some((answer) => !answer?.ok)) throw new Error('a wrap was not opened')
    return OPENED / ((performance.now() - began) / 1000)
  }
  // Threads start when the first queue builds.
  await openAll(many)
  const ratios: number[] = []
  for (let turn = 0; turn < TURNS; turn += 1) {
    const alone = await openAll(one)
    const together = await openAll(many)
    ratios.push(together / alone)
    tell(
      `  wraps opened a second: ${Math.round(alone)} in one thread, ${Math.round(together)} with workers`,
    )
  }
  return rounded(median(ratios), 2)
}
