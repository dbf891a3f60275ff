-- Jobs and what they wait for. The job row is its own queue: due_at, lease, epoch, tries.
create table jobs (
  id bigint generated always as identity constraint jobs_pk primary key,
  state text not null constraint jobs_state check (state in
    ('accepted', 'refused', 'awaiting_payment', 'working', 'done', 'failed', 'expired')),
  -- By which road it came to its state.
  reason text,
  customer text not null constraint jobs_customer references customers (pubkey),
  via text not null constraint jobs_via check (via in ('nip17', 'nip04', 'nip90')),
  -- How replies are written, and the program's own id for its request.
  form text not null constraint jobs_form check (form in ('json', 'words')),
  program_id text,
  -- The request's place in the inbox.
  rumor_at bigint not null,
  rumor_id text not null,
  -- SHA-256 of the trimmed text, to know the same request coming by another door.
  request_hash text not null,
  model text not null,
  tier text not null constraint jobs_tier check (tier in ('new', 'established', 'trusted', 'elite')),
  tier_source text not null constraint jobs_tier_source check (tier_source in ('earned', 'granted', 'list', 'rank')),
  serve text not null constraint jobs_serve check (serve in ('free', 'partial', 'gate')),
  paid_from text constraint jobs_paid_from check (paid_from in ('pool', 'balance', 'invoice')),
  estimated_sats bigint not null constraint jobs_estimated check (estimated_sats > 0),
  charge_sats bigint not null constraint jobs_charge check (charge_sats >= 0),
  -- The discount of an open invoice: advisory, touches no pool row.
  promised_sats bigint not null default 0 constraint jobs_promised check (promised_sats >= 0),
  -- What left the pool for this job, and the day it was taken from.
  reserved_sats bigint not null default 0 constraint jobs_reserved check (reserved_sats >= 0),
  reserved_day date,
  -- What the customer paid for this job, by invoice or from the balance.
  paid_sats bigint not null default 0 constraint jobs_paid check (paid_sats >= 0),
  -- The balance of the account 'job:<id>'. Zero before payment and after settlement.
  held_sats bigint not null default 0 constraint jobs_held check (held_sats >= 0),
  free_tier boolean not null default false,
  actual_sats bigint,
  absorbed_sats bigint not null default 0 constraint jobs_absorbed check (absorbed_sats between 0 and reserved_sats),
  refund_sats bigint not null default 0 constraint jobs_refund check (refund_sats between 0 and paid_sats),
  shortfall_sats bigint not null default 0 constraint jobs_shortfall check (shortfall_sats >= 0),
  -- The prices the quote was made with, kept so that settlement uses the same ones.
  usd_per_btc double precision,
  input_tokens integer not null,
  output_tokens integer not null,
  used_input_tokens integer,
  used_output_tokens integer,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  -- Set before a backend that must not run twice is called.
  started_at timestamptz,
  -- The next moment something must happen; also the end of a lease. Null: nothing.
  due_at timestamptz,
  lease text,
  -- Grows with every claim and is never reset: the fence that a late owner runs into.
  epoch integer not null default 0,
  -- Claims since the last progress, counted at the claim so that crashes count.
  tries integer not null default 0,
  last_error text,
  constraint jobs_finished check
    ((state in ('refused', 'done', 'failed', 'expired')) = (finished_at is not null)),
  constraint jobs_over_holds_nothing check (finished_at is null or held_sats = 0),
  constraint jobs_over_is_not_due check (finished_at is null or due_at is null),
  constraint jobs_reserved_day check ((reserved_sats > 0) = (reserved_day is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200);
create index jobs_due on jobs (state, due_at) where due_at is not null;
create index jobs_of_customer on jobs (customer, id);
create index jobs_open_of_customer on jobs (customer) where finished_at is null;
create index jobs_open_promises on jobs (promised_sats)
  where promised_sats > 0 and state in ('accepted', 'awaiting_payment');
-- One open discounted invoice per key.
create unique index jobs_one_open_discount on jobs (customer)
  where promised_sats > 0 and state in ('accepted', 'awaiting_payment');

-- Large texts apart, because every renewal of a lease copies the job row.
create table job_texts (
  job_id bigint constraint job_texts_pk primary key constraint job_texts_job references jobs (id),
  request text not null,
  result text
);

create table invoices (
  payment_hash text constraint invoices_pk primary key
    constraint invoices_hash check (payment_hash ~ '^[0-9a-f]{64}$'),
  state text not null default 'open' constraint invoices_state check (state in ('open', 'expired', 'paid', 'given_up')),
  purpose text not null constraint invoices_purpose check (purpose in ('job', 'topup', 'donate')),
  customer text not null constraint invoices_customer references customers (pubkey),
  job_id bigint constraint invoices_job unique constraint invoices_job_ref references jobs (id),
  -- For a top-up or donation: the place of its request in the inbox, and how to answer.
  via text not null constraint invoices_via check (via in ('nip17', 'nip04', 'nip90')),
  form text not null constraint invoices_form check (form in ('json', 'words')),
  program_id text,
  rumor_at bigint not null,
  rumor_id text not null,
  amount_sats bigint not null constraint invoices_amount check (amount_sats > 0),
  bolt11 text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  paid_at timestamptz,
  -- What LNbits kept of it on the way in.
  fee_sats bigint not null default 0 constraint invoices_fee check (fee_sats >= 0),
  -- The next time LNbits is asked for this hash by itself; null when nothing more is expected.
  look_at timestamptz,
  constraint invoices_paid check ((state = 'paid') = (paid_at is not null)),
  constraint invoices_purpose_job check ((purpose = 'job') = (job_id is not null))
) with (fillfactor = 70);
create index invoices_watched on invoices (look_at) where look_at is not null;
