import { addUpBooks, type Books, owedTo } from '../../books.ts'
import {
  type CommandContext,
  type ExitStatus,
  inSats,
  withGround,
  withProgress,
} from '../../command.ts'

/** Rows of a list that are shown; the rest is counted. */
const SHOWN = 10

/**
 * Adds up every account and prints one screen. Status 1 on any drift or broken rule, so that a
 * watchdog needs nothing but the status.
 */
export async function audit(
  context: CommandContext,
  { json = false }: { json?: boolean } = {},
): Promise<ExitStatus> {
  const { terminal } = context
  const books = await withGround(context, ({ sql }) =>
    withProgress(context, 'Adding up every account…', addUpBooks(sql)),
  )
  const ok = books.driftSats === 0 && books.drift.length === 0 && books.breaches.length === 0
  if (json) terminal.print(JSON.stringify({ ok, ...books }))
  else for (const line of linesOf(books, ok)) terminal.print(line)
  return ok ? 0 : 1
}

function linesOf({ balances, drift, breaches, driftSats }: Books, ok: boolean): string[] {
  const row = (sign: string, who: string, sats: number) =>
    `${sign} ${who.padEnd(14)}${inSats(sats).padStart(20)}`
  return [
    row(' ', 'on Lightning', balances.lightningSats),
    ...owedTo(balances).map(([who, sats], place) => row(place === 0 ? '=' : '+', who, sats)),
    '',
    ...shortened(
      drift,
      (d) => `${d.account} holds ${d.storedSats}, its transfers say ${d.bookedSats}`,
    ),
    ...shortened(breaches, ({ rule, rows }) => `broken in ${rows} rows: ${rule}`),
    ok
      ? 'Every account is the sum of its transfers: drift 0 sats, every rule holds.'
      : `The books do not add up: drift ${inSats(driftSats)}, ${count(drift.length, 'account')} ` +
        `and ${count(breaches.length, 'rule')}. Stop the daemon and look before it goes on.`,
  ]
}

function shortened<T>(rows: readonly T[], line: (row: T) => string): string[] {
  const more = rows.length - SHOWN
  return [...rows.slice(0, SHOWN).map(line), ...(more > 0 ? [`and ${more} more`] : [])]
}

const count = (many: number, noun: string) => `${many} ${noun}${many === 1 ? '' : 's'}`
