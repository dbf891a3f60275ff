import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { Command, CommanderError } from 'commander'
import { systemClock } from './clock.ts'
import type { CommandContext, ExitStatus } from './command.ts'
import type { Config } from './config.ts'
import { addLooks, type MainTools } from './main-look.ts'
import { addPayouts } from './main-payouts.ts'
import { addSetup } from './main-setup.ts'
import { createTerminal } from './terminal.ts'
import { version } from './version.ts'

/*
 * The command `tithe`: parses, calls, prints. Every command is imported when it is called, so that
 * `--help` does not wait for what it does not need.
 */

/** Aborts what runs until it is stopped; commands that end by themselves have none. */
let stopping: AbortController | undefined
const terminal = createTerminal(process, () => stopping?.abort())
/** The environment, read once; what is set in it wins over the file. */
const environment: Record<string, string | undefined> = { ...readDotEnv(), ...process.env }
let status: ExitStatus = 0
/** Known once a command has read it; failures are explained with it. */
let config: Config | undefined

function readDotEnv(): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync('.env', 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    terminal.tell(`.env cannot be read (${error instanceof Error ? error.message : error}).`)
    process.exit(2)
  }
}

const isDebug = (): boolean => /^(debug|trace)$/.test(environment.LOG_LEVEL?.trim() ?? '')

/** Settings, log and terminal for a command. `quiet` keeps the daemon's everyday lines out of it. */
async function contextFor({ quiet }: { quiet: boolean }): Promise<CommandContext> {
  const { readConfig, configProblemText } = await import('./config.ts')
  const { CommandError } = await import('./command.ts')
  const { createLog } = await import('./log.ts')
  const read = readConfig(environment)
  if (!read.ok) throw new CommandError(configProblemText(read.problems), { status: 2 })
  config = read.config
  const level = quiet && !environment.LOG_LEVEL?.trim() ? 'error' : config.logLevel
  return { config, clock: systemClock, log: createLog(level), terminal }
}

const ONE_PRESS_MS = 300

/**
 * Aborts on the first SIGINT or SIGTERM, and a second one ends the process at once. What is held then
 * is found again at the next start.
 */
function stopSignal(onFirst: () => void): AbortSignal {
  const controller = new AbortController()
  stopping = controller
  const numbers = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const
  let firstAt = 0
  for (const [name, number] of Object.entries(numbers)) {
    process.on(name, () => {
      // npm hands on the Ctrl-C that the terminal sent us already: one press, two signals.
      if (controller.signal.aborted && systemClock.now() - firstAt < ONE_PRESS_MS) return
      if (controller.signal.aborted) process.exit(128 + number)
      firstAt = systemClock.now()
      controller.abort()
      onFirst()
    })
  }
  return controller.signal
}

const program = new Command('tithe')
  .description('A Nostr bot that sells work for sats and gives a tenth of it back.')
  .version(version)
  .exitOverride()
  .showHelpAfterError('Add --help to see what it takes.')
  .configureHelp({ showGlobalOptions: true })
  .configureOutput({ outputError: (text) => terminal.tell(text.trimEnd()) })
  .addHelpText(
    'after',
    '\nWith nothing configured everything runs in a sandbox with play money. ' +
      'Settings: .env.example',
  )

program
  .command('start')
  .description('run the bot until Ctrl-C; with nothing configured, in the sandbox')
  .option('--json', 'print one JSON line with addresses when it is up')
  .action(async (options: { json?: boolean }) => {
    const { start } = await import('./main-start.ts')
    const { killPointOf } = await import('./config.ts')
    const killPoint = killPointOf(environment)
    if (killPoint !== undefined) (await import('./failpoint.ts')).armKill(killPoint)
    const context = await contextFor({ quiet: false })
    const signal = stopSignal(() => terminal.tell('Stopping; once more ends it at once.'))
    status = await start(context, { ...options, signal })
  })

program
  .command('demo')
  .description('play a conversation of four customers through a whole bot, in under a minute')
  .option('--json', 'print one JSON object per step')
  .action(async (options: { json?: boolean }) => {
    const { playDemo } = await import('./main-demo.ts')
    const signal = stopSignal(() => terminal.tell('Stopping.'))
    status = await playDemo(terminal, { ...options, isDebug: isDebug(), signal })
  })

program
  .command('ask')
  .description('send the bot a message as a customer and follow the conversation')
  .argument('<text...>', 'what to ask, or a command such as /balance')
  .option('--to <npub>', 'another bot than the one that runs here')
  .option('--yes', 'pay invoices of the sandbox without asking')
  .option('--json', 'speak JSON with the bot, print each of its messages as a line')
  .option('--timeout <seconds>', 'longest wait for the next message')
  .addHelpText(
    'after',
    '\nStatus: 0 answered, 1 refused, failed or not paid, 2 wrong call, 3 no answer in time.',
  )
  .action(async (words: string[], options: AskFlags) => {
    const { ask } = await import('./sandbox/ask.ts')
    const context = await contextFor({ quiet: true })
    const { timeout, ...flags } = options
    status = await ask(context, {
      ...flags,
      ...(timeout === undefined ? {} : { timeoutSeconds: readSeconds(timeout) }),
      text: words.join(' '),
      signal: stopSignal(() => {}),
    })
  })

interface AskFlags {
  to?: string
  yes?: boolean
  json?: boolean
  timeout?: string
}

program
  .command('tier')
  .description('grant tiers')
  .command('set')
  .description('grant a tier to one key')
  .argument('<npub>', 'the customer')
  .argument('<tier>', 'new, established, trusted, elite, or none to take the grant back')
  .option('--json', 'print JSON')
  .action(async (key: string, tier: string, options: { json?: boolean }) => {
    const { setTier } = await import('./operator/commands/tier.ts')
    status = await setTier(await contextFor({ quiet: true }), { key, tier, ...options })
  })

program
  .command('ban')
  .description('refuse everything a key asks for')
  .argument('<npub>', 'the customer')
  .option('--reason <text>', 'why, for your own records')
  .option('--lift', 'serve the key again')
  .option('--json', 'print JSON')
  .action(async (key: string, options: { reason?: string; lift?: boolean; json?: boolean }) => {
    const { ban } = await import('./operator/commands/ban.ts')
    status = await ban(await contextFor({ quiet: true }), { key, ...options })
  })

const pool = program
  .command('pool')
  .description('show the pool, or change it')
  .option('--json', 'print JSON')
  .action(async (options: { json?: boolean }) => {
    const { showPool } = await import('./operator/commands/pool.ts')
    status = await showPool(await contextFor({ quiet: true }), options)
  })

/** `--json` before or after the subcommand, as it comes to the fingers. */
const poolFlags = () => ({ json: pool.opts<{ json?: boolean }>().json === true })

pool
  .command('add')
  .description("move sats from the operator's account into the pool")
  .argument('<sats>')
  .action(async (amount: string) => {
    const { addToPool } = await import('./operator/commands/pool.ts')
    status = await addToPool(await contextFor({ quiet: true }), { amount, ...poolFlags() })
  })

for (const paused of [true, false]) {
  pool
    .command(paused ? 'pause' : 'resume')
    .description(paused ? 'give no free work until it is resumed' : 'let free work go on')
    .action(async () => {
      const { pausePool } = await import('./operator/commands/pool.ts')
      status = await pausePool(await contextFor({ quiet: true }), { paused, ...poolFlags() })
    })
}

pool
  .command('budget')
  .description('override the daily budget of a tier, at once')
  .argument('<tier>')
  .argument('<sats>', 'sats a day, or default for what the settings say')
  .action(async (tier: string, amount: string) => {
    const { setBudget } = await import('./operator/commands/pool.ts')
    status = await setBudget(await contextFor({ quiet: true }), { tier, amount, ...poolFlags() })
  })

program
  .command('audit')
  .description('add up every account; status 1 on any drift')
  .option('--json', 'print JSON')
  .option('--all', 'name every account with a drift')
  .action(async (options: { json?: boolean; all?: boolean }) => {
    const { audit } = await import('./operator/commands/audit.ts')
    status = await audit(await contextFor({ quiet: true }), options)
  })

const tools: MainTools = {
  contextFor,
  stopSignal,
  ended(its) {
    status = its
  },
}
addLooks(program, tools)
addPayouts(program, tools)
addSetup(program, tools, async () => {
  const { createLog } = await import('./log.ts')
  return { terminal, clock: systemClock, log: createLog(isDebug() ? 'debug' : 'silent') }
})

function readSeconds(text: string): number {
  const seconds = Number(text)
  if (/^\d{1,6}$/.test(text) && seconds > 0) return seconds
  throw new CommanderError(2, 'tithe.seconds', '--timeout takes whole seconds, 1 or more.')
}

/** Ends on purpose whatever is still open, after what was printed has been taken. */
async function end(code: number): Promise<never> {
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()))
  process.exit(code)
}

try {
  await program.parseAsync()
  await end(status)
} catch (error) {
  if (error instanceof CommanderError) {
    const helped = error.code === 'commander.helpDisplayed' || error.code === 'commander.version'
    if (error.code === 'tithe.seconds') terminal.tell(error.message)
    await end(helped ? 0 : 2)
  }
  const { explainFailure } = await import('./main-failure.ts')
  const failure = explainFailure(error, { config, isDebug: isDebug() })
  terminal.tell(failure.text)
  await end(failure.status)
}
