-- What the operator pays for a payment (a routing fee above its reserve, what LNbits keeps of one that came) may be more
-- than the ledger has in LNbits. Then the operator's own sats in that wallet have paid it, and come into the books with it.
alter table transfers
  drop constraint transfers_kind,
  add constraint transfers_kind check (kind in (
    'seed', 'pool_add', 'donation', 'top_up', 'payment', 'late_payment', 'incoming_fee',
    'reserve', 'hold', 'earned', 'shortfall', 'returned', 'refund', 'credit',
    'withdraw_hold', 'withdrawn', 'withdraw_fee', 'withdraw_returned', 'own_sats'));
