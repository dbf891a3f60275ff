import {
  type Balances,
  type Breach,
  type Drift,
  planForWholeTables,
  readAccounts,
  readBreaches,
  readDrift,
} from './store/audit.ts'
import { readOnly, type Sql } from './store/database.ts'
import { type SealCheck, verifySeals } from './store/seals.ts'

/** Every account added up at one instant. */
export interface Books {
  balances: Balances
  /** Accounts that are not the sum of their transfers. */
  drift: Drift[]
  /** Rules between tables that do not hold. */
  breaches: Breach[]
  /** 0, or how far the books are off. */
  driftSats: number
  /** Whether what was booked is still what was sealed. */
  seals: SealCheck
  /** No drift, no broken rule, no broken seal. */
  ok: boolean
}

/**
 * Adds up every account and recomputes every seal in one read-only snapshot, so that a daemon at work cannot
 * blur it. `driftRows` is how many accounts with a drift are named.
 */
export function addUpBooks(sql: Sql, options: { driftRows?: number } = {}): Promise<Books> {
  return readOnly(sql, async (tx) => {
    await planForWholeTables(tx)
    const drift = await readDrift(tx, options.driftRows)
    const breaches = await readBreaches(tx)
    const balances = await readAccounts(tx)
    const seals = await verifySeals(tx)
    const driftSats = offBy(balances, drift)
    const ok =
      driftSats === 0 && drift.length === 0 && breaches.length === 0 && seals.brokenAt === null
    return { balances, drift, breaches, driftSats, seals, ok }
  })
}

/** What Lightning holds is what it is owed to, and each account is what its transfers say. */
function offBy(balances: Balances, drift: readonly Drift[]): number {
  const owedSats = owedTo(balances).reduce((sum, [, sats]) => sum + sats, 0)
  const accountsSats = drift.reduce((sum, d) => sum + Math.abs(d.storedSats - d.bookedSats), 0)
  return Math.max(accountsSats, Math.abs(balances.lightningSats - owedSats))
}

/** Whom the sats on Lightning belong to; the operator's part may be negative. */
export const owedTo = (balances: Balances): [who: string, sats: number][] => [
  ['pool', balances.poolSats],
  ['operator', balances.operatorSats],
  ['customers', balances.customersSats],
  ['jobs at work', balances.holdsSats],
  ['withdrawals', balances.withdrawalsSats],
]
