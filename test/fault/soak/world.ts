import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../src/clock.ts'
import { silentLog } from '../../../src/log.ts'
import { loadCurve } from '../../../src/nostr/curve.ts'
import { createIdentity } from '../../../src/nostr/identity.ts'
import type { Identity } from '../../../src/nostr/types.ts'
import { type PlayLnbits, startPlayLnbits } from '../../../src/sandbox/lnbits.ts'
import { createRelayFaults } from '../../../src/sandbox/relay-faults.ts'
import { type SandboxRelay, startRelay } from '../../../src/sandbox/relay.ts'
import { openDatabase, type Sql } from '../../../src/store/database.ts'
import { startEmbedded } from '../../../src/store/embedded.ts'
import { isAlive } from '../../../src/store/process.ts'
import { type ChatServer, startChatServer } from '../../support/chat-server.ts'
import { daemonSettings, lnbitsSettings } from '../../support/daemon-process.ts'
import { type DatabaseGate, databaseGate } from '../../support/database-gate.ts'
import { memoryDir } from '../../support/memory-dir.ts'
import type { Seeded } from '../../support/seeded.ts'

/** What the daemons of a soak meet: everything of it lives in this process, and outlives them. */
export interface World extends AsyncDisposable {
  sql: Sql
  /**
   * The server of its own, which may be stopped as by a power cut and starts again by itself. False when it is
   * down already, and not up again yet.
   */
  stopPostgres(): boolean
  gate: DatabaseGate
  relays: SandboxRelay[]
  play: PlayLnbits
  chat: ChatServer
  bot: Identity
  /** Where daemons run, and with which settings. */
  dir: string
  settings: Record<string, string>
  /** What must never be in a log, by name. */
  secrets: Map<string, string>
}

/** Sats of the operator in the wallet, so that payouts do not fail for want of a reserve. */
export const FLOAT_SATS = 100_000
const PAYER_SATS = 1_000_000_000

export async function openWorld(random: Seeded): Promise<World> {
  const home = memoryDir()
  const postgres = await startEmbedded({
    ...{ dataDir: home.dir, log: silentLog, clock: systemClock },
    durable: false,
  })
  const { curve } = await loadCurve()
  const secret = random.bytes(32)
  const bot = createIdentity(curve, secret)
  const chance = () => random.int(2 ** 30) / 2 ** 30
  const [gate, first, second, play, chat] = await Promise.all([
    databaseGate({ target: postgres.connection }),
    startRelay({ faults: createRelayFaults(chance) }),
    startRelay({ faults: createRelayFaults(chance) }),
    startPlayLnbits({
      botBalanceSats: FLOAT_SATS,
      payWaitMs: 300,
      seedWallets: [{ name: 'payer', balanceSats: PAYER_SATS }],
    }),
    startChatServer(),
  ])
  const relays = [first, second]
  const dir = mkdtempSync(join(tmpdir(), 'tithe-soak-'))
  const secretKey = Buffer.from(secret).toString('hex')
  const sql = openDatabase({
    ...postgres.connection,
    ...{ max: 4, applicationName: 'soak', log: silentLog },
  })
  const { database = 'tithe' } = postgres.connection
  const settings = {
    ...daemonSettings({
      secretKey,
      relays: relays.map(({ url }) => url),
      databaseUrl: gate.url(database),
    }),
    ...lnbitsSettings(play),
    ...{
      BACKEND: 'chat',
      CHAT_BASE_URL: chat.baseUrl,
      CHAT_API_KEY: random.int(2 ** 40).toString(36),
    },
    ...{ BACKEND_TIMEOUT_SECONDS: '3', BTC_USD: '100000', INVOICE_TTL_SECONDS: '10' },
    MODELS: JSON.stringify([
      {
        ...{ name: 'small', inputUsdPerMillion: 10, outputUsdPerMillion: 1000 },
        maxOutputTokens: 40,
      },
    ]),
    ...{ POOL_SEED_SATS: '1000000', POOL_DAILY_OUTFLOW_PCT: '100', WITHDRAW_MIN_SATS: '100' },
    ...{ WITHDRAW_DAILY_SATS: '10000000', WITHDRAW_DAILY_TOTAL_SATS: '100000000' },
    LOG_LEVEL: 'info',
  }
  return {
    ...{ sql, gate, relays, play, chat, bot, dir, settings },
    stopPostgres() {
      return isAlive(postgres.pid) && process.kill(postgres.pid, 'SIGQUIT')
    },
    secrets: new Map([
      ['the key of the bot', secretKey],
      ['the admin key', play.bot.adminKey],
      ['the invoice key', play.bot.invoiceKey],
      ['the key of the backend', settings.CHAT_API_KEY],
    ]),
    async [Symbol.asyncDispose]() {
      await sql.end({ timeout: 0 })
      await gate[Symbol.asyncDispose]()
      await Promise.all([...relays.map((relay) => relay.stop()), play.stop()])
      await chat[Symbol.asyncDispose]()
      await postgres.stop()
      home[Symbol.dispose]()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Asks until the database answers: it is stopped now and then, which is not what is asked about. */
export async function steadily<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask()
    } catch (error) {
      if (tries >= STEADY_TRIES) throw error
      await systemClock.sleep(STEADY_MS)
    }
  }
}

const STEADY_TRIES = 300
const STEADY_MS = 100
