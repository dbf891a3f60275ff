-- Who asked: a balance, a tier, and per UTC day what was given and what was paid.
create table customers (
  pubkey text constraint customers_pk primary key
    constraint customers_pubkey check (pubkey ~ '^[0-9a-f]{64}$'),
  -- Prepaid and spendable; what running jobs and withdrawals hold has left it already.
  balance_sats bigint not null default 0 constraint customers_balance check (balance_sats >= 0),
  granted_tier text constraint customers_granted_tier
    check (granted_tier in ('new', 'established', 'trusted', 'elite')),
  -- Who said so: the operator's word outlives a refresh of the Nostr lists.
  granted_source text constraint customers_granted_source check (granted_source in ('granted', 'list', 'rank')),
  banned_at timestamptz,
  ban_reason text,
  -- The first settled net charge; key age and first message are free to fake and are not kept.
  first_paid_at timestamptz,
  created_at timestamptz not null default now(),
  constraint customers_granted check ((granted_tier is null) = (granted_source is null))
) with (fillfactor = 70);

create table customer_days (
  customer text not null constraint customer_days_customer references customers (pubkey),
  day date not null,
  -- Reservations in flight and what settled jobs really absorbed of that day's budget.
  absorbed_sats bigint not null default 0 constraint customer_days_absorbed check (absorbed_sats >= 0),
  -- Net settled charges: paid less refunded.
  net_paid_sats bigint not null default 0 constraint customer_days_net_paid check (net_paid_sats >= 0),
  -- What the operator paid for promises to this key that the pool could not keep; counts like a grant.
  shortfall_sats bigint not null default 0 constraint customer_days_shortfall check (shortfall_sats >= 0),
  constraint customer_days_pk primary key (customer, day)
) with (fillfactor = 70);
