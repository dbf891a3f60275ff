-- The books: three system accounts and immutable transfers between accounts, so that every sat has a cause.
-- Accounts of customers and of jobs keep their balance in their own row (customers.balance_sats, jobs.held_sats,
-- withdrawals.held_sats); the names in transfers are 'pool', 'operator', 'lightning', 'customer:<pubkey>',
-- 'job:<id>' and 'withdrawal:<id>'.
create table accounts (
  name text constraint accounts_pk primary key
    constraint accounts_name check (name in ('pool', 'operator', 'lightning')),
  -- Lightning is an asset (what LNbits holds for us), the others are what it is owed to:
  -- lightning = pool + operator + customers + holds, at every commit.
  balance_sats bigint not null default 0,
  constraint accounts_floor check (name = 'operator' or balance_sats >= 0)
) with (fillfactor = 10);
insert into accounts (name) values ('pool'), ('operator'), ('lightning');

create table transfers (
  id bigint generated always as identity constraint transfers_pk primary key,
  kind text not null constraint transfers_kind check (kind in (
    'seed', 'pool_add', 'donation', 'top_up', 'payment', 'late_payment', 'incoming_fee',
    'reserve', 'hold', 'earned', 'shortfall', 'returned', 'refund', 'credit',
    'withdraw_hold', 'withdrawn', 'withdraw_fee', 'withdraw_returned')),
  debit text not null,
  credit text not null,
  sats bigint not null constraint transfers_sats check (sats > 0),
  -- The cause: a job, or the name of what else moved the money ('invoice:<hash>', 'withdrawal:<id>', 'boot').
  job_id bigint,
  ref text,
  -- UTC day of the database clock; for 'returned' the day the reservation was taken from.
  day date not null,
  at timestamptz not null default now(),
  constraint transfers_two_accounts check (debit <> credit),
  constraint transfers_cause check (num_nonnulls(job_id, ref) = 1)
);
-- A movement of a kind happens once per cause, whatever the caller repeats.
create unique index transfers_once_per_job on transfers (job_id, kind) where job_id is not null;
create unique index transfers_once_per_ref on transfers (ref, kind) where ref is not null;

-- What the pool gave, with the true figures, written at settlement. Insert-only.
create table free_tier_grants (
  id bigint generated always as identity constraint free_tier_grants_pk primary key,
  job_id bigint not null constraint free_tier_grants_once unique,
  customer text not null,
  tier text not null constraint free_tier_grants_tier check (tier in ('new', 'established', 'trusted', 'elite')),
  source text not null constraint free_tier_grants_source check (source in ('earned', 'granted', 'list', 'rank')),
  -- The day the reservation was taken from, which is the day whose budget it counts against.
  day date not null,
  reserved_sats bigint not null,
  absorbed_sats bigint not null,
  at timestamptz not null default now(),
  constraint free_tier_grants_sats check (absorbed_sats between 0 and reserved_sats)
);

create function refuse_rewriting() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger transfers_append_only before update or delete or truncate on transfers
  for each statement execute function refuse_rewriting();
create trigger free_tier_grants_append_only before update or delete or truncate on free_tier_grants
  for each statement execute function refuse_rewriting();

-- A chain over what was written: each seal covers the rows since the last one, so that a later edit by
-- whoever can switch triggers off no longer matches (`tithe audit` recomputes it).
create table ledger_seals (
  id bigint generated always as identity constraint ledger_seals_pk primary key,
  transfers_to bigint not null,
  grants_to bigint not null,
  hash text not null constraint ledger_seals_hash check (hash ~ '^[0-9a-f]{64}$'),
  at timestamptz not null default now()
);
create trigger ledger_seals_append_only before update or delete or truncate on ledger_seals
  for each statement execute function refuse_rewriting();

-- One row per UTC day: the breaker's opening balance and what the day gave and got. Counters are
-- written in the transaction that moves the sats.
create table pool_days (
  day date constraint pool_days_pk primary key,
  opening_sats bigint not null,
  -- Reservations in flight and what settled jobs really absorbed, less what came back.
  absorbed_sats bigint not null default 0 constraint pool_days_absorbed check (absorbed_sats >= 0),
  credited_sats bigint not null default 0 constraint pool_days_credited check (credited_sats >= 0),
  shortfall_sats bigint not null default 0 constraint pool_days_shortfall check (shortfall_sats >= 0),
  free_count integer not null default 0,
  partial_count integer not null default 0,
  paid_count integer not null default 0
) with (fillfactor = 10);

-- What the operator switches at run time (pool paused, budgets overridden) and when the pool was seeded.
create table timmy_config (
  key text constraint timmy_config_pk primary key,
  value jsonb not null,
  updated_at timestamptz not null default now()
);
