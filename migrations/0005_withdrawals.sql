-- Balance sent out over Lightning: a saga. Held and stored first, then sent, then asked until the answer is terminal.
create table withdrawals (
  id bigint generated always as identity constraint withdrawals_pk primary key,
  state text not null constraint withdrawals_state check (state in ('held', 'sent', 'done', 'failed', 'unknown')),
  reason text,
  customer text not null constraint withdrawals_customer references customers (pubkey),
  via text not null constraint withdrawals_via check (via in ('nip17', 'nip04', 'nip90')),
  form text not null constraint withdrawals_form check (form in ('json', 'words')),
  program_id text,
  rumor_at bigint not null,
  rumor_id text not null,
  payment_hash text not null constraint withdrawals_hash unique
    constraint withdrawals_hash_hex check (payment_hash ~ '^[0-9a-f]{64}$'),
  bolt11 text not null,
  amount_sats bigint not null constraint withdrawals_amount check (amount_sats > 0),
  -- Set aside for routing; what was not used comes back.
  reserve_sats bigint not null constraint withdrawals_reserve check (reserve_sats >= 0),
  fee_sats bigint constraint withdrawals_fee check (fee_sats >= 0),
  -- The balance of the account 'withdrawal:<id>'.
  held_sats bigint not null default 0 constraint withdrawals_held check (held_sats >= 0),
  invoice_expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  finished_at timestamptz,
  -- How often LNbits said "no such payment" after the call was surely over.
  absent_count integer not null default 0,
  due_at timestamptz,
  lease text,
  epoch integer not null default 0,
  tries integer not null default 0,
  last_error text,
  constraint withdrawals_finished check ((state in ('done', 'failed')) = (finished_at is not null)),
  constraint withdrawals_over_holds_nothing check (finished_at is null or held_sats = 0)
) with (fillfactor = 70);
create index withdrawals_due on withdrawals (due_at) where due_at is not null;
create index withdrawals_of_customer on withdrawals (customer, id);
