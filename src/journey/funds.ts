import { refusal } from '../doors/replies.ts'
import type { Command } from '../doors/requests.ts'
import { failpoint } from '../failpoint.ts'
import type { Log } from '../log.ts'
import { ensureCustomers } from '../store/customers.ts'
import { inTransaction, type Sql } from '../store/database.ts'
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

export type FundsCommand = Extract<Command, { name: 'topup' | 'donate' | 'withdraw' }>

export interface FundsOptions {
  sql: Sql
  lightning: InvoiceMaker
  /** Undefined: nobody waits too long for an invoice. */
  line?: Pick<InvoiceLine, 'tooLong'>
  answers: Answers
  /** Undefined where the operator has switched withdrawals off. */
  withdraw?:
    | ((incoming: Incoming, command: Extract<Command, { name: 'withdraw' }>) => Promise<Answered>)
    | undefined
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
    if (!withdraw) return answers.reply.add({ incoming, reply: refusal('withdrawals_off') })
    const { customer } = incoming.to
    const refused = lines.refuses(customer)
    if (refused) return answers.reply.add({ incoming, reply: refusal(refused) })
    return lines.run(customer, () => withdraw(incoming, command))
  }

  async function sell(
    incoming: Incoming,
    { name: purpose, sats }: { name: 'topup' | 'donate'; sats: number },
  ): Promise<Answered> {
    if (await isLightningStopped(sql)) {
      return answers.reply.add({ incoming, reply: refusal('paused') })
    }
    const line = options.line?.tooLong(1)
    if (line) return answers.reply.add({ incoming, reply: refusal('busy', { ahead: line.ahead }) })
    const { customer } = incoming.to
    const refused = lines.refuses(customer)
    if (refused) return answers.reply.add({ incoming, reply: refusal(refused) })
    const invoice = await lines.run(customer, () => makeInvoice(purpose, sats))
    if (!invoice) return answers.reply.add({ incoming, reply: refusal('invoice_failed') })
    await failpoint('funds:invoice-made')
    const { to } = incoming
    const answered = await inTransaction(sql, async (tx) => {
      const fresh = await takeIn(tx, [incoming.message])
      if (fresh.size === 0) return { fresh: false, replies: [] }
      const { bolt11, expiresAt } = invoice
      await ensureCustomers(tx, [to.customer])
      const reply = { type: 'invoice', purpose, bolt11, chargeSats: sats, expiresAt }
      const [, replies] = await Promise.all([
        insertInvoices(tx, [{ ...invoice, purpose, jobId: null, to, amountSats: sats }]),
        putReplies(tx, [{ to, jobId: null, step: `${purpose}_invoice`, reply }], lease),
      ])
      await failpoint('funds:before-commit')
      return { fresh: true, replies }
    })
    await failpoint('funds:committed')
    options.invoiced()
    return answered
  }

  async function makeInvoice(purpose: 'topup' | 'donate', amountSats: number) {
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
