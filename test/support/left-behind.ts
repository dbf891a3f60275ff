import { randomBytes } from 'node:crypto'
import { systemClock } from '../../src/clock.ts'
import { createAccept } from '../../src/journey/accept.ts'
import { createPayments } from '../../src/journey/payment.ts'
import { createLnbits, type Lnbits } from '../../src/lightning/lnbits.ts'
import { silentLog } from '../../src/log.ts'
import { defaultMoneyRules } from '../../src/money/rules.ts'
import { loadCurve } from '../../src/nostr/curve.ts'
import { createIdentity } from '../../src/nostr/identity.ts'
import type { PlayLnbits } from '../../src/sandbox/lnbits.ts'
import { setGrantedTier } from '../../src/store/customers.ts'
import { inTransaction, type Sql } from '../../src/store/database.ts'
import { insertInvoices } from '../../src/store/invoices.ts'
import { awaitPayment, type NewJob } from '../../src/store/jobs.ts'
import { seedPool } from '../../src/store/pool.ts'
import { priced } from './journey.ts'
import { rawCall, textAt } from './lnbits-raw.ts'

/** How many jobs of each kind a bot that died has not ended. */
export interface LeftBehind {
  /** The invoice is still to be made. */
  accepted: number
  /** The invoice is open and not paid. */
  open: number
  /** It has expired meanwhile. */
  expired: number
  /** It was paid meanwhile, and nobody noticed. */
  paid: number
  /** Paid by the pool, and at work when the bot died. */
  free: number
  /** Paid by an invoice, and at work when the bot died. */
  working: number
}

const rules = { ...defaultMoneyRules, poolSeedSats: 1_000_000, poolDailyOutflowPct: 100 }
const lease = { holder: 'dead', seconds: 30 }

/** Makes all that, with real invoices, and every reply of it undelivered; the sats are at LNbits. */
export async function leaveBehind(sql: Sql, play: PlayLnbits, counts: LeftBehind): Promise<void> {
  const { curve } = await loadCurve()
  const lnbits = createLnbits({
    ...{ url: play.url, invoiceKey: play.bot.invoiceKey },
    ...{ clock: systemClock, log: silentLog },
  })
  await inTransaction(sql, (tx) => seedPool(tx, rules))
  const accept = createAccept({ sql, rules, lease, replyLease: lease })
  const payments = createPayments({ sql, rules, lease, replyLease: lease })
  const accepted = async (count: number, tier?: 'trusted') => {
    const customers = Array.from({ length: count }, () => createIdentity(curve, randomBytes(32)))
    if (tier) for (const { pubkey } of customers) await setGrantedTier(sql, pubkey, tier, 'granted')
    const answers = await Promise.all(
      customers.map(({ pubkey }) => accept.add(priced({ customer: pubkey }))),
    )
    return answers.flatMap((answer) => (answer.outcome === 'job' ? [answer.job] : []))
  }
  await accepted(counts.accepted)
  await accepted(counts.free, 'trusted')
  const invoiced = async (count: number, expirySeconds: number) =>
    invoiceAll(sql, lnbits, await accepted(count), expirySeconds)
  await invoiced(counts.open, 3_600)
  await invoiced(counts.expired, 1)
  for (const { bolt11 } of await invoiced(counts.paid, 3_600)) await pay(play, bolt11)
  const working = await invoiced(counts.working, 3_600)
  for (const { bolt11 } of working) await pay(play, bolt11)
  await Promise.all(
    working.map(({ paymentHash, job }) =>
      payments.add({ paymentHash, amountSats: job.chargeSats, feeSats: 0 }),
    ),
  )
  lnbits.close()
  // The bot died a while ago: its leases are over.
  await sql`update jobs set due_at = now() where lease is not null`
  await sql`update outbox set due_at = now()`
}

interface Invoiced {
  job: NewJob
  bolt11: string
  paymentHash: string
}

async function invoiceAll(
  sql: Sql,
  lnbits: Lnbits,
  jobs: readonly NewJob[],
  expirySeconds: number,
): Promise<Invoiced[]> {
  const made = await Promise.all(
    jobs.map(async (job) => ({
      job,
      ...(await lnbits.createInvoice({
        amountSats: job.chargeSats,
        memo: `job ${job.id}`,
        expirySeconds,
        extra: { tag: 'tithe', job: String(job.id) },
      })),
    })),
  )
  await inTransaction(sql, async (tx) => {
    await awaitPayment(
      tx,
      made.map(({ job, expiresAt }) => ({ id: job.id, epoch: 1, expiresAt })),
    )
    await insertInvoices(
      tx,
      made.map(({ job, ...invoice }) => ({
        ...{ ...invoice, purpose: 'job' as const, jobId: job.id, to: job },
        amountSats: job.chargeSats,
      })),
    )
  })
  return made
}

async function pay(play: PlayLnbits, bolt11: string): Promise<void> {
  const key = play.wallet('payer')?.adminKey ?? ''
  const paid = await rawCall(play.url, '/payments', { key, body: { out: true, bolt11 } })
  if (textAt(paid.json, 'status') !== 'success') throw new Error('the payer could not pay')
}
