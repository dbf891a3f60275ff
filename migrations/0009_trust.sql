-- Which version of each Nostr list was last obeyed: a relay that hands out an older one must not bring back who left.
create table trust_lists (
  -- As NIP-01 addresses an event: '<kind>:<pubkey>:<d>'.
  address text constraint trust_lists_pk primary key,
  event_at bigint not null,
  event_id text not null,
  keys integer not null,
  obeyed_at timestamptz not null default now()
);
