import {
  CommandError,
  type CommandContext,
  type ExitStatus,
  inSats,
  withGround,
} from '../../command.ts'
import { isTier, type Tier, tiers } from '../../money/tiers.ts'
import { npub } from '../../nostr/identity.ts'
import { setGrantedTier } from '../../store/customers.ts'
import { dailyBudgets, readPool } from '../../store/pool.ts'
import { readKey } from '../customer-key.ts'

/** Grants a tier to one key; `none` takes the grant back and leaves what the key has earned. */
export async function setTier(
  context: CommandContext,
  { key, tier: word, json = false }: { key: string; tier: string; json?: boolean },
): Promise<ExitStatus> {
  const pubkey = readKey(key)
  const tier = readTier(word)
  const budgetSats = await withGround(context, async ({ sql }) => {
    await setGrantedTier(sql, pubkey, tier, 'granted')
    return tier === null ? 0 : dailyBudgets(await readPool(sql), context.config.money)[tier]
  })
  const { terminal } = context
  const name = npub(pubkey)
  if (json) terminal.print(JSON.stringify({ pubkey, npub: name, grantedTier: tier }))
  else if (tier === null) terminal.print(`${name} has the tier it earned, nothing is granted.`)
  else terminal.print(`${name} is granted ${tier}: up to ${inSats(budgetSats)} free a day.`)
  return 0
}

function readTier(word: string): Tier | null {
  if (word === 'none') return null
  if (isTier(word)) return word
  throw new CommandError(
    `There is no tier ${JSON.stringify(word.slice(0, 40))}. Tiers are ${tiers.join(', ')}, and none.`,
    {
      status: 2,
    },
  )
}
