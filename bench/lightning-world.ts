import { randomBytes } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { startRealLnbits } from '../scripts/lnbits/instance.ts'
import { decodeBolt11 } from '../src/lightning/bolt11.ts'
import { startPlayLnbits } from '../src/sandbox/lnbits.ts'
import { startRelay } from '../src/sandbox/relay.ts'
import { startCounter } from './lightning-counter.ts'
import type { World } from './stage.ts'

/*
 * A process of the Lightning bench: a relay and an LNbits, behind a door that counts its requests. The LNbits
 * is the play-money one, or, with the home of an installed one as second argument, a real one. Ends with its
 * parent.
 */

/** What may be asked of this process by message; each is answered by one message. */
export type WorldQuestion =
  /** Requests that came from the daemon since the last time, by path. */
  | { ask: 'requests' }
  /** Makes so many invoices that nobody pays. */
  | { ask: 'invoices'; count: number }

export interface OpenInvoice {
  paymentHash: string
  bolt11: string
  /** Unix seconds. */
  expiresAt: number
}

interface Subject {
  url: string
  invoiceKey: string
  payerKey: string
  /** Copies the row of an invoice that nobody pays, which is faster than 25 a second; answers hashes. */
  copies?(paymentHash: string, count: number): string[]
}

const PAYER_SATS = 1_000_000
const AMOUNT_SATS = 21
const LIFE_SECONDS = 3600
const CREATES_AT_ONCE = 16

const lnbitsHome = process.argv[3]
const relay = await startRelay()
const subject = await (lnbitsHome === undefined ? startPlay() : startReal(lnbitsHome))
const counter = await startCounter(subject.url)

process.on('message', async (question: WorldQuestion) => {
  process.send?.(
    question.ask === 'requests' ? counter.take() : await makeInvoices(subject, question.count),
  )
})
process.on('disconnect', () => process.exit())
const world: World = {
  relays: [relay.url],
  lnbitsUrl: counter.url,
  payerUrl: subject.url,
  invoiceKey: subject.invoiceKey,
  payerKey: subject.payerKey,
}
process.send?.(world)

async function startPlay(): Promise<Subject> {
  const play = await startPlayLnbits({
    seedWallets: [{ name: 'payer', balanceSats: PAYER_SATS }],
  })
  const payerKey = play.wallet('payer')?.adminKey ?? ''
  return { url: play.url, invoiceKey: play.bot.invoiceKey, payerKey }
}

async function startReal(home: string): Promise<Subject> {
  const real = await startRealLnbits(home)
  const bot = await real.createWallet('bot', 0)
  const payer = await real.createWallet('payer', PAYER_SATS)
  return {
    url: real.url,
    invoiceKey: bot.invoiceKey,
    payerKey: payer.adminKey,
    copies: (paymentHash, count) => copyRows(real.databaseFile, paymentHash, count),
  }
}

async function makeInvoices({ copies, ...subject }: Subject, count: number) {
  const [first] = await createInvoices(subject, 1)
  if (!first || !copies) return [first, ...(await createInvoices(subject, count - 1))]
  const hashes = copies(first.paymentHash, count - 1)
  return [first, ...hashes.map((paymentHash) => ({ ...first, paymentHash }))]
}

async function createInvoices(subject: Omit<Subject, 'copies'>, count: number) {
  const made: OpenInvoice[] = []
  let left = count
  await Promise.all(
    Array.from({ length: CREATES_AT_ONCE }, async () => {
      while (left > 0) {
        left -= 1
        made.push(await createInvoice(subject))
      }
    }),
  )
  return made
}

async function createInvoice({ url, invoiceKey }: Omit<Subject, 'copies'>): Promise<OpenInvoice> {
  const response = await fetch(`${url}/api/v1/payments`, {
    method: 'POST',
    headers: { 'x-api-key': invoiceKey, 'content-type': 'application/json' },
    body: JSON.stringify({
      out: false,
      amount: AMOUNT_SATS,
      memo: 'nobody pays',
      expiry: LIFE_SECONDS,
      extra: { tag: 'tithe' },
    }),
  })
  const answer = new Map(Object.entries(JSON.parse(await response.text())))
  const bolt11 = String(answer.get('bolt11'))
  const decoded = decodeBolt11(bolt11)
  if (!decoded.ok) throw new Error(`the invoice cannot be read: ${decoded.reason}`)
  const { paymentHash, expiresAt } = decoded.invoice
  return { paymentHash, bolt11, expiresAt }
}

function copyRows(databaseFile: string, paymentHash: string, count: number): string[] {
  const hashes = Array.from({ length: count }, () => randomBytes(32).toString('hex'))
  using database = new DatabaseSync(databaseFile, { timeout: 30_000 })
  const columns = database
    .prepare("select name from pragma_table_info('apipayments')")
    .all()
    .map(({ name }) => String(name))
  const copied = columns.map((name) =>
    name === 'payment_hash' || name === 'checking_id' ? ':hash' : name,
  )
  const copy = database.prepare(
    `insert into apipayments (${columns.join()}) select ${copied.join()} from apipayments ` +
      'where payment_hash = :from',
  )
  database.exec('begin immediate')
  for (const hash of hashes) copy.run({ ':hash': hash, ':from': paymentHash })
  database.exec('commit')
  return hashes
}
