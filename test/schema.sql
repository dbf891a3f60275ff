-- Written by `npm run schema` from migrations/.

create table accounts (
  name text not null,
  balance_sats bigint not null default 0,
  constraint accounts_pk PRIMARY KEY (name),
  constraint accounts_floor CHECK (name = 'operator'::text OR balance_sats >= 0),
  constraint accounts_name CHECK (name = ANY (ARRAY['pool'::text, 'operator'::text, 'lightning'::text]))
) with (fillfactor=10);

create table customer_days (
  customer text not null,
  day date not null,
  absorbed_sats bigint not null default 0,
  net_paid_sats bigint not null default 0,
  shortfall_sats bigint not null default 0,
  constraint customer_days_pk PRIMARY KEY (customer, day),
  constraint customer_days_absorbed CHECK (absorbed_sats >= 0),
  constraint customer_days_net_paid CHECK (net_paid_sats >= 0),
  constraint customer_days_shortfall CHECK (shortfall_sats >= 0)
) with (fillfactor=70);

create table customers (
  pubkey text not null,
  balance_sats bigint not null default 0,
  granted_tier text,
  granted_source text,
  banned_at timestamp with time zone,
  ban_reason text,
  first_paid_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  door text,
  constraint customers_pk PRIMARY KEY (pubkey),
  constraint customers_balance CHECK (balance_sats >= 0),
  constraint customers_door CHECK (door = ANY (ARRAY['nip17'::text, 'nip04'::text, 'nip90'::text, 'several'::text])),
  constraint customers_granted CHECK ((granted_tier IS NULL) = (granted_source IS NULL)),
  constraint customers_granted_source CHECK (granted_source = ANY (ARRAY['granted'::text, 'list'::text, 'rank'::text])),
  constraint customers_granted_tier CHECK (granted_tier = ANY (ARRAY['new'::text, 'established'::text, 'trusted'::text, 'elite'::text])),
  constraint customers_pubkey CHECK (pubkey ~ '^[0-9a-f]{64}$'::text)
) with (fillfactor=70);

create table free_tier_grants (
  id bigint not null generated always as identity,
  job_id bigint not null,
  customer text not null,
  tier text not null,
  source text not null,
  day date not null,
  reserved_sats bigint not null,
  absorbed_sats bigint not null,
  at timestamp with time zone not null default now(),
  constraint free_tier_grants_pk PRIMARY KEY (id),
  constraint free_tier_grants_once UNIQUE (job_id),
  constraint free_tier_grants_sats CHECK (absorbed_sats >= 0 AND absorbed_sats <= reserved_sats),
  constraint free_tier_grants_source CHECK (source = ANY (ARRAY['earned'::text, 'granted'::text, 'list'::text, 'rank'::text])),
  constraint free_tier_grants_tier CHECK (tier = ANY (ARRAY['new'::text, 'established'::text, 'trusted'::text, 'elite'::text]))
);

create table inbox (
  rumor_at bigint not null,
  rumor_id text not null,
  sender text not null,
  via text not null,
  relay text,
  proof text,
  seen_at timestamp with time zone not null default now(),
  constraint inbox_pk PRIMARY KEY (rumor_at, rumor_id),
  constraint inbox_via CHECK (via = ANY (ARRAY['nip17'::text, 'nip04'::text, 'nip90'::text]))
);

create table inbox_cursors (
  relay text not null,
  stream text not null,
  live_until bigint not null,
  constraint inbox_cursors_pk PRIMARY KEY (relay, stream)
);

create table inbox_quarantine (
  hash text not null,
  reason text not null,
  seen_at timestamp with time zone not null default now(),
  constraint inbox_quarantine_pk PRIMARY KEY (hash)
);

create table invoices (
  payment_hash text not null,
  state text not null default 'open'::text,
  purpose text not null,
  customer text not null,
  job_id bigint,
  via text not null,
  form text not null,
  program_id text,
  rumor_at bigint not null,
  rumor_id text not null,
  amount_sats bigint not null,
  bolt11 text not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  paid_at timestamp with time zone,
  fee_sats bigint not null default 0,
  look_at timestamp with time zone,
  constraint invoices_pk PRIMARY KEY (payment_hash),
  constraint invoices_amount CHECK (amount_sats > 0),
  constraint invoices_customer FOREIGN KEY (customer) REFERENCES customers(pubkey),
  constraint invoices_fee CHECK (fee_sats >= 0),
  constraint invoices_form CHECK (form = ANY (ARRAY['json'::text, 'words'::text])),
  constraint invoices_hash CHECK (payment_hash ~ '^[0-9a-f]{64}$'::text),
  constraint invoices_job UNIQUE (job_id),
  constraint invoices_job_ref FOREIGN KEY (job_id) REFERENCES jobs(id),
  constraint invoices_paid CHECK ((state = 'paid'::text) = (paid_at IS NOT NULL)),
  constraint invoices_purpose CHECK (purpose = ANY (ARRAY['job'::text, 'topup'::text, 'donate'::text])),
  constraint invoices_purpose_job CHECK ((purpose = 'job'::text) = (job_id IS NOT NULL)),
  constraint invoices_state CHECK (state = ANY (ARRAY['open'::text, 'expired'::text, 'paid'::text, 'given_up'::text])),
  constraint invoices_via CHECK (via = ANY (ARRAY['nip17'::text, 'nip04'::text, 'nip90'::text]))
) with (fillfactor=70);
CREATE INDEX invoices_watched ON public.invoices USING btree (look_at) WHERE (look_at IS NOT NULL);

create table job_texts (
  job_id bigint not null,
  request text not null,
  result text,
  constraint job_texts_pk PRIMARY KEY (job_id)
);

create table jobs (
  id bigint not null generated always as identity,
  state text not null,
  reason text,
  customer text not null,
  via text not null,
  form text not null,
  program_id text,
  rumor_at bigint not null,
  rumor_id text not null,
  request_hash text not null,
  model text not null,
  tier text not null,
  tier_source text not null,
  serve text not null,
  paid_from text,
  estimated_sats bigint not null,
  charge_sats bigint not null,
  promised_sats bigint not null default 0,
  reserved_sats bigint not null default 0,
  reserved_day date,
  paid_sats bigint not null default 0,
  held_sats bigint not null default 0,
  free_tier boolean not null default false,
  actual_sats bigint,
  absorbed_sats bigint not null default 0,
  refund_sats bigint not null default 0,
  shortfall_sats bigint not null default 0,
  usd_per_btc double precision,
  input_tokens integer not null,
  output_tokens integer not null,
  used_input_tokens integer,
  used_output_tokens integer,
  created_at timestamp with time zone not null default now(),
  finished_at timestamp with time zone,
  started_at timestamp with time zone,
  due_at timestamp with time zone,
  lease text,
  epoch integer not null default 0,
  tries integer not null default 0,
  last_error text,
  constraint jobs_pk PRIMARY KEY (id),
  constraint jobs_absorbed CHECK (absorbed_sats >= 0 AND absorbed_sats <= reserved_sats),
  constraint jobs_charge CHECK (charge_sats >= 0),
  constraint jobs_estimated CHECK (estimated_sats > 0),
  constraint jobs_finished CHECK ((state = ANY (ARRAY['refused'::text, 'done'::text, 'failed'::text, 'expired'::text])) = (finished_at IS NOT NULL)),
  constraint jobs_form CHECK (form = ANY (ARRAY['json'::text, 'words'::text])),
  constraint jobs_held CHECK (held_sats >= 0),
  constraint jobs_over_holds_nothing CHECK (finished_at IS NULL OR held_sats = 0),
  constraint jobs_over_is_not_due CHECK (finished_at IS NULL OR due_at IS NULL),
  constraint jobs_paid CHECK (paid_sats >= 0),
  constraint jobs_paid_from CHECK (paid_from = ANY (ARRAY['pool'::text, 'balance'::text, 'invoice'::text])),
  constraint jobs_promised CHECK (promised_sats >= 0),
  constraint jobs_refund CHECK (refund_sats >= 0 AND refund_sats <= paid_sats),
  constraint jobs_reserved CHECK (reserved_sats >= 0),
  constraint jobs_reserved_day CHECK ((reserved_sats > 0) = (reserved_day IS NOT NULL)),
  constraint jobs_serve CHECK (serve = ANY (ARRAY['free'::text, 'partial'::text, 'gate'::text])),
  constraint jobs_shortfall CHECK (shortfall_sats >= 0),
  constraint jobs_state CHECK (state = ANY (ARRAY['accepted'::text, 'refused'::text, 'awaiting_payment'::text, 'working'::text, 'done'::text, 'failed'::text, 'expired'::text])),
  constraint jobs_tier CHECK (tier = ANY (ARRAY['new'::text, 'established'::text, 'trusted'::text, 'elite'::text])),
  constraint jobs_tier_source CHECK (tier_source = ANY (ARRAY['earned'::text, 'granted'::text, 'list'::text, 'rank'::text])),
  constraint jobs_via CHECK (via = ANY (ARRAY['nip17'::text, 'nip04'::text, 'nip90'::text]))
) with (fillfactor=70, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=200);
CREATE INDEX jobs_due ON public.jobs USING btree (state, due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX jobs_of_customer ON public.jobs USING btree (customer, id);
CREATE UNIQUE INDEX jobs_one_open_discount ON public.jobs USING btree (customer) WHERE ((promised_sats > 0) AND (state = ANY (ARRAY['accepted'::text, 'awaiting_payment'::text])));
CREATE INDEX jobs_open_of_customer ON public.jobs USING btree (customer) WHERE (finished_at IS NULL);
CREATE INDEX jobs_open_promises ON public.jobs USING btree (promised_sats) WHERE ((promised_sats > 0) AND (state = ANY (ARRAY['accepted'::text, 'awaiting_payment'::text])));

create table ledger_seals (
  id bigint not null generated always as identity,
  transfers_to bigint not null,
  grants_to bigint not null,
  hash text not null,
  at timestamp with time zone not null default now(),
  constraint ledger_seals_pk PRIMARY KEY (id),
  constraint ledger_seals_hash CHECK (hash ~ '^[0-9a-f]{64}$'::text)
);

create table outbox (
  id bigint not null generated always as identity,
  customer text not null,
  via text not null,
  form text not null,
  program_id text,
  job_id bigint,
  step text not null,
  rumor_at bigint,
  rumor_id text,
  reply jsonb not null,
  created_at timestamp with time zone not null default now(),
  delivered_at timestamp with time zone,
  give_up_at timestamp with time zone not null,
  due_at timestamp with time zone,
  lease text,
  epoch integer not null default 0,
  tries integer not null default 0,
  last_error text,
  constraint outbox_pk PRIMARY KEY (id),
  constraint outbox_form CHECK (form = ANY (ARRAY['json'::text, 'words'::text])),
  constraint outbox_step UNIQUE (job_id, step),
  constraint outbox_via CHECK (via = ANY (ARRAY['nip17'::text, 'nip04'::text, 'nip90'::text]))
) with (fillfactor=70, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=200);
CREATE INDEX outbox_due ON public.outbox USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX outbox_told ON public.outbox USING btree (customer, created_at) WHERE (step = 'too_old'::text);

create table outbox_alerts (
  name text not null,
  raised_at timestamp with time zone not null default now(),
  told_at timestamp with time zone not null default now(),
  constraint outbox_alerts_pk PRIMARY KEY (name)
);

create table outbox_events (
  outbox_id bigint not null,
  part integer not null,
  event_id text not null,
  event_json text not null,
  constraint outbox_events_pk PRIMARY KEY (outbox_id, part),
  constraint outbox_events_reply FOREIGN KEY (outbox_id) REFERENCES outbox(id) ON DELETE CASCADE
);

create table outbox_publications (
  outbox_id bigint not null,
  part integer not null,
  relay text not null,
  acknowledged_at timestamp with time zone,
  refused_at timestamp with time zone,
  last_error text,
  constraint outbox_publications_pk PRIMARY KEY (outbox_id, part, relay),
  constraint outbox_publications_event FOREIGN KEY (outbox_id, part) REFERENCES outbox_events(outbox_id, part) ON DELETE CASCADE
);

create table outbox_replicas (
  holder text not null,
  version text not null,
  started_at timestamp with time zone not null,
  seen_at timestamp with time zone not null default now(),
  facts jsonb not null,
  constraint outbox_replicas_pk PRIMARY KEY (holder)
) with (fillfactor=50);

create table outbox_status (
  only_row boolean not null default true,
  published_at bigint not null default 0,
  sequence bigint not null default 0,
  constraint outbox_status_pk PRIMARY KEY (only_row),
  constraint outbox_status_single CHECK (only_row)
);

create table outbox_turns (
  name text not null,
  holder text not null,
  until timestamp with time zone not null,
  constraint outbox_turns_pk PRIMARY KEY (name)
);

create table pool_days (
  day date not null,
  opening_sats bigint not null,
  absorbed_sats bigint not null default 0,
  credited_sats bigint not null default 0,
  shortfall_sats bigint not null default 0,
  free_count integer not null default 0,
  partial_count integer not null default 0,
  paid_count integer not null default 0,
  constraint pool_days_pk PRIMARY KEY (day),
  constraint pool_days_absorbed CHECK (absorbed_sats >= 0),
  constraint pool_days_credited CHECK (credited_sats >= 0),
  constraint pool_days_shortfall CHECK (shortfall_sats >= 0)
) with (fillfactor=10);

create table schema_migrations (
  version integer not null,
  name text not null,
  sha256 text not null,
  applied_at timestamp with time zone not null default now(),
  constraint schema_migrations_pk PRIMARY KEY (version)
);

create table timmy_config (
  key text not null,
  value jsonb not null,
  updated_at timestamp with time zone not null default now(),
  constraint timmy_config_pk PRIMARY KEY (key)
);

create table transfers (
  id bigint not null generated always as identity,
  kind text not null,
  debit text not null,
  credit text not null,
  sats bigint not null,
  job_id bigint,
  ref text,
  day date not null,
  at timestamp with time zone not null default now(),
  constraint transfers_pk PRIMARY KEY (id),
  constraint transfers_cause CHECK (num_nonnulls(job_id, ref) = 1),
  constraint transfers_kind CHECK (kind = ANY (ARRAY['seed'::text, 'pool_add'::text, 'donation'::text, 'top_up'::text, 'payment'::text, 'late_payment'::text, 'incoming_fee'::text, 'reserve'::text, 'hold'::text, 'earned'::text, 'shortfall'::text, 'returned'::text, 'refund'::text, 'credit'::text, 'withdraw_hold'::text, 'withdrawn'::text, 'withdraw_fee'::text, 'withdraw_returned'::text, 'own_sats'::text])),
  constraint transfers_sats CHECK (sats > 0),
  constraint transfers_two_accounts CHECK (debit <> credit)
);
CREATE UNIQUE INDEX transfers_once_per_job ON public.transfers USING btree (job_id, kind) WHERE (job_id IS NOT NULL);
CREATE UNIQUE INDEX transfers_once_per_ref ON public.transfers USING btree (ref, kind) WHERE (ref IS NOT NULL);

create table trust_lists (
  address text not null,
  event_at bigint not null,
  event_id text not null,
  keys integer not null,
  obeyed_at timestamp with time zone not null default now(),
  constraint trust_lists_pk PRIMARY KEY (address)
);

create table withdrawals (
  id bigint not null generated always as identity,
  state text not null,
  reason text,
  customer text not null,
  via text not null,
  form text not null,
  program_id text,
  rumor_at bigint not null,
  rumor_id text not null,
  payment_hash text not null,
  bolt11 text not null,
  amount_sats bigint not null,
  reserve_sats bigint not null,
  fee_sats bigint,
  held_sats bigint not null default 0,
  invoice_expires_at timestamp with time zone not null,
  created_at timestamp with time zone not null default now(),
  sent_at timestamp with time zone,
  finished_at timestamp with time zone,
  absent_count integer not null default 0,
  due_at timestamp with time zone,
  lease text,
  epoch integer not null default 0,
  tries integer not null default 0,
  last_error text,
  constraint withdrawals_pk PRIMARY KEY (id),
  constraint withdrawals_amount CHECK (amount_sats > 0),
  constraint withdrawals_customer FOREIGN KEY (customer) REFERENCES customers(pubkey),
  constraint withdrawals_fee CHECK (fee_sats >= 0),
  constraint withdrawals_finished CHECK ((state = ANY (ARRAY['done'::text, 'failed'::text])) = (finished_at IS NOT NULL)),
  constraint withdrawals_form CHECK (form = ANY (ARRAY['json'::text, 'words'::text])),
  constraint withdrawals_hash UNIQUE (payment_hash),
  constraint withdrawals_hash_hex CHECK (payment_hash ~ '^[0-9a-f]{64}$'::text),
  constraint withdrawals_held CHECK (held_sats >= 0),
  constraint withdrawals_over_holds_nothing CHECK (finished_at IS NULL OR held_sats = 0),
  constraint withdrawals_reserve CHECK (reserve_sats >= 0),
  constraint withdrawals_state CHECK (state = ANY (ARRAY['held'::text, 'sent'::text, 'done'::text, 'failed'::text, 'unknown'::text])),
  constraint withdrawals_via CHECK (via = ANY (ARRAY['nip17'::text, 'nip04'::text, 'nip90'::text]))
) with (fillfactor=70);
CREATE INDEX withdrawals_due ON public.withdrawals USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX withdrawals_of_customer ON public.withdrawals USING btree (customer, id);
CREATE INDEX withdrawals_of_day ON public.withdrawals USING btree (created_at);
