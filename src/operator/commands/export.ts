import { CommandError, type CommandContext, type ExitStatus, withGround } from '../../command.ts'
import { AUDIT_STATEMENT_MS } from '../../limits.ts'
import { npub } from '../../nostr/identity.ts'
import { type ExportLine, readExport, readExportSpan } from '../../store/export.ts'

export interface ExportOptions {
  /** UTC days, both included; the whole of the books without them. */
  from?: string
  to?: string
  json?: boolean
}

/**
 * Prints the books for a tax adviser as CSV, or as one JSON object per line: one line for each job that was
 * settled and for each top-up, late payment, donation and withdrawal, by the UTC time it was booked.
 */
export async function exportBooks(
  context: CommandContext,
  { from, to, json = false }: ExportOptions,
): Promise<ExitStatus> {
  const [first, last] = [readDay(from, '--from'), readDay(to, '--to')]
  if (first && last && first > last) {
    throw new CommandError('--from is later than --to.', { status: 2 })
  }
  const { terminal } = context
  if (!json) terminal.print(COLUMNS.map(([name]) => name).join(','))
  let count = 0
  const body = async (sql: Parameters<typeof readExport>[0]) => {
    const span = await readExportSpan(sql)
    if (!span) return
    const end = last ?? span.last
    let day = first && first > span.first ? first : span.first
    while (day <= end && day <= span.last) {
      const until = [addDays(day, CHUNK_DAYS - 1), end].toSorted()[0] ?? end
      for (const line of await readExport(sql, { from: day, to: until })) {
        terminal.print(json ? JSON.stringify(viewOf(line)) : csvOf(line))
        count += 1
      }
      day = addDays(until, 1)
    }
  }
  await withGround(context, ({ sql }) => body(sql), { statementTimeoutMs: AUDIT_STATEMENT_MS })
  terminal.tell(`${count} ${count === 1 ? 'line' : 'lines'}; times are UTC, amounts are sats.`)
  return 0
}

/** Days read at a time: a busy month stays below a hundred megabytes. */
const CHUNK_DAYS = 7

function readDay(text: string | undefined, flag: string): string | undefined {
  if (text === undefined) return undefined
  const valid = /^\d{4}-\d\d-\d\d$/.test(text) && addDays(text, 0) === text
  if (valid) return text
  throw new CommandError(`${flag} takes a day as 2026-01-31; days are UTC.`, { status: 2 })
}

/** The UTC day so many days later; an empty text for a day that does not exist. */
function addDays(day: string, days: number): string {
  const ms = Date.parse(`${day}T00:00:00Z`) + days * 86_400_000
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString().slice(0, 10)
}

/** What a charge was worth when the job was quoted, in USD with six decimals. */
const usdOf = (sats: number, usdPerBtc: number | null): string =>
  usdPerBtc === null ? '' : ((sats * usdPerBtc) / 1e8).toFixed(6)

const COLUMNS: [name: string, value: (line: ExportLine) => string | number][] = [
  ['time_utc', (line) => line.at],
  ['kind', (line) => line.kind],
  ['id', (line) => line.id],
  ['customer', (line) => npub(line.customer)],
  ['model', (line) => line.model ?? ''],
  ['received_sats', (line) => line.receivedSats],
  ['from_balance_sats', (line) => line.fromBalanceSats],
  ['charged_sats', (line) => line.chargedSats],
  ['to_balance_sats', (line) => line.toBalanceSats],
  ['from_pool_sats', (line) => line.fromPoolSats],
  ['to_pool_sats', (line) => line.toPoolSats],
  ['shortfall_sats', (line) => line.shortfallSats],
  ['sent_sats', (line) => line.sentSats],
  ['fee_sats', (line) => line.feeSats],
  ['usd_per_btc', (line) => line.usdPerBtc ?? ''],
  ['charged_usd', (line) => usdOf(line.chargedSats, line.usdPerBtc)],
]

const csvOf = (line: ExportLine): string =>
  COLUMNS.map(([, value]) => cell(String(value(line)))).join(',')

/** RFC 4180; a model's name that a spreadsheet would take for a formula is made a text. */
function cell(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain
}

function viewOf(line: ExportLine) {
  const { customer, usdPerBtc, chargedSats } = line
  const usd = usdOf(chargedSats, usdPerBtc)
  return { ...line, npub: npub(customer), chargedUsd: usd === '' ? null : Number(usd) }
}
