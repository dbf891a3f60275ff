import type { AnySql } from './database.ts'

/** May write the books and not rewrite them; made by `migrations/0006_role.sql` where that was allowed. */
export const APP_ROLE = 'tithe_app'

/**
 * Whether sessions of this database can work as APP_ROLE: it exists, this user may take it on, and its rights
 * here are what the migration gave it. A database restored without them, or whose owner may not make roles,
 * answers no.
 */
export async function canTakeAppRole(sql: AnySql): Promise<boolean> {
  const [row] = await sql<{ can: boolean }[]>`
    with own as (
      select c.oid, c.relkind, c.relname in ('transfers', 'free_tier_grants', 'ledger_seals') as is_book,
        c.relname = 'schema_migrations' as is_version
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'S') and n.nspname = current_schema()
    )
    select
      pg_has_role(current_user, r.oid, case
        when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end)
      and (
        select bool_and(
          has_table_privilege(r.oid, oid, 'select')
          and has_table_privilege(r.oid, oid, 'insert') = not is_version
          and has_table_privilege(r.oid, oid, 'update') = not (is_book or is_version))
        from own where relkind = 'r'
      )
      and (select bool_and(has_sequence_privilege(r.oid, oid, 'usage')) from own where relkind = 'S')
      as can
    from pg_roles r where r.rolname = ${APP_ROLE}`
  return row?.can ?? false
}
