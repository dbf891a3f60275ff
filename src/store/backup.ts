import type { AnySql, Tx } from './database.ts'

/*
 * A backup is the rows of every table, as the server itself writes them as JSON: no digit of a number and no
 * microsecond of a time passes through anything that could round it, and it needs no tools of the server's own
 * version. Read in one snapshot, it is the books of one instant, whatever the daemon does meanwhile.
 */

/** What only says who does what at this moment. */
const PASSING = ['schema_migrations', 'outbox_turns', 'outbox_replicas']

/** Tables in an order in which each comes after those it refers to. */
export async function readTableOrder(sql: AnySql): Promise<string[]> {
  const tables = await sql<{ name: string }[]>`
    select c.relname as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname = current_schema() and c.relname <> all(${PASSING}::text[])
    order by c.relname`.execute()
  const references = await sql<{ name: string; target: string }[]>`
    select conrelid::regclass::text as name, confrelid::regclass::text as target
    from pg_constraint where contype = 'f' and connamespace = current_schema()::regnamespace`.execute()
  const order: string[] = []
  const visit = (name: string) => {
    if (order.includes(name)) return
    for (const { target } of references.filter((it) => it.name === name && it.target !== name)) {
      visit(target)
    }
    order.push(name)
  }
  for (const { name } of tables) visit(name)
  return order
}

/** The rows of one table as JSON texts, a page at a time. Call it in a snapshot. */
export async function* readRows(tx: Tx, table: string): AsyncGenerator<string[]> {
  await tx`
    declare backup no scroll cursor for
    select row_to_json(t)::text as line from ${tx(table)} t`.execute()
  for (;;) {
    // FETCH takes no parameters.
    const rows = await tx<{ line: string }[]>`fetch 1000 from backup`.execute()
    if (rows.length === 0) break
    yield rows.map((row) => row.line)
  }
  await tx`close backup`.execute()
}

/** Version of the schema, as its migrations count it. */
export async function readSchemaVersion(sql: AnySql): Promise<number> {
  const [row] = await sql<{ version: number }[]>`
    select coalesce(max(version), 0) as version from schema_migrations`.execute()
  return row?.version ?? 0
}

/** Whether nothing was ever booked here: only such a database is filled from a backup. */
export async function isUnused(sql: AnySql): Promise<boolean> {
  const [row] = await sql<{ unused: boolean }[]>`
    select not exists (select 1 from transfers) and not exists (select 1 from customers)
      and not exists (select 1 from timmy_config) as unused`.execute()
  return row?.unused ?? false
}

/** Takes away what the migrations put into a new database. */
export async function clearDefaults(tx: Tx): Promise<void> {
  await tx`delete from accounts`.execute()
  await tx`delete from outbox_status`.execute()
}

/** Inserts rows as they were read; ids that the database gives out stay what they were. */
export async function insertRows(tx: Tx, table: string, lines: readonly string[]): Promise<void> {
  const text = `[${lines.join(',')}]`
  await tx`
    insert into ${tx(table)} overriding system value
    select r.* from json_populate_recordset(null::${tx(table)}, ${text}::text::json) r`.execute()
}

/** Makes every sequence go on after the highest id that was inserted. */
export async function advanceSequences(tx: Tx, tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    await tx`
      select setval(s.name, greatest((select max(id) from ${tx(table)}), 1),
        exists (select 1 from ${tx(table)}))
      from (select pg_get_serial_sequence(${table}, 'id') as name) s
      where s.name is not null`.execute()
  }
}

/** Tells the planner what was inserted; it would take the tables for small until the server does so itself. */
export async function gatherStatistics(tx: Tx, tables: readonly string[]): Promise<void> {
  for (const table of tables) await tx`analyze ${tx(table)}`.execute()
}

/** Tables whose ids the database gives out. */
export async function readNumbered(sql: AnySql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select table_name as name from information_schema.columns
    where table_schema = current_schema() and column_name = 'id' and is_identity = 'YES'
    order by table_name`.execute()
  return rows.map((row) => row.name)
}
