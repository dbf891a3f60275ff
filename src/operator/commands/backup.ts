import {
  CommandError,
  type CommandContext,
  type ExitStatus,
  grouped,
  withGround,
  withProgress,
} from '../../command.ts'
import { AUDIT_STATEMENT_MS } from '../../limits.ts'
import {
  advanceSequences,
  clearDefaults,
  gatherStatistics,
  insertRows,
  isUnused,
  readNumbered,
  readRows,
  readSchemaVersion,
  readTableOrder,
} from '../../store/backup.ts'
import { inTransaction, readOnly, type Sql, type Tx } from '../../store/database.ts'
import { version } from '../../version.ts'
import { type BackupPage, readBackup, writeBackup } from '../backup-file.ts'

export interface BackupOptions {
  file: string
  json?: boolean
}

/** Writes the books and everything around them to a file, as of one instant. The daemon may run. */
export async function backup(
  context: CommandContext,
  { file, json = false }: BackupOptions,
): Promise<ExitStatus> {
  const { terminal, clock } = context
  const at = new Date(clock.now()).toISOString()
  const write = (sql: Sql) =>
    readOnly(sql, async (tx) => {
      const schemaVersion = await readSchemaVersion(tx)
      return writeBackup(file, { version, schemaVersion, at }, pagesOf(tx))
    })
  const rows = await withGround(
    context,
    ({ sql }) => withProgress(context, 'Reading every table…', write(sql)),
    { statementTimeoutMs: AUDIT_STATEMENT_MS },
  )
  if (json) terminal.print(JSON.stringify({ file, rows, at }))
  else terminal.print(`${grouped(rows)} rows are in ${file}, as of ${at}. The bot's key is not.`)
  return 0
}

async function* pagesOf(tx: Tx): AsyncGenerator<BackupPage> {
  for (const table of await readTableOrder(tx)) {
    for await (const lines of readRows(tx, table)) yield { table, lines }
  }
}

/**
 * Fills an empty database from a backup, all of it in one transaction. Status 1 when the database is not empty,
 * the file is not whole, or another version of the schema made it.
 */
export async function restore(
  context: CommandContext,
  { file, json = false }: BackupOptions,
): Promise<ExitStatus> {
  const { terminal } = context
  const { head, pages } = await readBackup(file)
  const read = async (sql: Sql) => {
    const known = await readSchemaVersion(sql)
    if (known !== head.schemaVersion) {
      throw new CommandError(
        `${file} has schema ${head.schemaVersion}, this tithe has ${known}. ` +
          `Restore it with tithe ${head.version}, then start this one.`,
      )
    }
    return inTransaction(sql, (tx) => fill(tx, pages))
  }
  const rows = await withGround(
    context,
    ({ sql }) => withProgress(context, 'Writing every table…', read(sql)),
    { statementTimeoutMs: AUDIT_STATEMENT_MS, isBare: true },
  )
  if (json) terminal.print(JSON.stringify({ file, rows, at: head.at }))
  else {
    terminal.print(`${grouped(rows)} rows are back, as of ${head.at}.`)
    terminal.print('Now look: tithe audit, then tithe reconcile for what LNbits saw since.')
  }
  return 0
}

async function fill(tx: Tx, pages: AsyncIterable<BackupPage>): Promise<number> {
  if (!(await isUnused(tx))) {
    throw new CommandError('This database has been used; a backup is restored into a new one.')
  }
  await clearDefaults(tx)
  const known = new Set(await readTableOrder(tx))
  let rows = 0
  for await (const { table, lines } of pages) {
    if (!known.has(table)) throw new CommandError(`This tithe has no table ${table}.`)
    await insertRows(tx, table, lines)
    rows += lines.length
  }
  await advanceSequences(tx, await readNumbered(tx))
  await gatherStatistics(tx, [...known])
  return rows
}
