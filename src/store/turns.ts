import type { Sql } from './database.ts'

/**
 * Takes or keeps a turn: what only one replica should do at a time (the bulk question to LNbits, the pool
 * status). A holder that died or was paused loses it when its time is over; nothing depends on there being
 * exactly one, only courtesy to others does.
 */
export async function takeTurn(
  sql: Sql,
  name: string,
  holder: string,
  seconds: number,
): Promise<boolean> {
  const rows = await sql`
    insert into outbox_turns as t (name, holder, until)
    values (${name}, ${holder}, now() + make_interval(secs => ${seconds}))
    on conflict (name) do update set holder = excluded.holder, until = excluded.until
    where t.holder = excluded.holder or t.until < now()
    returning name`
  return rows.length > 0
}

/** Ends one turn of this holder before its time, so that the next in line need not wait it out. */
export async function leaveTurn(sql: Sql, name: string, holder: string): Promise<void> {
  await sql`delete from outbox_turns where name = ${name} and holder = ${holder}`
}

/** Gives a turn back at shutdown, so that another replica goes on at once. */
export async function leaveTurns(sql: Sql, holder: string): Promise<void> {
  await sql`delete from outbox_turns where holder = ${holder}`
}
