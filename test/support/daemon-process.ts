import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import type { PlayLnbits } from '../../src/sandbox/lnbits.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')
/** What the command imports when it starts a daemon. */
const STARTED = join(import.meta.dirname, '../../src/main-start.ts')
const START_MS = 60_000

/** A daemon in a process of its own. */
export interface DaemonProcess {
  readonly pubkey: string
  readonly pid: number
  /** Address of its status port. */
  readonly statusUrl: string
  /** What it wrote to stderr. */
  log(): string
  /** Sends a signal and waits until it is gone; nothing when it is already. */
  kill(signal: NodeJS.Signals): Promise<number | null>
  /** Sends a signal and waits for nothing. */
  send(signal: NodeJS.Signals): void
  isGone(): boolean
  /** Resolves when the process is gone, with its exit code; null when a signal ended it. */
  readonly gone: Promise<number | null>
}

/** A daemon that has not said yet that it is up. */
export interface StartingDaemon extends Omit<DaemonProcess, 'pubkey' | 'statusUrl'> {
  /** Fails when it ends before. */
  readonly up: Promise<DaemonProcess>
}

/** Short times, so that a test need not wait for what production waits for. */
export function daemonSettings(place: {
  secretKey: string
  relays: readonly string[]
  databaseUrl: string
}): Record<string, string> {
  return {
    NOSTR_SECRET_KEY: place.secretKey,
    RELAYS: place.relays.join(','),
    DATABASE_URL: place.databaseUrl,
    BACKEND: 'echo',
    MODELS: '[{"name":"echo","satsPerRequest":21}]',
    HTTP_PORT: '0',
    LOG_LEVEL: 'warn',
    PAYMENT_POLL_SECONDS: '1',
    WORK_LEASE_SECONDS: '2',
    DELIVERY_LEASE_SECONDS: '2',
    STOP_GRACE_SECONDS: '2',
  }
}

export const lnbitsSettings = ({ url, bot }: PlayLnbits): Record<string, string> => ({
  LNBITS_URL: url,
  LNBITS_INVOICE_KEY: bot.invoiceKey,
  LNBITS_ADMIN_KEY: bot.adminKey,
})

let compiled: string | undefined

/**
 * Modules as Node has compiled them, which is half of what a start costs. A killed process writes none, so one
 * that ends by itself has to come first.
 */
function compiledModules(): string {
  if (compiled !== undefined) return compiled
  const dir = join(tmpdir(), `tithe-compiled-${process.getuid?.() ?? 0}`)
  const program = `await import(${JSON.stringify(pathToFileURL(STARTED).href)})`
  const env = { PATH: process.env.PATH, NODE_COMPILE_CACHE: dir }
  spawnSync(process.execPath, ['--input-type=module', '--eval', program], { env })
  compiled = dir
  return dir
}

/** Starts a daemon in `dir`. */
export function startDaemonProcess(
  dir: string,
  environment: Record<string, string>,
): StartingDaemon {
  const child = spawn(process.execPath, [MAIN, 'start', '--json'], {
    cwd: dir,
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: compiledModules(),
      DATA_DIR: dir,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { stdout, stderr } = child
  let log = ''
  stderr.on('data', (chunk) => {
    log += chunk
  })
  let isGone = false
  const gone = once(child, 'close').then(([code]): number | null => {
    isGone = true
    return code
  })
  const daemon = {
    pid: child.pid ?? 0,
    log: () => log,
    gone,
    isGone: () => isGone,
    send: (signal: NodeJS.Signals) => void child.kill(signal),
    async kill(signal: NodeJS.Signals) {
      child.kill(signal)
      return gone
    },
  }
  const first = once(createInterface({ input: stdout }), 'line', {
    signal: AbortSignal.timeout(START_MS),
  })
  const up = Promise.race([
    first,
    gone.then((): never => {
      throw new Error(`the daemon ended before it was up:\n${log}`)
    }),
  ]).then(([line]): DaemonProcess => {
    const { pubkey, statusUrl } = JSON.parse(line)
    return { ...daemon, pubkey, statusUrl }
  })
  // Whoever waits for it hears of it; a test that only watches the log does not.
  up.catch(() => {})
  return { ...daemon, up }
}
