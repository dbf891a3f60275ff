import type { Command } from 'commander'
import { CommandError, type CommandContext } from './command.ts'
import type { Lnbits } from './lightning/lnbits.ts'
import type { MainTools } from './main-look.ts'

interface Json {
  json?: boolean
}

/** The commands around outgoing money: withdrawals that need a hand, and both books side by side. */
export function addPayouts(program: Command, { contextFor, ended }: MainTools): void {
  const payouts = program
    .command('payouts')
    .description('withdrawals that are not over; status 1 when one is parked')
    .option('--json', 'print JSON')
    .action(async (options: Json) => {
      const { payouts: list } = await import('./operator/commands/payouts.ts')
      ended(await list(await contextFor({ quiet: true }), options))
    })
  /** `--json` before or after the subcommand, as it comes to the fingers. */
  const flags = () => ({ json: payouts.opts<Json>().json === true })
  for (const how of ['settle', 'return'] as const) {
    const command = payouts
      .command(how)
      .description(
        how === 'settle'
          ? "book a parked withdrawal as paid, by the node's own books"
          : 'give a parked withdrawal back to its customer; it was and will not be paid',
      )
      .argument('<id>', 'its number')
      .requiredOption('--reason <text>', 'how you know, for the record')
    if (how === 'settle') command.option('--fee <sats>', 'what routing cost, 0 if not said')
    command.action(async (id: string, options: { reason: string; fee?: string }) => {
      const { endPayout } = await import('./operator/commands/payouts.ts')
      const context = await contextFor({ quiet: true })
      ended(await endPayout(context, how, { id, ...options, ...flags() }))
    })
  }
  program
    .command('reconcile')
    .description("compare LNbits' books with the ledger, both ways; status 1 on any difference")
    .option('--since <day>', 'first UTC day, as 2026-01-31; 30 days back if not said')
    .option('--adopt <sats>', "note first that so many sats in LNbits are the operator's own")
    .option('--reason <text>', 'why, for the record')
    .option('--json', 'print JSON')
    .action(async (options: { since?: string; adopt?: string; reason?: string } & Json) => {
      const { reconcileBooks } = await import('./operator/commands/reconcile.ts')
      const context = await contextFor({ quiet: true })
      const lightning = await openLnbits(context)
      try {
        ended(await reconcileBooks(context, { ...options, lightning }))
      } finally {
        lightning.close()
      }
    })
}

/** The configured LNbits with the invoice key, or the sandbox's while it runs. */
async function openLnbits({ config, clock, log }: CommandContext): Promise<Lnbits> {
  const { createLnbits } = await import('./lightning/lnbits.ts')
  if (config.lnbits) {
    const { url, invoiceKey } = config.lnbits
    return createLnbits({ url, invoiceKey: invoiceKey.reveal(), clock, log })
  }
  const { readBotPurse } = await import('./sandbox/sandbox.ts')
  const purse = readBotPurse(config.dataDir)
  if (purse) return createLnbits({ ...purse, clock, log })
  throw new CommandError('The sandbox does not run, so there is no LNbits to ask. Run: tithe start')
}
