import { type CommandContext, type ExitStatus, withGround } from '../../command.ts'
import { earnedTier, tierOf } from '../../money/tiers.ts'
import { npub } from '../../nostr/identity.ts'
import { countCustomers, type ListedCustomer, readCustomerList } from '../../store/customer-list.ts'
import { type CustomerFacts, readBalances, readCustomers } from '../../store/customers.ts'
import { readOnly, type Sql } from '../../store/database.ts'
import { readPool } from '../../store/pool.ts'
import { readCount } from '../read-count.ts'
import { instant, shortKey, table } from '../screen.ts'

export interface CustomersOptions {
  limit?: string
  /** Only keys that are banned. */
  banned?: boolean
  json?: boolean
}

/** Prints the customers who paid most in 90 days, with their tier and where it comes from. */
export async function customers(
  context: CommandContext,
  { limit, banned = false, json = false }: CustomersOptions,
): Promise<ExitStatus> {
  const wanted = { limit: readCount(limit, '--limit', 20), bannedOnly: banned }
  const { list, counts } = await withGround(context, ({ sql }) => readList(sql, wanted))
  const { terminal } = context
  if (json) {
    terminal.print(JSON.stringify({ ...counts, customers: list }))
    return 0
  }
  if (list.length > 0) for (const line of table([HEAD, ...list.map(cells)])) terminal.print(line)
  terminal.print(`${counts.all} keys, ${counts.banned} of them banned.`)
  return 0
}

function readList(sql: Sql, wanted: { limit: number; bannedOnly: boolean }) {
  return readOnly(sql, async (tx) => {
    const listed = await readCustomerList(tx, wanted)
    const keys = listed.map(({ pubkey }) => pubkey)
    const [counts, facts, balances, pool] = await Promise.all([
      countCustomers(tx),
      readCustomers(tx, keys),
      readBalances(tx, keys),
      readPool(tx),
    ])
    const list = listed.flatMap((row) => {
      const own = facts.get(row.pubkey)
      const balanceSats = balances.get(row.pubkey)?.balanceSats ?? 0
      return own ? [viewOf(row, own, { balanceSats, nowSeconds: pool.nowSeconds })] : []
    })
    return { counts, list }
  })
}

function viewOf(
  { pubkey, jobs, lastJobAt, createdAt, banReason }: ListedCustomer,
  facts: CustomerFacts,
  { balanceSats, nowSeconds }: { balanceSats: number; nowSeconds: number },
) {
  const earned = earnedTier({ ...facts, nowSeconds })
  const { tier, source } = tierOf({ earned, granted: facts.grantedTier, banned: facts.banned })
  return {
    pubkey,
    npub: npub(pubkey),
    tier,
    source: source === 'earned' ? source : (facts.grantedSource ?? source),
    banned: facts.banned,
    banReason,
    balanceSats,
    netPaidSats90: facts.netPaidSats90,
    grantsSats90: facts.grantsSats90,
    paidDays90: facts.paidDays,
    jobs,
    openJobs: facts.openJobs,
    firstPaidAt: facts.firstPaidAt,
    lastJobAt,
    createdAt,
  }
}

const HEAD = ['customer', 'tier', 'balance', 'paid 90 d', 'free 90 d', 'jobs', 'last job (UTC)']

function cells(row: ReturnType<typeof viewOf>): (string | number)[] {
  const tier = row.banned ? `banned (${row.banReason})` : `${row.tier} (${row.source})`
  const last = row.lastJobAt === null ? 'never' : instant(row.lastJobAt)
  const { pubkey, balanceSats, netPaidSats90, grantsSats90, jobs } = row
  return [shortKey(pubkey), tier, balanceSats, netPaidSats90, grantsSats90, jobs, last]
}
