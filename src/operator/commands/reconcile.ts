import {
  type CommandContext,
  CommandError,
  type ExitStatus,
  inSats,
  withGround,
  withProgress,
} from '../../command.ts'
import { LnbitsError } from '../../lightning/lnbits-error.ts'
import { ALL_SATS, AUDIT_STATEMENT_MS } from '../../limits.ts'
import { parseSats } from '../../money/sats.ts'
import { inTransaction } from '../../store/database.ts'
import { declareFloat } from '../../store/solvency.ts'
import {
  type Difference,
  type DifferenceKind,
  type Reconciliation,
  reconcile,
  type ReconcileOptions,
} from '../reconcile.ts'
import { instant, table } from '../screen.ts'

export interface ReconcileCommandOptions {
  lightning: ReconcileOptions['lightning']
  /** A UTC day; 30 days back when it is not said. */
  since?: string
  /** The operator's own sats in LNbits from now on. */
  adopt?: string
  reason?: string
  json?: boolean
}

const SINCE_DAYS = 30
const DAY_MS = 86_400_000

/**
 * Compares LNbits' books with the ledger, both ways, and prints every difference. Status 1 on any. With `adopt` it
 * first notes what of the wallet is the operator's own.
 */
export async function reconcileBooks(
  context: CommandContext,
  { lightning, since: day, adopt, reason, json = false }: ReconcileCommandOptions,
): Promise<ExitStatus> {
  const { terminal, clock } = context
  const since = readDay(day) ?? Math.floor((clock.now() - SINCE_DAYS * DAY_MS) / 1000)
  const floatSats = adopt === undefined ? undefined : readFloat(adopt)
  const walk = async (): Promise<Reconciliation> =>
    withGround(
      context,
      async ({ sql }) => {
        if (floatSats !== undefined) {
          const why = reason ?? 'tithe reconcile --adopt'
          const before = await inTransaction(sql, (tx) =>
            declareFloat(tx, { floatSats, reason: why }),
          )
          terminal.tell(
            `The operator's own sats in LNbits: ${inSats(floatSats)}` +
              (before === null ? '.' : `, ${inSats(before)} before.`),
          )
        }
        const walking = reconcile({ sql, lightning, clock, since })
        return withProgress(context, 'Walking both books…', walking)
      },
      { statementTimeoutMs: AUDIT_STATEMENT_MS },
    )
  const found = await walk().catch((error: unknown) => {
    if (!(error instanceof LnbitsError)) throw error
    throw new CommandError(`LNbits does not answer (${error.kind}); nothing was compared.`)
  })
  const ok = found.differences.length === 0
  if (json) terminal.print(JSON.stringify({ ok, ...found }))
  else for (const line of linesOf(found)) terminal.print(line)
  return ok ? 0 : 1
}

const IN_WORDS: Record<DifferenceKind, string> = {
  received_not_booked: 'paid to an invoice of ours, not booked',
  received_unknown: 'received, no invoice of ours',
  booked_not_received: 'booked as paid, LNbits says it is not',
  received_otherwise: 'received with other figures',
  sent_not_booked: 'left LNbits, no withdrawal says so',
  booked_not_sent: 'booked as paid out, LNbits says it is not',
  sent_otherwise: 'paid out with other figures',
  balance: 'the balance is not the sum',
}

function linesOf(found: Reconciliation): string[] {
  const { balance, differences, compared, since } = found
  return [
    `since ${instant(since)} UTC: ${compared.lnbits} rows of LNbits, ${compared.invoices} invoices, ` +
      `${compared.withdrawals} withdrawals`,
    `LNbits holds ${inSats(balance.lnbitsSats)}; the ledger says ${inSats(balance.ledgerSats)}, ` +
      (balance.floatSats === null
        ? "the operator's own are not noted yet"
        : `${inSats(balance.floatSats)} are the operator's own`) +
      (balance.inFlightSats > 0 ? `, up to ${inSats(balance.inFlightSats)} are on their way` : ''),
    ...(differences.length === 0
      ? ['Both books say the same.']
      : ['', ...table(differences.map(cells)), '', ...advice(found)]),
  ]
}

const cells = ({ kind, lnbitsSats, bookedSats, paymentHash, withdrawalId, at }: Difference) => [
  IN_WORDS[kind],
  `LNbits ${lnbitsSats ?? '-'}`,
  `ledger ${bookedSats ?? '-'}`,
  at === undefined ? '' : instant(at),
  withdrawalId === undefined ? '' : `withdrawal ${withdrawalId}`,
  paymentHash ?? '',
]

function advice({ balance, differences }: Reconciliation): string[] {
  const { driftSats, floatSats } = balance
  const count = `${differences.length} ${differences.length === 1 ? 'difference' : 'differences'}.`
  if (driftSats === 0 || floatSats === null) return [count]
  const own = floatSats + driftSats
  return [
    driftSats > 0
      ? `${count} LNbits has ${inSats(driftSats)} too many.`
      : `${count} LNbits lacks ${inSats(-driftSats)}: pay them in again, or say that they were yours.`,
    own < 0
      ? 'They are more than your own: without them customers cannot be paid out.'
      : `If you moved them yourself: tithe reconcile --adopt ${own} --reason TEXT`,
  ]
}

function readDay(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  if (!Number.isNaN(ms)) return Math.floor(ms / 1000)
  throw new CommandError('--since takes a day as 2026-01-31; days are UTC.', { status: 2 })
}

function readFloat(text: string): number {
  const sats = parseSats(text)
  if (sats !== null && sats <= ALL_SATS) return sats
  throw new CommandError('--adopt takes digits alone, in whole sats.', { status: 2 })
}
