import { refusal } from '../doors/replies.ts'
import type { Command } from '../doors/requests.ts'
import { failpoint } from '../failpoint.ts'
import type { Log } from '../log.ts'
import { ensureCustomers } from '../store/customers.ts'
import { inTransaction, type Sql, type Tx } from '../store/database.ts'
import { isTakenIn, takeIn } from '../store/inbox.ts'
import type { Lease } from '../store/lease.ts'
import { insertInvoices } from '../store/invoices.ts'
import { putReplies } from '../store/outbox.ts'
import { isLightningStopped } from '../store/solvency.ts'
import type { Answered, Answers } from './answers.ts'
import type { InvoiceLine } from './invoice-line.ts'
import type { InvoiceMaker } from './lightning.ts'
import { createOwnLines } from './own-line.ts'
import type { Incoming } from './request.ts'

type Sale = Extract<Command, { name: 'topup' | 'donate' }>
type Withdrawal = Extract<Command, { name: 'withdraw' }>
export type FundsCommand = Sale | Withdrawal

export interface FundsOptions {
  sql: Sql
  lightning: InvoiceMaker
  /** Undefined: nobody waits too long for an invoice. */
  line?: Pick<InvoiceLine, 'tooLong'>
  answers: Answers
  /** Undefined where the operator has switched withdrawals off. */
  withdraw?: ((incoming: Incoming, command: Withdrawal) => Promise<Answered>) | undefined
  lease: Lease
  invoiceTtlSeconds: number
  botName: string
  log: Log
  /** Called after a commit: there is an invoice to watch. */
  invoiced(): void
}

/** What buys balance, fills the pool, or takes balance out. */
export interface Funds {
  obey(incoming: Incoming, command: FundsCommand): Promise<Answered>
}

export function createFunds(options: FundsOptions): Funds {
  const { sql, lightning, answers, lease } = options
  /** Messages that are being obeyed: copies come by several relays at once. */
  const obeying = new Map<string, Promise<unknown>>()
  const lines = createOwnLines()

  return {
    async obey(incoming, command) {
      const { rumorId } = incoming.message
      const first = obeying.get(rumorId)
      if (first) {
        // If the first failed, so does its copy, and the relay's next one is a new try.
        await first
        return { fresh: false, replies: [] }
      }
      const run = obeyOnce(incoming, command).finally(() => obeying.delete(rumorId))
      obeying.set(rumorId, run)
      return run
    },
  }

  async function obeyOnce(incoming: Incoming, command: FundsCommand): Promise<Answered> {
    // A message that comes again must not make a second invoice.
    if (await isTakenIn(sql, incoming.message)) return { fresh: false, replies: [] }
    if (command.name !== 'withdraw') return sell(incoming, command)
    const { withdraw } = options
    if (!withdraw) return refuse(incoming, 'withdrawals_off')
    const line = lines.join(incoming.to.customer, () => withdraw(incoming, command))
    return 'refused' in line ? refuse(incoming, line.refused) : line.done
  }

  function refuse(incoming: Incoming, ...reason: Parameters<typeof refusal>): Promise<Answered> {
    return answers.reply.add({ incoming, reply: refusal(...reason) })
  }

  async function sell(incoming: Incoming, sale: Sale): Promise<Answered> {
    if (await isLightningStopped(sql)) return refuse(incoming, 'paused')
    const wait = options.line?.tooLong(1)
    if (wait) return refuse(incoming, 'busy', { ahead: wait.ahead })
    const line = lines.join(incoming.to.customer, () => makeInvoice(sale))
    if ('refused' in line) return refuse(incoming, line.refused)
    const invoice = await line.done
    if (!invoice) return refuse(incoming, 'invoice_failed')
    await failpoint('funds:invoice-made')
    const answered = await inTransaction(sql, (tx) => record(tx, incoming, sale, invoice))
    await failpoint('funds:committed')
    options.invoiced()
    return answered
  }

  async function record(
    tx: Tx,
    { message, to }: Incoming,
    { name: purpose, sats }: Sale,
    invoice: Awaited<ReturnType<InvoiceMaker['createInvoice']>>,
  ): Promise<Answered> {
    const fresh = await takeIn(tx, [message])
    if (fresh.size === 0) return { fresh: false, replies: [] }
    await ensureCustomers(tx, [to.customer])
    const { bolt11, expiresAt } = invoice
    const reply = { type: 'invoice', purpose, bolt11, chargeSats: sats, expiresAt }
    const [, replies] = await Promise.all([
      insertInvoices(tx, [{ ...invoice, purpose, jobId: null, to, amountSats: sats }]),
      putReplies(tx, [{ to, jobId: null, step: `${purpose}_invoice`, reply }], lease),
    ])
    await failpoint('funds:before-commit')
    return { fresh: true, replies }
  }

  /** Undefined when LNbits made none. */
  async function makeInvoice({ name: purpose, sats: amountSats }: Sale) {
    try {
      return await lightning.createInvoice({
        amountSats,
        memo: `${options.botName}: ${purpose === 'topup' ? 'top-up' : 'donation'}`,
        expirySeconds: options.invoiceTtlSeconds,
        extra: { tag: 'tithe' },
      })
    } catch (error) {
      options.log.warn({ err: error, purpose }, 'no invoice could be made')
      return undefined
    }
  }
}
