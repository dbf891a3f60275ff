import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  accessSync,
  constants,
  globSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

export interface RealWallet {
  id: string
  invoiceKey: string
  adminKey: string
}

/** A real LNbits on loopback that ends with its parent, however that ends. */
export interface RealLnbits extends AsyncDisposable {
  url: string
  /** Its SQLite file, for rows that would take too long to make by its API. */
  databaseFile: string
  /** Makes a wallet of its own account and credits it. */
  createWallet(name: string, balanceSats: number): Promise<RealWallet>
  /** USD per BTC; 0 takes the price away. */
  setRate(usd: number): void
  /** As kill -9; the data stays. */
  kill(): Promise<void>
  /** Starts again on the same port and data. */
  restart(): Promise<void>
  /** Stops answering without ending, as a machine that hangs. */
  suspend(): void
  resume(): void
  /** The end of its log, for a failing run. */
  logEnd(): string
  stop(): Promise<void>
}

const START_MS = 120_000
const STOP_MS = 5_000
const LOG_CHARS = 3_000

/** What makes LNbits quiet, local and quick. With its admin pages off it would take no credits. */
const SETTINGS = {
  LNBITS_BACKEND_WALLET_CLASS: 'FakeWallet',
  FAKE_WALLET_SECRET: 'play money',
  LNBITS_ADMIN_UI: 'true',
  LNBITS_EXTENSIONS_DEACTIVATE_ALL: 'true',
  LNBITS_EXTENSIONS_DEFAULT_INSTALL: '',
  LNBITS_EXTENSIONS_MANIFESTS: '[]',
  LNBITS_WASM_EXTENSIONS_MANIFESTS: '[]',
  LNBITS_RATE_LIMIT_NO: '1000000',
  LNBITS_EXCHANGE_RATE_PROVIDERS: '[]',
  LNBITS_EXCHANGE_RATE_CACHE_SECONDS: '1',
}

/**
 * Starts LNbits from the virtual environment `home`, installs it for the first time, and waits
 * until it answers.
 */
export async function startRealLnbits(
  home: string,
  settings: Record<string, string> = {},
): Promise<RealLnbits> {
  const rates = await startRates()
  const data = mkdtempSync(join(memory() ?? tmpdir(), 'tithe-lnbits-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const process_ = createProcess({ home, data, port, settings, rateUrl: rates.url })
  try {
    await process_.start()
    const token = await firstInstall(url)
    const lnbits: RealLnbits = {
      url,
      databaseFile: join(data, 'database.sqlite3'),
      createWallet: (name, balanceSats) => createWallet({ url, token, name, balanceSats }),
      setRate: rates.set,
      kill: () => process_.end('SIGKILL'),
      restart: process_.start,
      suspend: () => process_.signal('SIGSTOP'),
      resume: () => process_.signal('SIGCONT'),
      logEnd: process_.logEnd,
      async stop() {
        await process_.end('SIGKILL')
        rates.server.close()
        rmSync(data, { recursive: true, force: true })
      },
      [Symbol.asyncDispose]: () => lnbits.stop(),
    }
    return lnbits
  } catch (error) {
    await process_.end('SIGKILL')
    rates.server.close()
    rmSync(data, { recursive: true, force: true })
    throw error
  }
}

interface ProcessParts {
  home: string
  data: string
  port: number
  settings: Record<string, string>
  rateUrl: string
}

function createProcess({ home, data, port, settings, rateUrl }: ProcessParts) {
  const logFile = join(data, 'lnbits.log')
  const logEnd = () => readFileSync(logFile, 'utf8').slice(-LOG_CHARS)
  let child: ChildProcess | undefined
  let guard: ChildProcess | undefined

  const start = async () => {
    const log = openSync(logFile, 'a', 0o600)
    const { PATH = '', HOME = '', TZ = '' } = process.env
    // LNbits finds its static files only from the directory it lies in.
    const [cwd = home] = globSync(join(home, 'lib/python3*/site-packages'))
    child = spawn(
      join(home, 'bin/python'),
      ['-m', 'uvicorn', 'lnbits.__main__:app', '--host', '127.0.0.1', '--port', String(port)],
      {
        cwd,
        detached: true,
        stdio: ['ignore', log, log],
        env: {
          PATH,
          HOME,
          ...(TZ === '' ? {} : { TZ }),
          ...SETTINGS,
          LNBITS_DATA_FOLDER: data,
          LNBITS_PRICE_AGGREGATOR_URL: rateUrl,
          ...settings,
        },
      },
    )
    guard = startGuard(child.pid ?? 0, data)
    const giveUpAt = Date.now() + START_MS
    while (child.exitCode === null && Date.now() < giveUpAt) {
      if (await listens(port)) return
      await wait(100)
    }
    throw new Error(`LNbits did not start; the end of its log:\n${logEnd()}`)
  }

  const end = async (signal: NodeJS.Signals) => {
    guard?.kill('SIGKILL')
    if (child && child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit')
      child.kill('SIGCONT')
      child.kill(signal)
      await Promise.race([gone, wait(STOP_MS)])
    }
    child = undefined
  }
  return { start, end, logEnd, signal: (signal: NodeJS.Signals) => void child?.kill(signal) }
}

/**
 * Ends LNbits when this process dies in any way: then the pipe closes, whose other end nobody else
 * holds.
 */
function startGuard(pid: number, data: string): ChildProcess {
  const script = 'cat >/dev/null; kill -9 "$1" 2>/dev/null; rm -rf "$2"'
  return spawn('sh', ['-c', script, 'tithe-lnbits-guard', String(pid), data], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
}

/** A start on data in memory takes half the time of one on a disk. */
function memory(): string | undefined {
  try {
    accessSync('/dev/shm', constants.W_OK)
    return '/dev/shm'
  } catch {
    return undefined
  }
}

async function freePort(): Promise<number> {
  const probe = createTcpServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const port = portOf(probe.address())
  probe.close()
  await once(probe, 'close')
  return port
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

/** Stands in for the price service that LNbits asks. Without a price it answers 503. */
async function startRates(): Promise<{ url: string; server: Server; set(usd: number): void }> {
  let usd = 100_000
  const server = createServer((request, response) => {
    const known = request.url?.toUpperCase().endsWith('/USD') && usd > 0
    response.writeHead(known ? 200 : 503)
    response.end(JSON.stringify({ rates: { median: usd } }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  const set = (next: number) => {
    usd = next
  }
  return { url: `http://127.0.0.1:${portOf(server.address())}`, server, set }
}

function portOf(address: ReturnType<Server['address']>): number {
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return address.port
}

async function call(
  method: string,
  address: string,
  body: object,
  token?: string,
): Promise<Map<string, unknown>> {
  const response = await fetch(address, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  })
  const text = await response.text()
  if (!response.ok)
    throw new Error(`${method} ${new URL(address).pathname}: HTTP ${response.status}`)
  return new Map(Object.entries(JSON.parse(text)))
}

async function firstInstall(url: string): Promise<string> {
  const password = randomBytes(12).toString('hex')
  const body = { username: 'operator', password, password_repeat: password }
  const made = await call('PUT', `${url}/api/v1/auth/first_install`, body)
  return String(made.get('access_token'))
}

async function createWallet({
  url,
  token,
  name,
  balanceSats,
}: {
  url: string
  token: string
  name: string
  balanceSats: number
}): Promise<RealWallet> {
  const made = await call('POST', `${url}/api/v1/account`, { name })
  const id = String(made.get('id'))
  if (balanceSats > 0) {
    await call('PUT', `${url}/users/api/v1/balance`, { id, amount: balanceSats }, token)
  }
  return { id, invoiceKey: String(made.get('inkey')), adminKey: String(made.get('adminkey')) }
}
