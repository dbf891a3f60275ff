import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../src/log.ts'
import { generateSecretKey } from '../src/nostr/identity.ts'
import { openDatabase, type Sql } from '../src/store/database.ts'
import type { DatabaseTarget } from '../src/store/database-target.ts'
import { migrate } from '../src/store/migrate.ts'
import { type GateServer, startServer } from './gate-database.ts'
import type { Usage } from './stage-bot.ts'

/** Everything around a bench of whole conversations: a database on a disk, relays, LNbits and the daemon. */
export interface Stage extends AsyncDisposable {
  readonly relays: readonly string[]
  readonly sql: Sql
  readonly bot: string
  /** `native` or `wasm`. */
  readonly curve: string
  readonly statusUrl: string
  startBot(): Promise<void>
  stopBot(): Promise<void>
  /** What the daemon's process needed since the last call. */
  usage(): Promise<Usage>
  /** From now on the daemon notes when it passes its failpoints. */
  markStages(): void
  /** Pays an invoice from another wallet of the same LNbits. */
  pay(bolt11: string): Promise<void>
  /** When LNbits settled an invoice by its own clock, milliseconds since the epoch. */
  settledAt(paymentHash: string): Promise<number>
  /** One message to the process of relays and LNbits, and its answer. */
  askWorld(question: object): Promise<unknown>
}

export interface StageOptions {
  relays?: number
  /** Relays that are not of this stage, for which the first of its own is known. */
  otherRelays?: (relay: string) => Promise<readonly string[]>
  /** The daemon's key; a fresh one unless given. */
  secret?: Uint8Array
  environment?: Record<string, string>
  /** File and arguments of the process of relays and LNbits, instead of the usual one. */
  world?: [file: string, ...args: string[]]
}

export interface World {
  relays: string[]
  lnbitsUrl: string
  /** Where payers go, if not where the daemon does. */
  payerUrl?: string
  invoiceKey: string
  payerKey: string
}

const MIGRATIONS = join(import.meta.dirname, '../migrations')
const at = (file: string) => new URL(file, import.meta.url).pathname

export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const dir = mkdtempSync(join(tmpdir(), 'tithe-stage-'))
  const server = await startServer(undefined)
  const target = await makeDatabase(server)
  const sql = openDatabase({ ...target, max: 4, applicationName: 'tithe bench', log: silentLog })
  await migrate(sql, { dir: MIGRATIONS })
  const [worldFile, ...worldArgs] = options.world ?? [at('stage-world.ts')]
  const world = fork(worldFile, [String(options.relays ?? 1), ...worldArgs])
  const facts = (await firstMessage(world)) as World
  const others = (await options.otherRelays?.(facts.relays[0] ?? '')) ?? []
  const environment = {
    PATH: process.env.PATH,
    NOSTR_SECRET_KEY: Buffer.from(options.secret ?? generateSecretKey()).toString('hex'),
    RELAYS: [...facts.relays, ...others].join(','),
    LNBITS_URL: facts.lnbitsUrl,
    LNBITS_INVOICE_KEY: facts.invoiceKey,
    DATABASE_URL: urlOf(target),
    DATA_DIR: dir,
    BACKEND: 'echo',
    MODELS: '[{"name":"echo","satsPerRequest":21}]',
    HTTP_PORT: '0',
    LOG_LEVEL: 'warn',
    ...options.environment,
  }
  let bot: ChildProcess | undefined
  const stage = {
    relays: facts.relays,
    sql,
    bot: '',
    curve: '',
    statusUrl: '',
    async startBot() {
      bot = fork(at('stage-bot.ts'), [], { env: environment, cwd: dir })
      Object.assign(stage, named(await firstMessage(bot)))
    },
    async stopBot() {
      if (!bot?.connected) return
      const gone = once(bot, 'exit')
      bot.send('stop')
      await gone
    },
    async usage() {
      if (!bot) throw new Error('the bot was not started')
      bot.send('usage')
      const [used] = await once(bot, 'message')
      return used as Usage
    },
    markStages: () => void bot?.send('marks'),
    async pay(bolt11: string) {
      await payFrom(facts, bolt11)
    },
    settledAt: (paymentHash: string) => readSettled(facts, paymentHash),
    async askWorld(question: object) {
      world.send(question)
      return firstMessage(world)
    },
    async [Symbol.asyncDispose]() {
      await stage.stopBot()
      world.disconnect()
      await sql.end()
      await server.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  await stage.startBot()
  return stage
}

const named = (message: unknown) => {
  const { pubkey, statusUrl, curve } = message as Record<string, string>
  return { bot: pubkey, statusUrl, curve }
}

async function payFrom(world: World, bolt11: string): Promise<void> {
  const response = await fetch(`${world.payerUrl ?? world.lnbitsUrl}/api/v1/payments`, {
    method: 'POST',
    headers: { 'x-api-key': world.payerKey, 'content-type': 'application/json' },
    body: JSON.stringify({ out: true, bolt11 }),
  })
  await response.arrayBuffer()
  if (response.status !== 201) throw new Error(`the payer got ${response.status}`)
}

/** A paid row is written for the last time when it is settled. */
async function readSettled(world: World, paymentHash: string): Promise<number> {
  const address = `${world.payerUrl ?? world.lnbitsUrl}/api/v1/payments/${paymentHash}`
  const response = await fetch(address, { headers: { 'x-api-key': world.invoiceKey } })
  const { details } = (await response.json()) as { details: { updated_at: string } }
  return microsecondsOf(details.updated_at) / 1000
}

/** `2026-11-25T23:02:41.870969+00:00`: a `Date` would drop the last three digits. */
function microsecondsOf(instant: string): number {
  const [, micros = ''] = /\.\d{3}(\d{3})/.exec(instant) ?? []
  return Date.parse(instant) * 1000 + Number(micros)
}

export async function firstMessage(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(([code]): never => {
    throw new Error(`a process of the bench ended with ${code}`)
  })
  const [message] = await Promise.race([once(child, 'message'), ended])
  return message
}

async function makeDatabase({ target }: GateServer): Promise<DatabaseTarget> {
  const options = { ...target, database: 'postgres', max: 1, applicationName: 'tithe bench' }
  const sql = openDatabase({ ...options, log: silentLog })
  await sql`create database stage`
  await sql.end()
  return { ...target, database: 'stage' }
}

function urlOf({ url, socketDir, port, database, username }: DatabaseTarget): string {
  const made = new URL(url ?? 'postgres://localhost')
  made.pathname = `/${database}`
  if (socketDir === undefined) return made.href
  made.username = username ?? ''
  made.searchParams.set('host', socketDir)
  if (port !== undefined) made.searchParams.set('port', String(port))
  return made.href
}
