-- What the operator pays for a payment (a routing fee above its reserve, what LNbits keeps of one that came) leaves a
-- wallet in which the operator's own sats are too, so that the ledger's part of it may be overdrawn. A payout that was
-- made must be booked all the same: refused, its withdrawal would never end.
alter table accounts
  drop constraint accounts_floor,
  add constraint accounts_floor check (name in ('operator', 'lightning') or balance_sats >= 0);
