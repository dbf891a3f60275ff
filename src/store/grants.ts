import type { Tier } from '../money/tiers.ts'
import type { GrantSource } from './customers.ts'
import type { Tx } from './database.ts'

export interface Grant {
  jobId: number
  customer: string
  tier: Tier
  source: 'earned' | GrantSource
  /** The UTC day the reservation was taken from. */
  day: string
  reservedSats: number
  /** What the pool really paid. */
  absorbedSats: number
}

/** Writes the immutable audit rows of what the pool gave, actual and reserved. Insert-only. */
export async function insertGrants(tx: Tx, grants: readonly Grant[]): Promise<void> {
  if (grants.length === 0) return
  await tx`
    insert into free_tier_grants (job_id, customer, tier, source, day, reserved_sats, absorbed_sats)
    select job_id, customer, tier, source, day::date, reserved, absorbed
    from unnest(
      ${grants.map((g) => g.jobId)}::bigint[], ${grants.map((g) => g.customer)}::text[],
      ${grants.map((g) => g.tier)}::text[], ${grants.map((g) => g.source)}::text[],
      ${grants.map((g) => g.day)}::text[], ${grants.map((g) => g.reservedSats)}::bigint[],
      ${grants.map((g) => g.absorbedSats)}::bigint[]
    ) g (job_id, customer, tier, source, day, reserved, absorbed)`.execute()
}
