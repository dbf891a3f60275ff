-- What came in and what goes out. Only these tables change when somebody merely asks.
create table inbox (
  -- The rumor's own time and its recomputed id. The id commits to the author and the time, so this key is as
  -- unique as (sender, rumor id) and grows at its right edge.
  rumor_at bigint not null,
  rumor_id text not null,
  sender text not null,
  via text not null constraint inbox_via check (via in ('nip17', 'nip04', 'nip90')),
  -- The relay it came by: the last resort when the customer names no relays.
  relay text,
  -- The seal (NIP-59) or the signed event: the only proof of who asked.
  proof text,
  seen_at timestamptz not null default now(),
  constraint inbox_pk primary key (rumor_at, rumor_id)
);

-- Until when a subscription on a relay is known to have been complete.
create table inbox_cursors (
  relay text not null,
  stream text not null,
  live_until bigint not null,
  constraint inbox_cursors_pk primary key (relay, stream)
);

-- Messages refused for their shape, by hash, so that they are looked at once.
create table inbox_quarantine (
  hash text constraint inbox_quarantine_pk primary key,
  reason text not null,
  seen_at timestamptz not null default now()
);

-- One row per reply.
create table outbox (
  id bigint generated always as identity constraint outbox_pk primary key,
  customer text not null,
  via text not null constraint outbox_via check (via in ('nip17', 'nip04', 'nip90')),
  form text not null constraint outbox_form check (form in ('json', 'words')),
  program_id text,
  job_id bigint,
  -- One distinct reply per step of a job.
  step text not null,
  -- The request it answers; null for an alert.
  rumor_at bigint,
  rumor_id text,
  -- The reply as data; it becomes words when it is signed.
  reply jsonb not null,
  created_at timestamptz not null default now(),
  -- Set when at least one relay said OK; the rest is tried on until give_up_at.
  delivered_at timestamptz,
  give_up_at timestamptz not null,
  due_at timestamptz,
  lease text,
  epoch integer not null default 0,
  tries integer not null default 0,
  last_error text,
  constraint outbox_step unique (job_id, step)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200);
create index outbox_due on outbox (due_at) where due_at is not null;
-- For what is told once a day.
create index outbox_told on outbox (customer, created_at) where step = 'too_old';

-- A signed, wrapped event, byte for byte: published again as stored, so that a retry is never a second message.
create table outbox_events (
  outbox_id bigint not null constraint outbox_events_reply references outbox (id) on delete cascade,
  part integer not null,
  event_id text not null,
  event_json text not null,
  constraint outbox_events_pk primary key (outbox_id, part)
);

-- One row per event and relay.
create table outbox_publications (
  outbox_id bigint not null,
  part integer not null,
  relay text not null,
  acknowledged_at timestamptz,
  -- Final: this relay will never take it.
  refused_at timestamptz,
  last_error text,
  constraint outbox_publications_pk primary key (outbox_id, part, relay),
  constraint outbox_publications_event foreign key (outbox_id, part)
    references outbox_events (outbox_id, part) on delete cascade
);

-- Whose turn it is among the replicas to do what only one should do at a time.
create table outbox_turns (
  name text constraint outbox_turns_pk primary key,
  holder text not null,
  until timestamptz not null
);

-- The last pool status: dates must grow even when two fall into one second, and across restarts.
create table outbox_status (
  only_row boolean constraint outbox_status_pk primary key default true
    constraint outbox_status_single check (only_row),
  published_at bigint not null default 0,
  sequence bigint not null default 0
);
insert into outbox_status default values;
