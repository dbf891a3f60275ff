import type { World } from './world.ts'

interface Standing {
  customer: string
  balanceSats: number
  /** What its finished jobs cost it. */
  chargedSats: number
  /** What left with its withdrawals, routing included. */
  withdrawnSats: number
}

/**
 * Whose the sats are, from what really came and went: the books may add up and the wrong one have them. Each
 * customer has what it paid less what its work cost and what it took out, and the pool its seed, what was donated and
 * a tenth of each net charge, less what it gave.
 */
export async function checkShares(world: World): Promise<string[]> {
  const { sql } = world.session
  const rows = await sql<Standing[]>`
    select pubkey as customer, balance_sats,
      coalesce((
        select sum(paid_sats - refund_sats) from jobs j where j.customer = pubkey
      ), 0) as charged_sats,
      coalesce((
        select sum(amount_sats + least(fee_sats, reserve_sats)) from withdrawals w
        where w.customer = pubkey and state = 'done'
      ), 0) as withdrawn_sats
    from customers`
  const invoices = await sql<{ paymentHash: string; customer: string; purpose: string }[]>`
    select payment_hash, customer, purpose from invoices`
  const byHash = new Map(invoices.map((invoice) => [invoice.paymentHash, invoice]))
  const came = new Map<string, number>()
  let donatedSats = 0
  for (const { paymentHash, cameSats = 0 } of world.incoming.all()) {
    const invoice = byHash.get(paymentHash)
    if (invoice?.purpose === 'donate') donatedSats += cameSats
    else if (invoice) came.set(invoice.customer, (came.get(invoice.customer) ?? 0) + cameSats)
  }
  const faults = rows.flatMap(({ customer, balanceSats, chargedSats, withdrawnSats }) => {
    const dueSats = (came.get(customer) ?? 0) - chargedSats - withdrawnSats
    if (balanceSats === dueSats) return []
    return `customer ${customer.slice(0, 4)} has ${balanceSats} sats and should have ${dueSats}`
  })
  return [...faults, ...(await checkPool(world, donatedSats))]
}

async function checkPool({ session, rules }: World, donatedSats: number): Promise<string[]> {
  const [row] = await session.sql<{ balanceSats: number; givenSats: number; gotSats: number }[]>`
    select balance_sats,
      coalesce((select sum(absorbed_sats) from jobs), 0) as given_sats,
      coalesce((
        select sum(floor((paid_sats - refund_sats) * ${rules.poolCreditPct}::int / 100.0))
        from jobs where state = 'done'
      ), 0)::bigint as got_sats
    from accounts where name = 'pool'`
  if (!row) return ['there is no pool']
  const dueSats = rules.poolSeedSats + donatedSats + row.gotSats - row.givenSats
  return row.balanceSats === dueSats
    ? []
    : [`the pool has ${row.balanceSats} sats and should have ${dueSats}`]
}
