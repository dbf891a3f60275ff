import type { Command } from 'commander'
import type { MainTools } from './main-look.ts'
import type { InitContext } from './operator/commands/init.ts'

/** The commands of the first hour, and of a bad day: init, doctor, backup and restore. */
export function addSetup(
  program: Command,
  { contextFor, stopSignal, ended }: MainTools,
  /** `init` runs where no settings can be read yet. */
  bare: () => Promise<InitContext>,
): void {
  program
    .command('init')
    .description('ask for the settings, try each answer, and write them to .env')
    .option('--file <path>', 'another file than .env')
    .action(async (options: { file?: string }) => {
      const { init } = await import('./operator/commands/init.ts')
      ended(await init(await bare(), { ...options, signal: stopSignal(() => {}) }))
    })
  program
    .command('doctor')
    .description('try everything the bot depends on, and say what to do about what fails')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nSends the bot a DM on each relay, makes an invoice of 1 sat and gives the backend a tiny ' +
        'job.\nStatus: 0 nothing fails, 1 something does.',
    )
    .action(async (options: { json?: boolean }) => {
      const { doctor } = await import('./operator/commands/doctor.ts')
      ended(await doctor(await contextFor({ quiet: true }), options))
    })
  program
    .command('backup')
    .description('write everything the database holds to one file, while the bot runs')
    .argument('<file>', 'where to; it holds messages and balances, keep it as you keep the key')
    .option('--json', 'print JSON')
    .action(async (file: string, options: { json?: boolean }) => {
      const { backup } = await import('./operator/commands/backup.ts')
      ended(await backup(await contextFor({ quiet: true }), { file, ...options }))
    })
  program
    .command('restore')
    .description('fill an empty database from such a file; all of it or nothing')
    .argument('<file>', 'what `tithe backup` wrote')
    .option('--json', 'print JSON')
    .action(async (file: string, options: { json?: boolean }) => {
      const { restore } = await import('./operator/commands/backup.ts')
      ended(await restore(await contextFor({ quiet: true }), { file, ...options }))
    })
}
