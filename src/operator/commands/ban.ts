import { type CommandContext, type ExitStatus, withGround } from '../../command.ts'
import { npub } from '../../nostr/identity.ts'
import { setBan } from '../../store/customers.ts'
import { MUTED } from '../../store/trust.ts'
import { readKey } from '../customer-key.ts'

/**
 * Bans a key, which beats every tier, or lifts its ban. Jobs at work are finished and balances stay:
 * a ban refuses what comes next.
 */
export async function ban(
  context: CommandContext,
  {
    key,
    reason = 'by the operator',
    lift = false,
    json = false,
  }: { key: string; reason?: string; lift?: boolean; json?: boolean },
): Promise<ExitStatus> {
  const pubkey = readKey(key)
  // What a mute list bans it lifts again, and knows it by this word.
  if (reason === MUTED) reason = `${MUTED} by the operator`
  await withGround(context, ({ sql }) => setBan(sql, pubkey, lift ? null : { reason }))
  const { terminal } = context
  const name = npub(pubkey)
  if (json) terminal.print(JSON.stringify({ pubkey, npub: name, banned: !lift }))
  else if (lift) terminal.print(`${name} is served again.`)
  else terminal.print(`${name} is banned: what it asks for next is refused.`)
  return 0
}
