import type { Clock } from '../../clock.ts'
import { inSats } from '../../command.ts'
import { createLnbits, type Lnbits } from '../../lightning/lnbits.ts'
import { LnbitsError } from '../../lightning/lnbits-error.ts'
import { watchPayments } from '../../lightning/lnbits-events.ts'
import { type KeyFacts, type LnbitsProbe, probeLnbits } from '../../lightning/lnbits-probe.ts'
import type { Log } from '../../log.ts'
import { about, type Check } from './check.ts'

export interface LnbitsAccess {
  url: string
  invoiceKey: string
  clock: Clock
  log: Log
}

export interface LnbitsCheckOptions extends LnbitsAccess {
  adminKey: string | undefined
  /** Whether something is sold that needs the price of a bitcoin from LNbits. */
  needsRate: boolean
}

const EVENTS_MS = 5_000
const CALL_MS = 10_000
/** An invoice that nobody is shown; it expires by itself. */
const PROBE_INVOICE = { amountSats: 1, memo: 'tithe doctor', expirySeconds: 60, extra: {} }

const { ok, warn, fail } = about('LNbits')

/** Asks LNbits for all that the bot will ask it for, but to pay. Leaves one unpaid invoice of 1 sat. */
export async function checkLnbits(options: LnbitsCheckOptions): Promise<Check[]> {
  const { adminKey, needsRate } = options
  const reached = await checkReached(options)
  if (reached.some(({ verdict }) => verdict === 'fail')) return reached
  const receiving = [...reached, ...(await checkReceiving(options))]
  if (receiving.some(({ verdict }) => verdict === 'fail')) return receiving
  const paying =
    adminKey === undefined
      ? [ok('no admin key, so withdrawals are off')]
      : await checkAdminKey({ ...options, adminKey })
  return [...receiving, ...paying, ...(await checkRate(options, needsRate))]
}

/** Clocks that differ by more make invoices look expired, or not. */
const CLOCK_SECONDS = 30

/** Whether anything answers there as LNbits does, and when it thinks it is. */
export async function checkReached({
  url,
  clock,
}: Pick<LnbitsAccess, 'url' | 'clock'>): Promise<Check[]> {
  const probe = probeLnbits({ url, clock })
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
  } finally {
    probe.close()
  }
}

/** What receiving needs of an LNbits that answers: the invoice key, an invoice, and the websocket. */
export async function checkReceiving(options: LnbitsAccess): Promise<Check[]> {
  const { url, invoiceKey, clock, log } = options
  const probe = probeLnbits({ url, clock })
  const lnbits = createLnbits({ url, invoiceKey, clock, log, timeoutMs: CALL_MS })
  try {
    const own = await keyFacts(probe, invoiceKey)
    if (!own) return [fail('LNBITS_INVOICE_KEY is unknown there', 'Copy the invoice key anew.')]
    const wallet = ok(`wallet "${own.name}" holds ${inSats(own.balanceSats)}`)
    const tooMuch = 'LNBITS_INVOICE_KEY is an admin key: it may pay'
    const rights = own.mayPay ? [warn(tooMuch, 'Use the invoice key of that wallet.')] : []
    const rest = await Promise.all([invoiceCheck(lnbits, clock), eventsCheck(options)])
    return [wallet, ...rights, ...rest]
  } finally {
    probe.close()
    lnbits.close()
  }
}

/** Whether the admin key may pay, and from the wallet of the invoice key. */
export async function checkAdminKey({
  url,
  invoiceKey,
  adminKey,
  clock,
}: LnbitsAccess & { adminKey: string }): Promise<Check[]> {
  const probe = probeLnbits({ url, clock })
  try {
    const [own, admin] = [await keyFacts(probe, invoiceKey), await keyFacts(probe, adminKey)]
    if (!admin) return [fail('LNBITS_ADMIN_KEY is unknown there', 'Copy the admin key anew.')]
    if (!admin.mayPay) {
      return [fail('LNBITS_ADMIN_KEY may not pay', 'Use the admin key, or leave it out.')]
    }
    if (own && !isSameWallet(own, admin)) {
      const text = 'LNBITS_ADMIN_KEY is of another wallet: withdrawals would not be its own'
      return [fail(text, 'Copy both keys from one wallet.')]
    }
    return [ok('the admin key may pay: withdrawals are on')]
  } finally {
    probe.close()
  }
}

/** Whether LNbits says what a bitcoin costs, where something that is sold needs it. */
export async function checkRate(
  { url, invoiceKey, clock, log }: LnbitsAccess,
  needsRate: boolean,
): Promise<Check[]> {
  const lnbits = createLnbits({ url, invoiceKey, clock, log, timeoutMs: CALL_MS })
  try {
    const rate = await lnbits.rate('USD').catch(() => undefined)
    if (rate) return [ok(`says a bitcoin is ${Math.round(rate.btcPrice)} USD`)]
    if (!needsRate) return [ok('has no bitcoin price, and nothing needs one')]
    const remedy = 'Let LNbits reach its price sources, set BTC_USD, or sell at flat prices.'
    return [fail('has no bitcoin price, so jobs priced in USD are refused', remedy)]
  } finally {
    lnbits.close()
  }
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

async function eventsCheck({ url, invoiceKey, clock, log }: LnbitsAccess): Promise<Check> {
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
