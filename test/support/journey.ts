import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { createAccept } from '../../src/journey/accept.ts'
import { createPayments } from '../../src/journey/payment.ts'
import type { PricedRequest } from '../../src/journey/request.ts'
import { createSettle } from '../../src/journey/settle.ts'
import { defaultMoneyRules, type MoneyRules } from '../../src/money/rules.ts'
import type { Tier } from '../../src/money/tiers.ts'
import { readBreaches, readDrift } from '../../src/store/audit.ts'
import { setGrantedTier } from '../../src/store/customers.ts'
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

/** The money steps of the journey on one database, with a seeded pool. */
export async function journeyOn(sql: Sql, overrides: Partial<MoneyRules> = {}) {
  const rules = { ...defaultMoneyRules, ...overrides }
  await inTransaction(sql, (tx) => seedPool(tx, rules))
  const accept = createAccept({ sql, rules, lease, replyLease: lease })
  const payments = createPayments({ sql, rules, lease, replyLease: lease })
  const settle = createSettle({ sql, rules, lease })

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
    const paymentHash = someKey()
    const expiresAt = Math.floor(Date.now() / 1000) + 600
    await inTransaction(sql, async (tx) => {
      await awaitPayment(tx, [{ id: row.id, epoch: row.epoch, expiresAt }])
      await insertInvoices(tx, [
        {
          paymentHash,
          purpose: 'job',
          jobId: row.id,
          to: row,
          amountSats: row.chargeSats,
          bolt11: 'lnbc1',
          expiresAt,
        },
      ])
    })
    return paymentHash
  }

  /** Invoice, payment and the job at work. */
  async function paid(request: PricedRequest): Promise<Job> {
    const row = await job(request)
    const paymentHash = await invoice(row)
    await payments.add({ paymentHash, amountSats: row.chargeSats, feeSats: 0 })
    return read(row.id)
  }

  async function finish(row: Job, actualSats: number): Promise<Job> {
    const usage = { input: 1, output: 1 }
    await settle.add({ job: row, ending: { kind: 'done', actualSats, result: 'done', usage } })
    return read(row.id)
  }

  /** A key that the operator gave a tier. */
  async function granted(tier: Tier, customer = someKey()): Promise<string> {
    await setGrantedTier(sql, customer, tier, 'granted')
    return customer
  }

  async function expectClean(): Promise<void> {
    expect(await readDrift(sql)).toEqual([])
    expect(await readBreaches(sql, rules)).toEqual([])
  }

  return { rules, accept, payments, settle, job, read, invoice, paid, finish, granted, expectClean }
}

export async function poolSats(sql: Sql): Promise<number> {
  const [row] = await sql<{ sats: number }[]>`
    select balance_sats as sats from accounts where name = 'pool'`
  return row?.sats ?? -1
}
