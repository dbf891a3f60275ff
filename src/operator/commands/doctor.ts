import type { CommandContext, ExitStatus } from '../../command.ts'
import type { Config } from '../../config.ts'
import { readSecretKey } from '../../key-file.ts'
import { loadCurve } from '../../nostr/curve.ts'
import { createIdentity, npub } from '../../nostr/identity.ts'
import type { Identity } from '../../nostr/types.ts'
import { checkBackend } from '../checks/backend.ts'
import { about, type Check } from '../checks/check.ts'
import { checkDatabase } from '../checks/database.ts'
import { checkFiles } from '../checks/files.ts'
import { checkLnbits } from '../checks/lnbits.ts'
import { checkRelay } from '../checks/relay.ts'
import { linesOf } from '../checks/show.ts'

/**
 * Tries everything the bot depends on, by doing it, and says what to do about what does not work. May run while
 * the daemon does. Status 1 when anything fails.
 */
export async function doctor(
  context: CommandContext,
  { json = false }: { json?: boolean } = {},
): Promise<ExitStatus> {
  const { terminal } = context
  const found: Check[] = []
  // All at once, told in order: a slow relay keeps nobody from the rest.
  for (const part of await partsOf(context)) {
    for (const check of await part) {
      found.push(check)
      if (!json) for (const line of linesOf(check, terminal)) terminal.print(line)
    }
  }
  const ok = found.every(({ verdict }) => verdict !== 'fail')
  if (json) terminal.print(JSON.stringify({ ok, checks: found }))
  else terminal.print(summary(found))
  return ok ? 0 : 1
}

async function partsOf({
  config,
  clock,
  log,
}: CommandContext): Promise<(Check[] | Promise<Check[]>)[]> {
  const { models, lnbits, nostr } = config
  const backend = checkBackend(config.backend, { models, clock })
  const database = checkDatabase(config, { clock, log })
  const files = checkFiles(['.env', ...(nostr.secretKeyFile ? [nostr.secretKeyFile] : [])])
  if (config.mode === 'sandbox' || !lnbits) {
    const text = 'nothing real is configured: play money, a relay and an LNbits of its own'
    const sandbox = about('settings').warn(text, 'For real sats: tithe init')
    return [[sandbox], files, database, backend]
  }
  const identity = createIdentity((await loadCurve()).curve, readSecretKey(config))
  const relays = [...new Set([...nostr.relays, ...nostr.dmRelays])]
  return [
    [settingsCheck(config, identity)],
    files,
    ...relays.map((url) => checkRelay({ url, identity, clock, log })),
    checkLnbits({
      url: lnbits.url,
      clock,
      log,
      needsRate: needsRate(config),
      invoiceKey: lnbits.invoiceKey.reveal(),
      adminKey: lnbits.adminKey?.reveal(),
    }),
    database,
    backend,
  ]
}

const settingsCheck = ({ nostr }: Config, identity: Identity): Check =>
  about('settings').ok(`${nostr.botName} is ${npub(identity.pubkey)}`)

/** Prices in USD without a fixed rate wait for LNbits' one. */
export const needsRate = ({ models, btcUsd }: Pick<Config, 'models' | 'btcUsd'>): boolean =>
  btcUsd === undefined && models.some((model) => !('satsPerRequest' in model))

function summary(checks: readonly Check[]): string {
  const count = (verdict: Check['verdict']) => checks.filter((c) => c.verdict === verdict).length
  const [fails, warns] = [count('fail'), count('warn')]
  if (fails > 0) return `${fails} of ${checks.length} checks failed.`
  if (warns > 0) return `It works; ${warns} of ${checks.length} checks warn.`
  return `All ${checks.length} checks are ok.`
}
