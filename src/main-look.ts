import type { Command } from 'commander'
import type { CommandContext, ExitStatus } from './command.ts'

/** What `main.ts` lends to the files that add commands. */
export interface MainTools {
  contextFor(options: { quiet: boolean }): Promise<CommandContext>
  stopSignal(onFirst: () => void): AbortSignal
  /** How the command ended. */
  ended(status: ExitStatus): void
}

/** The commands that only look: status, jobs, customers and the export. */
export function addLooks(program: Command, { contextFor, stopSignal, ended }: MainTools): void {
  program
    .command('status')
    .description('one screen: what runs, the pool, the day, what waits, what is wrong')
    .option('--watch', 'show it again every two seconds until Ctrl-C')
    .option('--json', 'print JSON, with --watch one line each time')
    .addHelpText('after', '\nStatus: 0 all is well, 1 something needs a hand.')
    .action(async (options: { watch?: boolean; json?: boolean }) => {
      const { status } = await import('./operator/commands/status.ts')
      const context = await contextFor({ quiet: true })
      const signal = options.watch ? stopSignal(() => {}) : new AbortController().signal
      ended(await status(context, { ...options, signal }))
    })
  program
    .command('jobs')
    .description('the latest jobs, newest first')
    .option('--state <state>', 'a state, or open for all that are not over')
    .option('--customer <npub>', 'of one customer')
    .option('--limit <count>', 'how many, 20 if not said')
    .option('--json', 'print JSON')
    .action(async (options: { state?: string; customer?: string; limit?: string } & Json) => {
      const { jobs } = await import('./operator/commands/jobs.ts')
      ended(await jobs(await contextFor({ quiet: true }), options))
    })
  program
    .command('job')
    .description('the whole story of one job: states, sats, replies, relays, with times')
    .argument('<id>', 'its number')
    .option('--json', 'print JSON')
    .action(async (id: string, options: Json) => {
      const { job } = await import('./operator/commands/job.ts')
      ended(await job(await contextFor({ quiet: true }), { id, ...options }))
    })
  program
    .command('customers')
    .description('who paid most in 90 days, with tier, balance and what they got free')
    .option('--limit <count>', 'how many, 20 if not said')
    .option('--banned', 'only keys that are banned')
    .option('--json', 'print JSON')
    .action(async (options: { limit?: string; banned?: boolean } & Json) => {
      const { customers } = await import('./operator/commands/customers.ts')
      ended(await customers(await contextFor({ quiet: true }), options))
    })
  program
    .command('export')
    .description('the books as CSV: one line a settled job, top-up, donation or withdrawal')
    .option('--from <day>', 'first UTC day, as 2026-01-01; the first of the books if not said')
    .option('--to <day>', 'last UTC day, included; today if not said')
    .option('--json', 'print one JSON object per line')
    .action(async (options: { from?: string; to?: string } & Json) => {
      const { exportBooks } = await import('./operator/commands/export.ts')
      ended(await exportBooks(await contextFor({ quiet: true }), options))
    })
}

interface Json {
  json?: boolean
}
