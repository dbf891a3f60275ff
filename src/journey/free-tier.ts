import type { ReplyOf } from '../doors/protocol.ts'
import { type Decision, decide, reserveNow } from '../money/decide.ts'
import type { MoneyRules } from '../money/rules.ts'
import type { Settlement } from '../money/settlement.ts'
import { type CustomerFacts, countCustomerDays, readCustomers } from '../store/customers.ts'
import { readOnly, type Sql, type Tx } from '../store/database.ts'
import { type Grant, insertGrants } from '../store/grants.ts'
import type { Job } from '../store/jobs.ts'
import { countPoolDay, type PoolFacts, readPool, readPoolToday } from '../store/pool.ts'
import { poolReply } from './pool-reply.ts'
import { type Standing, standingOf } from './standing.ts'

/**
 * What one transaction read of the pool and of the keys it is about. Each reservation lowers it, so that the
 * next decision of the same transaction sees what is left.
 */
export interface GateFacts {
  pool: PoolFacts
  customers: ReadonlyMap<string, CustomerFacts>
}

/** What a key would have, sats, before it is known whether the pool pays for it. */
export interface GateQuestion {
  customer: string
  estimateSats: number
}

/** A decision and where the key stood when it was made. */
export interface GateAnswer {
  standing: Standing
  decision: Decision
}

/** A job at its end, with how its money ends. */
export interface SettledJob {
  job: Job
  money: Settlement
}

/**
 * The gate between a request and the pool. What takes a transaction writes inside it and holds the pool's row
 * lock already; the rules are the pure functions of `money/`.
 */
export interface FreeTierService {
  /**
   * Decides on facts read under the pool's lock. For `free` its caller debits the pool in the same
   * transaction, before any work; for `partial` it is a promise that touches no pool row.
   */
  decide(facts: GateFacts, question: GateQuestion): GateAnswer
  /** The same answer on a transaction that the server itself keeps from writing. */
  decideDryRun(sql: Sql, question: GateQuestion): Promise<GateAnswer & { pool: PoolFacts }>
  /**
   * At payment: takes the promise out of the facts as far as the key's room of this moment reaches, possibly
   * nothing. A paused pool keeps the promises it made; a key without a tier by now gets nothing.
   */
  reservePartialGrant(
    facts: GateFacts,
    job: Pick<Job, 'customer' | 'promisedSats'>,
  ): { reservedSats: number; standing: Standing }
  /**
   * At settlement: writes the immutable grants, actual and reserved, and gives what was not absorbed back to
   * the budgets of the day it was taken from, the key's and the pool's.
   */
  recordGrant(tx: Tx, settled: readonly SettledJob[], pool: PoolFacts): Promise<void>
  /** At settlement: counts the pool's part of the net charges, and what the operator had to add, today. */
  credit(tx: Tx, settled: readonly SettledJob[], pool: PoolFacts): Promise<void>
  poolStatus(sql: Sql): Promise<ReplyOf<'pool'>>
}

export function createFreeTier(rules: MoneyRules): FreeTierService {
  return {
    decide: (facts, question) => decideOn(facts, question, rules),
    decideDryRun: (sql, question) =>
      readOnly(sql, async (tx) => {
        const facts = await readGateFacts(tx, [question.customer])
        return { ...decideOn(facts, question, rules), pool: facts.pool }
      }),
    reservePartialGrant(facts, { customer, promisedSats }) {
      const standing = standingOf(factsOf(facts, customer), facts.pool, rules, { paying: true })
      const { tier, room } = standing
      const reservedSats = tier === 'new' ? 0 : reserveNow({ promisedSats, room })
      reserve(facts, customer, reservedSats)
      return { reservedSats, standing }
    },
    recordGrant,
    credit,
    poolStatus: (sql) =>
      readOnly(sql, async (tx) => poolReply(await readPool(tx), await readPoolToday(tx), rules)),
  }
}

/** Reads without locking: inside what moves money, `lockPool` comes first. */
export async function readGateFacts(tx: Tx, customers: readonly string[]): Promise<GateFacts> {
  const [pool, read] = await Promise.all([readPool(tx), readCustomers(tx, customers)])
  return { pool, customers: read }
}

export function factsOf({ customers }: GateFacts, customer: string): CustomerFacts {
  const facts = customers.get(customer)
  if (!facts) throw new Error('a customer was decided on and not read')
  return facts
}

/** Takes sats out of the facts, as the transaction that holds them takes them from the pool. */
export function reserve(facts: GateFacts, customer: string, sats: number): void {
  const { pool } = facts
  const key = factsOf(facts, customer)
  pool.balanceSats -= sats
  pool.absorbedTodaySats += sats
  key.absorbedTodaySats += sats
  key.grantsSats90 += sats
}

function decideOn(facts: GateFacts, { customer, estimateSats }: GateQuestion, rules: MoneyRules) {
  const standing = standingOf(factsOf(facts, customer), facts.pool, rules)
  const { tier, banned, room } = standing
  const decision = decide({ tier, banned, poolPaused: facts.pool.paused, room, estimateSats })
  return { standing, decision }
}

async function recordGrant(
  tx: Tx,
  settled: readonly SettledJob[],
  { openingSats }: PoolFacts,
): Promise<void> {
  const grants = settled.flatMap(grantOf)
  const returned = grants.filter((grant) => grant.absorbedSats < grant.reservedSats)
  const days = new Map<string, number>()
  for (const { day, reservedSats, absorbedSats } of returned) {
    days.set(day, (days.get(day) ?? 0) + reservedSats - absorbedSats)
  }
  await Promise.all([
    insertGrants(tx, grants),
    countCustomerDays(
      tx,
      returned.map(({ customer, day, reservedSats, absorbedSats }) => ({
        customer,
        day,
        absorbedSats: absorbedSats - reservedSats,
      })),
    ),
    ...[...days].map(([day, sats]) => countPoolDay(tx, { day, openingSats, absorbedSats: -sats })),
  ])
}

function grantOf({ job, money }: SettledJob): Grant[] {
  if (job.reservedDay === null) return []
  return [
    {
      jobId: job.id,
      customer: job.customer,
      tier: job.tier,
      source: job.tierSource,
      day: job.reservedDay,
      reservedSats: job.reservedSats,
      absorbedSats: money.absorbedSats,
    },
  ]
}

async function credit(
  tx: Tx,
  settled: readonly SettledJob[],
  { day, openingSats }: PoolFacts,
): Promise<void> {
  const sum = (pick: (money: Settlement) => number) =>
    settled.reduce((total, { money }) => total + pick(money), 0)
  await countPoolDay(tx, {
    day,
    openingSats,
    creditedSats: sum((money) => money.creditSats),
    shortfallSats: sum((money) => money.shortfallSats),
    // What the pool paid a part of was counted when the part was taken.
    paid: settled.filter(({ job, money }) => money.chargeSats > 0 && job.reservedSats === 0).length,
  })
}
