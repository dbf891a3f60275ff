import { type CommandContext, type ExitStatus, withProgress } from './command.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { version } from './version.ts'

/** Runs the daemon until `signal`, and says where everything is. */
export async function start(
  context: CommandContext,
  { json = false, signal }: { json?: boolean; signal: AbortSignal },
): Promise<ExitStatus> {
  const { config, clock, log, terminal } = context
  const text = 'Starting the database, this takes a few seconds the first time…'
  const starting = startDaemon({ config, clock, log, signal })
  const daemon = await withProgress(context, text, starting).catch((error: unknown) => {
    // Ended while it waited for its database: there is nothing to stop, and nobody to complain to.
    if (signal.aborted) return undefined
    throw error
  })
  if (!daemon) return 0
  if (json) terminal.print(JSON.stringify(factsOf(daemon)))
  else for (const line of greeting(context, daemon)) terminal.print(line)
  await aborted(signal)
  const stopping = 'Waiting for the work in progress…'
  await withProgress(context, stopping, daemon.stop())
  return 0
}

function factsOf({ npub, pubkey, relays, stack, http, sandbox }: Daemon) {
  return {
    started: true,
    mode: sandbox ? 'sandbox' : 'real',
    npub,
    pubkey,
    relays,
    statusUrl: http.url,
    lnbitsUrl: stack.lnbits,
    database: stack.database,
    curve: stack.curve,
  }
}

function greeting({ config, terminal }: CommandContext, daemon: Daemon): string[] {
  const { paint } = terminal
  const { stack, http, relays } = daemon
  const row = (name: string, value: string) => `  ${paint('dim', name.padEnd(11))}${value}`
  const rows = [
    row('bot', `${daemon.npub} (${config.nostr.botName})`),
    row(relays.length === 1 ? 'relay' : 'relays', relays.join(' ')),
    row('LNbits', stack.lnbits),
    row('status', http.url),
    row('database', stack.database),
    row('data', config.dataDir),
    row('curve', stack.curve === 'native' ? 'native (libsecp256k1)' : 'WebAssembly'),
  ]
  const until = ['', '  Ctrl-C stops it.', '']
  if (!daemon.sandbox)
    return ['', paint('bold', `tithe ${version} deals in real sats.`), ...rows, ...until]
  const edge = paint('yellow', '*'.repeat(72))
  return [
    '',
    edge,
    paint('yellow', '  SANDBOX: play money. Nothing here is real, nothing leaves this machine.'),
    edge,
    '',
    ...rows,
    '',
    '  Ask it something, in a second terminal:',
    '',
    `    ${paint('bold', 'npm run ask -- "What is a satoshi?"')}`,
    '',
    '  For real sats see README.md; .env.example lists every setting.',
    ...until,
  ]
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
