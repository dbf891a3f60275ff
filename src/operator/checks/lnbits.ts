import type { Clock } from '../../clock.ts'
import { inSats } from '../../command.ts'
import { createLnbits, type Lnbits } from '../../lightning/lnbits.ts'
import { LnbitsError } from '../../lightning/lnbits-error.ts'
import { watchPayments } from '../../lightning/lnbits-events.ts'
import { type KeyFacts, type LnbitsProbe, probeLnbits } from '../../lightning/lnbits-probe.ts'
import type { Log } from '../../log.ts'
import { about, type Check } from './check.ts'

export interface LnbitsCheckOptions {
  url: string
  invoiceKey: string
  adminKey: string | undefined
  /** Whether something is sold that needs the price of a bitcoin from LNbits. */
  needsRate: boolean
  clock: Clock
  log: Log
}

const EVENTS_MS = 5_000
/** An invoice that nobody is shown; it expires by itself. */
const PROBE_INVOICE = { amountSats: 1, memo: 'tithe doctor', expirySeconds: 60, extra: {} }

const { ok, warn, fail } = about('LNbits')

/** Asks LNbits for all that the bot will ask it for, but to pay. Leaves one unpaid invoice of 1 sat. */
export async function checkLnbits(options: LnbitsCheckOptions): Promise<Check[]> {
  const { url, invoiceKey, clock, log } = options
  const probe = probeLnbits({ url, clock })
  const lnbits = createLnbits({ url, invoiceKey, clock, log, timeoutMs: 10_000 })
  try {
    const reached = await greeting(probe, clock)
    if (reached.some(({ verdict }) => verdict === 'fail')) return reached
    const keys = await keyChecks(probe, options)
    if (keys.some(({ verdict }) => verdict === 'fail')) return [...reached, ...keys]
    const rest = await Promise.all([
      invoiceCheck(lnbits, clock),
      rateCheck(lnbits, options.needsRate),
      eventsCheck(options),
    ])
    return [...reached, ...keys, ...rest]
  } finally {
    probe.close()
    lnbits.close()
  }
}

/** Clocks that differ by more make invoices look expired, or not. */
const CLOCK_SECONDS = 30

async function greeting(probe: LnbitsProbe, clock: Clock): Promise<Check[]> {
  try {
    const { ms, serverSeconds } = await probe.greet()
    const offSeconds = Math.round(clock.now() / 1000 - serverSeconds)
    const answers = ok(`answers in ${ms} ms`)
    if (Math.abs(offSeconds) <= CLOCK_SECONDS) return [answers]
    const which = offSeconds > 0 ? 'ahead of' : 'behind'
    const text = `this machine's clock is ${Math.abs(offSeconds)} s ${which} that of LNbits`
    return [answers, about('clock').warn(text, 'Switch on NTP on both machines.')]
  } catch (error) {
    return [fail(wordsOf(error), 'Check LNBITS_URL and that LNbits runs and is set up.')]
  }
}

async function keyChecks(
  probe: LnbitsProbe,
  { invoiceKey, adminKey }: LnbitsCheckOptions,
): Promise<Check[]> {
  const own = await keyFacts(probe, invoiceKey)
  if (!own) return [fail('LNBITS_INVOICE_KEY is unknown there', 'Copy the invoice key anew.')]
  const wallet = ok(`wallet "${own.name}" holds ${inSats(own.balanceSats)}`)
  const tooMuch = own.mayPay
    ? [
        warn(
          'LNBITS_INVOICE_KEY is an admin key: it may pay',
          'Use the invoice key of that wallet.',
        ),
      ]
    : []
  if (adminKey === undefined) {
    const off = ok('no admin key, so withdrawals are off')
    return [wallet, ...tooMuch, off]
  }
  const admin = await keyFacts(probe, adminKey)
  if (!admin) return [fail('LNBITS_ADMIN_KEY is unknown there', 'Copy the admin key anew.')]
  if (!admin.mayPay) {
    return [fail('LNBITS_ADMIN_KEY may not pay', 'Use the admin key, or leave it out.')]
  }
  if (!isSameWallet(own, admin)) {
    const text = 'LNBITS_ADMIN_KEY is of another wallet: withdrawals would not be its own'
    return [fail(text, 'Copy both keys from one wallet.')]
  }
  return [wallet, ...tooMuch, ok('the admin key may pay: withdrawals are on')]
}

/** The invoice key alone is not told its wallet's id. */
const isSameWallet = (a: KeyFacts, b: KeyFacts): boolean =>
  a.walletId === undefined || b.walletId === undefined
    ? a.name === b.name && a.balanceSats === b.balanceSats
    : a.walletId === b.walletId

async function keyFacts(probe: LnbitsProbe, key: string): Promise<KeyFacts | undefined> {
  try {
    return await probe.look(key)
  } catch (error) {
    if (error instanceof LnbitsError && error.kind === 'unauthorised') return undefined
    throw error
  }
}

async function invoiceCheck(lnbits: Lnbits, clock: Clock): Promise<Check> {
  try {
    const began = clock.now()
    await lnbits.createInvoice(PROBE_INVOICE)
    return ok(`makes an invoice in ${clock.now() - began} ms`)
  } catch (error) {
    return fail(`makes no invoice: ${wordsOf(error)}`, "Look at LNbits' funding source.")
  }
}

async function rateCheck(lnbits: Lnbits, needsRate: boolean): Promise<Check> {
  const rate = await lnbits.rate('USD').catch(() => undefined)
  if (rate) return ok(`says a bitcoin is ${Math.round(rate.btcPrice)} USD`)
  if (!needsRate) return ok('has no bitcoin price, and nothing needs one')
  const remedy = 'Let LNbits reach its price sources, set BTC_USD, or sell at flat prices.'
  return fail('has no bitcoin price, so jobs priced in USD are refused', remedy)
}

async function eventsCheck({ url, invoiceKey, clock, log }: LnbitsCheckOptions): Promise<Check> {
  const up = new AbortController()
  const onUp = () => up.abort()
  const events = watchPayments({ url, invoiceKey, clock, log, onHint() {}, onUp })
  events.start()
  await clock.sleep(EVENTS_MS, up.signal)
  await events.stop()
  if (up.signal.aborted) return ok('tells of payments by its websocket')
  const remedy = 'Let its proxy pass WebSockets; until then payments are found by asking.'
  return warn('its websocket does not answer', remedy)
}

const wordsOf = (error: unknown): string => {
  if (!(error instanceof LnbitsError)) throw error
  const status = error.status === undefined ? '' : `, HTTP ${error.status}`
  return `${error.kind}${status}${error.detail === undefined ? '' : ` (${error.detail})`}`
}
