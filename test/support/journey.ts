import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { addUpBooks } from '../../src/books.ts'
import { systemClock } from '../../src/clock.ts'
import { createAccept } from '../../src/journey/accept.ts'
import { createAnswers } from '../../src/journey/answers.ts'
import { createExpiry } from '../../src/journey/expiry.ts'
import { createFunds } from '../../src/journey/funds.ts'
import { createPayments } from '../../src/journey/payment.ts'
import { createPrices } from '../../src/journey/prices.ts'
import type { PricedRequest } from '../../src/journey/request.ts'
import { createSettle } from '../../src/journey/settle.ts'
import { silentLog } from '../../src/log.ts'
import { defaultMoneyRules, type MoneyRules } from '../../src/money/rules.ts'
import type { Tier } from '../../src/money/tiers.ts'
import { readBreaches } from '../../src/store/audit.ts'
import { readBalances, setGrantedTier } from '../../src/store/customers.ts'
import { inTransaction, type Sql } from '../../src/store/database.ts'
import { insertInvoices } from '../../src/store/invoices.ts'
import { awaitPayment, type Job, readJob } from '../../src/store/jobs.ts'
import { seedPool } from '../../src/store/pool.ts'

const lease = { holder: 'test', seconds: 30 }

/** A random key, as hex. */
export const someKey = (): string => randomBytes(32).toString('hex')

/** A request for work with its price already known, from `customer` or from somebody new. */
export function priced(fields: Partial<PricedRequest> & { customer?: string } = {}): PricedRequest {
  const { customer = someKey(), ...rest } = fields
  const rumorId = someKey()
  const rumorAt = 1_795_000_000
  return {
    message: { rumorAt, rumorId, sender: customer, via: 'nip17', relay: null, proof: '{}' },
    to: { customer, via: 'nip17', form: 'json', programId: null, rumorAt, rumorId },
    request: 'hello',
    requestHash: someKey(),
    model: 'echo',
    estimatedSats: 40,
    usdPerBtc: 100_000,
    inputTokens: 10,
    outputTokens: 100,
    ...rest,
  }
}

/** One invoice after another, of a Lightning node that is not there. */
const invoices = {
  async createInvoice() {
    const expiresAt = Math.floor(Date.now() / 1000) + 600
    return { paymentHash: someKey(), bolt11: 'lnbc1', expiresAt }
  },
}

/** What LNbits says of an invoice at its expiry. */
const unpaid = {
  lookupIncoming: async () => ({ state: 'pending' as const }),
  readIncoming: async () => new Map(),
  listIncoming: async () => new Map(),
}

/** The money steps of the journey on one database, with a seeded pool. */
export async function journeyOn(sql: Sql, rules: Partial<MoneyRules> = {}) {
  const all = { ...defaultMoneyRules, ...rules }
  await inTransaction(sql, (tx) => seedPool(tx, all))
  return stepsOn(sql, rules)
}

/** The same on a database that is seeded: a further replica, or one that was started again. */
export function stepsOn(sql: Sql, overrides: Partial<MoneyRules> = {}) {
  const rules = { ...defaultMoneyRules, ...overrides }
  const accept = createAccept({ sql, rules, lease, replyLease: lease })
  const payments = createPayments({ sql, rules, lease, replyLease: lease })
  const settle = createSettle({ sql, rules, lease })
  const answers = createAnswers({ sql, rules, prices: prices(), lease })
  const funds = createFunds({
    ...{ sql, answers, lease, lightning: invoices, log: silentLog },
    ...{ invoiceTtlSeconds: 600, botName: 'Timmy', invoiced: () => undefined },
  })
  const expiry = createExpiry({
    ...{ sql, lease, clock: systemClock, lightning: unpaid, deliver: () => undefined },
    ...{ looks: { take: (count: number) => count, giveBack: () => undefined } },
    paid: async () => undefined,
  })

  /** Accepts and answers the job, or fails the test. */
  async function job(request: PricedRequest): Promise<Job> {
    const accepted = await accept.add(request)
    if (accepted.outcome !== 'job') throw new Error(`accepted as ${accepted.outcome}`)
    return read(accepted.job.id)
  }

  async function read(id: number): Promise<Job> {
    const row = await readJob(sql, id)
    if (!row) throw new Error(`no job ${id}`)
    return row
  }

  /** Gives an accepted job its invoice. */
  async function invoice(row: Job): Promise<string> {
    const { paymentHash, ...made } = await invoices.createInvoice()
    await inTransaction(sql, async (tx) => {
      await awaitPayment(tx, [{ id: row.id, epoch: row.epoch, expiresAt: made.expiresAt }])
      const { id: jobId, chargeSats: amountSats } = row
      const invoiced = { ...made, paymentHash, purpose: 'job' as const, jobId, to: row, amountSats }
      await insertInvoices(tx, [invoiced])
    })
    return paymentHash
  }

  const pay = (paymentHash: string, amountSats: number, feeSats = 0) =>
    payments.add({ paymentHash, amountSats, feeSats })

  /** Invoice, payment and the job at work. */
  async function paid(request: PricedRequest): Promise<Job> {
    const row = await job(request)
    const paymentHash = await invoice(row)
    await pay(paymentHash, row.chargeSats)
    return read(row.id)
  }

  async function finish(row: Job, actualSats: number): Promise<Job> {
    const usage = { input: 1, output: 1 }
    await settle.add({ job: row, ending: { kind: 'done', actualSats, result: 'done', usage } })
    return read(row.id)
  }

  async function fail(row: Job): Promise<Job> {
    await settle.add({ job: row, ending: { kind: 'failed', reason: 'backend_failed' } })
    return read(row.id)
  }

  /** The invoice was not paid in time. */
  async function expire(row: Job): Promise<Job> {
    await expiry(await read(row.id))
    return read(row.id)
  }

  async function cancel(row: Job): Promise<Job> {
    await answers.cancel(priced(row), String(row.id))
    return read(row.id)
  }

  /** The hash of a top-up's or donation's invoice. */
  async function funding(
    customer: string,
    sats: number,
    name: 'topup' | 'donate' = 'topup',
  ): Promise<string> {
    const { to, message } = priced({ customer })
    await funds.obey({ to, message }, { name, sats })
    const [row] = await sql<{ paymentHash: string }[]>`
      select payment_hash from invoices where rumor_id = ${to.rumorId}`
    if (!row) throw new Error('a top-up made no invoice')
    return row.paymentHash
  }

  async function topUp(customer: string, sats: number): Promise<void> {
    await pay(await funding(customer, sats), sats)
  }

  /** Asks without buying; what it answers is not stored. */
  const ask = (customer: string, question: Parameters<typeof answers.read>[1]) =>
    answers.read(priced({ customer }), question)

  async function balance(customer: string): Promise<number> {
    return (await readBalances(sql, [customer])).get(customer)?.availableSats ?? -1
  }

  /** A key that the operator gave a tier. */
  async function granted(tier: Tier, customer = someKey()): Promise<string> {
    await setGrantedTier(sql, customer, tier, 'granted')
    return customer
  }

  async function expectClean(): Promise<void> {
    const books = await addUpBooks(sql)
    expect(books).toMatchObject({ drift: [], breaches: [], driftSats: 0, ok: true })
    expect(await readBreaches(sql, rules)).toEqual([])
  }

  return {
    ...{
      rules,
      accept,
      payments,
      settle,
      answers,
      funds,
      job,
      read,
      invoice,
      pay,
      paid,
      finish,
      fail,
    },
    ...{ expire, cancel, funding, topUp, ask, balance, granted, expectClean },
  }
}

export type TestJourney = ReturnType<typeof stepsOn>

/** One sat a character, so that an estimate is as high as its request is long. */
function prices() {
  return createPrices({
    models: [
      { name: 'echo', inputUsdPerMillion: 1_000, outputUsdPerMillion: 0, maxOutputTokens: 1 },
    ],
    marginPct: 0,
    rate: { current: async () => ({ usdPerBtc: 100_000 }) },
    countTokens: (text) => text.length,
  })
}

export async function poolSats(sql: Sql): Promise<number> {
  const [row] = await sql<{ sats: number }[]>`
    select balance_sats as sats from accounts where name = 'pool'`
  return row?.sats ?? -1
}

/**
 * Makes all that was booked `days` older, as if that many midnights had passed: what the rules look at, and the
 * append-only tables too, so that the books still agree with each other.
 */
export async function passDays(sql: Sql, days: number): Promise<void> {
  const far = 100_000
  await inTransaction(sql, async (tx) => {
    await tx`set local session_replication_role = replica`
    // By way of long ago: a day's row must not meet the one that has yet to move.
    for (const shift of [days + far, -far]) {
      await tx`update pool_days set day = day - ${shift}::int`
      await tx`update customer_days set day = day - ${shift}::int`
    }
    await tx`update transfers set day = day - ${days}::int`
    await tx`update free_tier_grants set day = day - ${days}::int`
    await tx`
      update jobs set reserved_day = reserved_day - ${days}::int,
        finished_at = finished_at - make_interval(days => ${days}::int)`
    await tx`
      update customers set first_paid_at = first_paid_at - make_interval(days => ${days}::int)`
  })
}
