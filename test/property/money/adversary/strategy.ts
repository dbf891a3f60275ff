import { DAYS, KEYS, type Ledger, type Running } from './ledger.ts'
import type { Tally } from './tally.ts'

/**
 * One attacker's plan. Every field is drawn at random or bent a little from a plan that paid off.
 */
export interface Strategy {
  keys: number
  /**
   * Keys the operator granted `trusted`; their take is a gift and counts against the breaker only.
   */
  grantedKeys: number
  earnedGrantRatio: number
  /** Days between the first payments of one key and the next: aged keys. */
  stagger: number
  /** Net sats paid on each paying day, and how many such days to begin with. */
  paySats: number
  payDays: number
  /** Days from one later payment to the next; above DAYS: never again. */
  payEvery: number
  /** True cost as part of the estimate of bought work: below 1 it is a refund loop. */
  payActual: number
  /** Sats that go round by top-up and withdrawal each day. */
  circleSats: number
  /**
   * Free jobs per key and day, their size as part of the room, and their true cost as part of the
   * estimate.
   */
  freeJobs: number
  freeSize: number
  freeActual: number
  /** Discounted quotes asked for per key and day. */
  quotes: number
  /** Estimate of a quote as a multiple of the room, from 1. */
  quoteSize: number
  quoteActual: number
  /** Chance that a discounted invoice is paid at all. */
  redeems: number
  /** Chance that other work empties the room between a promise and its payment. */
  drains: number
  /** Chance that this work is still running, with all it reserved, when the promises are paid. */
  holds: number
  /** How often quotes, free work and payments are gone through per day. */
  rounds: number
  /** Chance that a promise, or running work, crosses midnight. */
  straddles: number
  fails: number
  /** Chance per day that a key withdraws its balance. */
  withdraws: number
  /** Net sats honest customers pay per day. */
  honestSats: number
}

const RATIOS = [0.25, 0.25, 0.25, 0.1, 0.4]

export function randomStrategy(random: () => number): Strategy {
  const chance = () => {
    const draw = random()
    // The ends are where plans are pure; they are drawn as often as all that lies between.
    return draw < 0.25 ? 0 : draw < 0.5 ? 1 : random()
  }
  return {
    keys: 1 + Math.floor(random() ** 2 * KEYS),
    grantedKeys: random() < 0.08 ? 1 : 0,
    earnedGrantRatio: RATIOS[Math.floor(random() * RATIOS.length)] ?? 0.25,
    stagger: Math.floor(random() ** 3 * 10),
    paySats: Math.floor(10 ** (random() * 4.5)),
    payDays: 1 + Math.floor(random() ** 2 * 10),
    payEvery: 1 + Math.floor(random() * 130),
    payActual: chance(),
    circleSats: random() < 0.2 ? Math.floor(random() * 100_000) : 0,
    freeJobs: Math.floor(random() * 3),
    freeSize: chance(),
    freeActual: chance(),
    quotes: Math.floor(random() ** 2 * 4),
    quoteSize: 1 + random() ** 3 * 10,
    quoteActual: chance(),
    redeems: chance(),
    drains: chance(),
    holds: chance(),
    rounds: 1 + Math.floor(random() ** 3 * 4),
    straddles: chance() * 0.5,
    fails: random() < 0.2 ? random() * 0.5 : 0,
    withdraws: chance(),
    honestSats: random() < 0.5 ? 0 : Math.floor(random() * 5_000),
  }
}

/** A child of two plans with a few fields drawn anew. */
export function bentStrategy(a: Strategy, b: Strategy, random: () => number): Strategy {
  const fresh = randomStrategy(random)
  const child = { ...a }
  for (const name of Object.keys(child) as (keyof Strategy)[]) {
    const draw = random()
    if (draw < 0.12) child[name] = fresh[name]
    else if (draw < 0.4) child[name] = b[name]
  }
  return child
}

const MORNING = 600
const NOON = 43_200
const LATE = 86_399

/** Plays a plan against the rules for DAYS days and returns what came of it. */
export function play(plan: Strategy, ledger: Ledger, random: () => number): Tally {
  ledger.reset(plan.keys, plan.earnedGrantRatio, plan.grantedKeys)
  const overnight: Running[] = []
  for (let day = 0; day < DAYS; day++) {
    if (day > 0) ledger.openDay(day)
    if (plan.honestSats > 0) ledger.honestCharges(plan.honestSats)
    while (overnight.length > 0) {
      finishPart(ledger, overnight.pop() as Running, plan.freeActual, plan, random, MORNING)
    }
    for (let key = 0; key < plan.keys; key++) {
      if (ledger.hasPromise(key)) redeemOrDrop(ledger, key, plan, random, MORNING)
      if (plan.circleSats > 0) ledger.circle(key, plan.circleSats)
      if (paysToday(plan, key, day)) buy(ledger, key, plan, random)
      if (random() < plan.withdraws) ledger.withdraw(key)
    }
    for (let round = 0; round < plan.rounds; round++) attack(ledger, plan, random, overnight)
  }
  for (const job of overnight) finishPart(ledger, job, plan.freeActual, plan, random, LATE)
  return ledger.close()
}

function paysToday(plan: Strategy, key: number, day: number): boolean {
  const age = day - key * plan.stagger
  return age >= 0 && (age < plan.payDays || age % plan.payEvery === 0)
}

function buy(ledger: Ledger, key: number, plan: Strategy, random: () => number): void {
  const job = ledger.ask(key, Math.max(1, plan.paySats), NOON, true)
  if (job) finishPart(ledger, job, plan.payActual, plan, random, NOON)
  else redeemOrDrop(ledger, key, plan, random, NOON)
}

/** One round: quotes, free work, payments of the promises, in the order the plan likes best. */
function attack(ledger: Ledger, plan: Strategy, random: () => number, overnight: Running[]): void {
  const opened = plan.quotes > 0 && askQuotes(ledger, plan, random)
  const drains = opened && random() < plan.drains
  if (opened && !drains) redeemAll(ledger, plan, random)
  const held: Running[] = []
  for (let key = 0; key < plan.keys; key++) {
    for (let count = 0; count < plan.freeJobs; count++) {
      const estimateSats = Math.ceil(ledger.roomSats(key, LATE) * plan.freeSize)
      const job = estimateSats > 0 ? ledger.ask(key, estimateSats, LATE, false) : null
      if (!job) break
      if (random() < plan.straddles) overnight.push(job)
      else if (drains && random() < plan.holds) held.push(job)
      else finishPart(ledger, job, plan.freeActual, plan, random, LATE)
    }
  }
  if (drains) redeemAll(ledger, plan, random)
  for (const job of held) finishPart(ledger, job, plan.freeActual, plan, random, LATE)
}

/** True when some key has a discounted invoice now. */
function askQuotes(ledger: Ledger, plan: Strategy, random: () => number): boolean {
  let opened = false
  for (let key = 0; key < plan.keys; key++) {
    const roomSats = ledger.roomSats(key, NOON)
    if (roomSats === 0) continue
    const estimateSats = Math.floor(roomSats * plan.quoteSize) + 1
    for (let quote = 0; quote < plan.quotes; quote++) {
      const job = ledger.ask(key, estimateSats, NOON, false)
      if (job) finishPart(ledger, job, plan.quoteActual, plan, random, NOON)
      else opened = true
    }
  }
  return opened
}

function redeemAll(ledger: Ledger, plan: Strategy, random: () => number): void {
  for (let key = 0; key < plan.keys; key++) {
    if (!ledger.hasPromise(key) || random() < plan.straddles) continue
    redeemOrDrop(ledger, key, plan, random, NOON + 300)
  }
}

function redeemOrDrop(
  ledger: Ledger,
  key: number,
  plan: Strategy,
  random: () => number,
  seconds: number,
): void {
  const job = random() < plan.redeems ? ledger.redeem(key, seconds) : null
  if (job) finishPart(ledger, job, plan.quoteActual, plan, random, seconds)
  else ledger.expire(key)
}

function finishPart(
  ledger: Ledger,
  job: Running,
  part: number,
  plan: Strategy,
  random: () => number,
  seconds: number,
): void {
  const failed = plan.fails > 0 && random() < plan.fails
  ledger.finish(job, Math.max(1, Math.floor(job.estimateSats * part)), failed, seconds)
}
