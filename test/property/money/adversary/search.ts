import { seededFractions } from '../../../support/money-random.ts'
import { type Books, createLedger } from './ledger.ts'
import { bentStrategy, play, randomStrategy, type Strategy } from './strategy.ts'
import { emptyTally, noViolations, type Tally, type Violations } from './tally.ts'

export interface Attack {
  plan: Strategy
  tally: Tally
  /** Sats taken per sat paid: what the pool gave, and with it what the operator fell short of. */
  poolYield: number
  fullYield: number
  /** The full yield as part of the ratio it played against: 1 reaches the cap. */
  reach: number
}

/** What a search came to; plain data, so that it can cross threads. */
export interface Found {
  strategies: number
  violations: Violations
  best: Attack
  /** Attacks that took more than they paid. */
  profitable: number
  outflowPctMax: number
  openPromisesSatsMax: number
  shortfallDaySatsMax: number
}

/** Below this an attacker has paid no tier's price, and a yield of rounding says nothing. */
const PAID_SATS_MIN = 500
const PARENTS = 24

export interface SearchOptions {
  seed: number
  strategies: number
  books: Books
}

/** Plays `strategies` plans: half drawn at random, half bent from the best so far. */
export function searchAttacks({ seed, strategies, books }: SearchOptions): Found {
  const random = seededFractions(seed)
  const ledger = createLedger(books)
  const parents: Attack[] = []
  const found: Found = {
    strategies,
    violations: noViolations(),
    best: judged(randomStrategy(random), emptyTally()),
    profitable: 0,
    outflowPctMax: 0,
    openPromisesSatsMax: 0,
    shortfallDaySatsMax: 0,
  }
  for (let at = 0; at < strategies; at++) {
    const mother = pick(parents, random)
    const father = pick(parents, random)
    const plan =
      at % 2 === 0 || !mother || !father
        ? randomStrategy(random)
        : bentStrategy(mother.plan, father.plan, random)
    const attack = judged(plan, play(plan, ledger, random))
    note(found, attack)
    if (attack.tally.paidSats >= PAID_SATS_MIN) keepBest(parents, attack)
  }
  found.best = parents[0] ?? found.best
  return found
}

function note(found: Found, { tally }: Attack): void {
  for (const name of Object.keys(tally.violations) as (keyof Violations)[]) {
    found.violations[name] += tally.violations[name]
  }
  for (const name of ['outflowPctMax', 'openPromisesSatsMax', 'shortfallDaySatsMax'] as const) {
    found[name] = Math.max(found[name], tally[name])
  }
  if (tally.absorbedSats + tally.shortfallSats > tally.paidSats) found.profitable++
}

function keepBest(parents: Attack[], attack: Attack): void {
  const last = parents[PARENTS - 1]
  if (last && !isBetter(attack, last)) return
  parents.push(attack)
  parents.sort((a, b) => (isBetter(a, b) ? -1 : 1))
  parents.length = Math.min(parents.length, PARENTS)
}

/** By what a sat brings; where that is the same, by how much was taken. */
function isBetter(a: Attack, b: Attack): boolean {
  if (Math.abs(a.reach - b.reach) > 1e-9) return a.reach > b.reach
  return a.tally.absorbedSats > b.tally.absorbedSats
}

function judged(plan: Strategy, tally: Tally): Attack {
  const paidSats = Math.max(1, tally.paidSats)
  const fullYield = (tally.absorbedSats + tally.shortfallSats) / paidSats
  return {
    plan,
    tally,
    poolYield: tally.absorbedSats / paidSats,
    fullYield,
    reach: fullYield / plan.earnedGrantRatio,
  }
}

const pick = (parents: Attack[], random: () => number): Attack | undefined =>
  parents[Math.floor(random() * parents.length)]

/** The outcome of a search in one line, and the best plan in a second. */
export function describeFound(books: Books, seed: number, found: Found): string {
  const { plan, tally, poolYield, fullYield } = found.best
  const { strategies, profitable, outflowPctMax } = found
  const broken = Object.values(found.violations).reduce((sum, count) => sum + count, 0)
  const numbers = Object.entries(plan).map(([name, value]) => `${name} ${Number(value.toFixed(2))}`)
  return [
    `adversary (${books} books, seed ${seed}): ${strategies} strategies × 120 days,`,
    `${broken} bounds broken, ${profitable} profitable;`,
    `best took ${tally.absorbedSats} of the pool for ${tally.paidSats} paid,`,
    `yield ${poolYield.toFixed(4)} at ratio ${plan.earnedGrantRatio}`,
    `(${fullYield.toFixed(4)} with ${tally.shortfallSats} shortfall);`,
    `outflow ≤ ${outflowPctMax.toFixed(2)} %, shortfall ≤ ${found.shortfallDaySatsMax} a day,`,
    `open promises ≤ ${found.openPromisesSatsMax}\n  best strategy: ${numbers.join(', ')}`,
  ].join(' ')
}
