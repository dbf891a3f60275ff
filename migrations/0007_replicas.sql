-- What each running replica last said of itself, so that a command shows relays and LNbits as the daemon sees them.
create table outbox_replicas (
  holder text constraint outbox_replicas_pk primary key,
  version text not null,
  started_at timestamptz not null,
  -- A replica whose word is older than a minute is not running, whatever it said.
  seen_at timestamptz not null default now(),
  -- Relays of the operator, LNbits, backend, status port: addresses and states, no customer and no key.
  facts jsonb not null
) with (fillfactor = 50);
