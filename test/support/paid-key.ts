import type { Sql } from '../../src/store/database.ts'
import { someKey, type TestJourney } from './journey.ts'

/** What a key has paid before. */
export interface Past {
  /** Net paid sats by days ago. */
  paid: [daysAgo: number, sats: number][]
  firstPaidDaysAgo: number
}

/** A key with a past, written as its rows. */
export async function keyWith(sql: Sql, { paid, firstPaidDaysAgo }: Past): Promise<string> {
  const customer = someKey()
  await sql`
    insert into customers (pubkey, first_paid_at)
    values (${customer}, now() - make_interval(days => ${firstPaidDaysAgo}::int))`
  for (const [daysAgo, sats] of paid) {
    await sql`
      insert into customer_days (customer, day, net_paid_sats)
      values (${customer}, (now() at time zone 'utc')::date - ${daysAgo}::int, ${sats})`
  }
  return customer
}

/** Sats spread over three days, long enough ago. */
export const earned = (sats: number): Past => ({
  paid: [
    [10, sats - 2],
    [9, 1],
    [8, 1],
  ],
  firstPaidDaysAgo: 10,
})

/** What /why answers a key. */
export async function why(journey: TestJourney, customer: string) {
  const reply = await journey.ask(customer, { name: 'why' })
  if (reply.type !== 'why') throw new Error(`answered ${reply.type}`)
  return reply
}
