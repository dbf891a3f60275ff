-- The daemon's own role: it may write the books and never rewrite them, whatever a bug or an injection asks for.
-- Roles belong to the server and not to one database, so another tithe may have made it already; and whoever
-- migrates may not be allowed to make roles. Then everything goes on as the connected role, for which the
-- triggers of 0001_ledger.sql hold all the same.
do $$
begin
  create role tithe_app nologin;
exception
  -- It is there, is being made at this moment, or may not be made.
  when others then null;
end $$;

do $$
begin
  -- Explicitly, because since version 16 making a role does not include the right to take it on.
  if not (select rolsuper from pg_roles where rolname = current_user) then
    execute format('grant tithe_app to %I', current_user);
  end if;
exception
  when others then null;
end $$;

do $$
declare
  own_schema constant name := current_schema();
  take_on constant text :=
    case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
begin
  -- Only for a role that this owner may take on: a stranger's of that name gets nothing of this database.
  if not exists (
    select from pg_roles where rolname = 'tithe_app' and pg_has_role(current_user, oid, take_on)
  ) then
    return;
  end if;
  execute format('grant usage on schema %I to tithe_app', own_schema);
  execute format('grant select, insert, update, delete on all tables in schema %I to tithe_app', own_schema);
  execute format('grant usage, select on all sequences in schema %I to tithe_app', own_schema);
  revoke update, delete on transfers, free_tier_grants, ledger_seals from tithe_app;
  revoke insert, update, delete on schema_migrations from tithe_app;
  -- What later migrations make is for the daemon too, unless they say otherwise.
  execute format(
    'alter default privileges in schema %I grant select, insert, update, delete on tables to tithe_app', own_schema);
  execute format(
    'alter default privileges in schema %I grant usage, select on sequences to tithe_app', own_schema);
end $$;
