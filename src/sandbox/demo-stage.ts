import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { type Config, configProblemText, readConfig } from '../config.ts'
import type { Ground } from '../ground.ts'
import type { Log } from '../log.ts'
import { generateSecretKey } from '../nostr/identity.ts'
import { createCustomer, type Customer } from './customer.ts'
import { poolSats } from './demo-books.ts'
import { demoModels, startDemoModel } from './demo-model.ts'
import { type ReadStatus, type Subscriber, subscribe } from './demo-subscriber.ts'
import type { PlayWallet } from './lnbits-books.ts'
import type { Sandbox } from './sandbox.ts'

/** The part of a daemon that the demo stands on; main hands in the real one. */
export interface DemoDaemon {
  readonly pubkey: string
  readonly npub: string
  readonly relays: readonly string[]
  readonly stack: { curve: string; database: string; lnbits: string }
  readonly sandbox: Sandbox | undefined
  readonly ground: Ground
  stop(): Promise<void>
}

export interface DemoParts {
  startDaemon(options: { config: Config; clock: Clock; log: Log }): Promise<DemoDaemon>
  readStatus: ReadStatus
  clock: Clock
  log: Log
}

/** Somebody in the play: a name, a NIP-17 client, and a play-money wallet where one is needed. */
export interface Actor {
  name: string
  customer: Customer
  wallet: PlayWallet | undefined
}

export interface Stage {
  readonly daemon: DemoDaemon
  readonly botName: string
  readonly subscriber: Subscriber
  /** The pool as it stood when the model was last called, sats. */
  poolAtWork(): number
  /** A client that reads and writes on the sandbox relay; with the same `secret`, another device of one person. */
  enter(name: string, options?: { secret?: Uint8Array; walletSats?: number }): Promise<Actor>
  stop(): Promise<void>
}

const CONNECT_MS = 5_000

/**
 * A whole bot in a directory that goes away with it: embedded database, relay, LNbits and model, all
 * on sockets of this machine. Nothing of the operator's settings gets in.
 */
export async function setStage(parts: DemoParts): Promise<Stage> {
  const dir = await mkdtemp(join(tmpdir(), 'tithe-demo-'))
  // To be passed through: under root the database runs as another user.
  await chmod(dir, 0o711)
  const undo: (() => Promise<void>)[] = [() => rm(dir, { recursive: true, force: true })]
  const stop = async () => {
    for (const end of undo.splice(0).reverse()) await end()
  }
  try {
    let atWorkSats = 0
    const model = await startDemoModel(async () => {
      atWorkSats = await poolSats(daemon.ground.sql)
    })
    undo.push(model.stop)
    const config = demoConfig(dir, model.url)
    const daemon = await parts.startDaemon({ config, clock: parts.clock, log: parts.log })
    undo.push(daemon.stop)
    const [relay = ''] = daemon.relays
    const watched = { relay, bot: daemon.pubkey, clock: parts.clock }
    const subscriber = await subscribe(watched, parts.readStatus)
    undo.push(subscriber.stop)
    return {
      daemon,
      botName: config.nostr.botName,
      subscriber,
      poolAtWork: () => atWorkSats,
      async enter(name, { secret = generateSecretKey(), walletSats } = {}) {
        const { clock, log } = parts
        const bot = daemon.pubkey
        const customer = await createCustomer({ secret, bot, relays: daemon.relays, clock, log })
        undo.push(customer.stop)
        if (!(await customer.begin(CONNECT_MS))) throw new Error(`${name} cannot reach the relay`)
        const { lnbits } = daemon.sandbox ?? {}
        const wallet = walletSats === undefined ? undefined : lnbits?.createWallet(name, walletSats)
        return { name, customer, wallet }
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function demoConfig(dataDir: string, modelUrl: string): Config {
  const read = readConfig({
    DATA_DIR: dataDir,
    HTTP_PORT: '0',
    SANDBOX_RELAY_PORT: '0',
    SANDBOX_LNBITS_PORT: '0',
    BACKEND: 'chat',
    CHAT_BASE_URL: modelUrl,
    MODELS: JSON.stringify(demoModels),
  })
  if (!read.ok) throw new Error(configProblemText(read.problems))
  return read.config
}
