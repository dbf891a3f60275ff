import { addUpBooks, type Books, owedTo } from '../../books.ts'
import {
  type CommandContext,
  type ExitStatus,
  inSats,
  withGround,
  withProgress,
} from '../../command.ts'
import type { Ground } from '../../ground.ts'
import { AUDIT_STATEMENT_MS } from '../../limits.ts'
import { DRIFT_ROWS } from '../../store/audit.ts'
import type { SealCheck } from '../../store/seals.ts'

/** Rows of a list that are shown; the rest is counted. */
const SHOWN = 10

/**
 * Adds up every account, recomputes every seal and prints one screen, or with `all` every account with a
 * drift. Status 1 on any drift, broken rule or broken seal, so that a watchdog needs nothing but the status.
 */
export async function audit(
  context: CommandContext,
  { json = false, all = false }: { json?: boolean; all?: boolean } = {},
): Promise<ExitStatus> {
  const { terminal } = context
  const adding = (ground: Ground) =>
    addUpBooks(ground.sql, all ? { driftRows: Number.MAX_SAFE_INTEGER } : {})
  const books = await withGround(
    context,
    (ground) => withProgress(context, 'Adding up every account…', adding(ground)),
    { statementTimeoutMs: AUDIT_STATEMENT_MS },
  )
  if (json) terminal.print(JSON.stringify(books))
  else for (const line of linesOf(books, all)) terminal.print(line)
  return books.ok ? 0 : 1
}

function linesOf({ balances, drift, breaches, driftSats, seals, ok }: Books, all: boolean) {
  const row = (sign: string, who: string, sats: number) =>
    `${sign} ${who.padEnd(14)}${inSats(sats).padStart(20)}`
  const drifts = drift.map(
    (d) => `${d.account} holds ${d.storedSats}, its transfers say ${d.bookedSats}`,
  )
  return [
    row(' ', 'on Lightning', balances.lightningSats),
    ...owedTo(balances).map(([who, sats], place) => row(place === 0 ? '=' : '+', who, sats)),
    '',
    ...(all ? drifts : shortened(drifts)),
    ...shortened(breaches.map(({ rule, rows }) => `broken in ${rows} rows: ${rule}`)),
    ...sealLines(seals),
    ok
      ? 'Every account is the sum of its transfers: drift 0 sats, every rule holds.'
      : `The books do not add up: drift ${inSats(driftSats)}, ${count(drift.length, 'account')} ` +
        `and ${count(breaches.length, 'rule')}. Stop the daemon and look before it goes on.`,
  ]
}

/** The last hash is shown to be written down: it is what a chain written anew cannot have. */
function sealLines({ seals, sealedRows, unsealedRows, head, brokenAt }: SealCheck): string[] {
  if (brokenAt) {
    const [transfers, grants] = [brokenAt.transfers.join(' to '), brokenAt.grants.join(' to ')]
    return [
      `seal ${brokenAt.seal} is broken: something was changed after it was booked, ` +
        `in transfers ${transfers} or grants ${grants}`,
    ]
  }
  const since = unsealedRows > 0 ? `, ${unsealedRows} not sealed yet` : ''
  return [
    `${count(sealedRows, 'row')} under ${count(seals, 'seal')}${since}`,
    ...(head === null ? [] : [`last seal ${head}`]),
  ]
}

function shortened(lines: readonly string[]): string[] {
  const more = lines.length - SHOWN
  const many = lines.length === DRIFT_ROWS ? `at least ${more}` : more
  return [...lines.slice(0, SHOWN), ...(more > 0 ? [`and ${many} more`] : [])]
}

const count = (many: number, noun: string) => `${many} ${noun}${many === 1 ? '' : 's'}`
