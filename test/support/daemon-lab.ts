import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { generateSecretKey } from '../../src/nostr/identity.ts'
import { createCustomer, type Customer, type Letter } from '../../src/sandbox/customer.ts'
import { type PlayLnbits, startPlayLnbits } from '../../src/sandbox/lnbits.ts'
import { type SandboxRelay, startRelay } from '../../src/sandbox/relay.ts'
import {
  type DaemonProcess,
  daemonSettings,
  lnbitsSettings,
  type StartingDaemon,
  startDaemonProcess,
} from './daemon-process.ts'
import { freshDatabase, type TestDatabase } from './database.ts'

/** A daemon in a process of its own, with the world around it outside of that process. */
export interface DaemonLab extends AsyncDisposable {
  relay: SandboxRelay
  lnbits: PlayLnbits
  db: TestDatabase
  /** Starts one more daemon on the same key, database, relay and LNbits; resolves when it is up. */
  start(environment?: Record<string, string>): Promise<DaemonProcess>
  /** The same without waiting until it is up. */
  begin(environment?: Record<string, string>): StartingDaemon
  customer(secret?: Uint8Array): Promise<LabCustomer>
  /** Pays an invoice from a wallet of the same LNbits. */
  pay(bolt11: unknown): Promise<void>
}

/** A program that talks to the bot: JSON in, JSON out. */
export interface LabCustomer {
  readonly pubkey: string
  /** Sends a request and answers the id its replies will carry. */
  ask(request: Record<string, unknown>): Promise<string>
  /** The next reply to `id`, parsed; fails after `ms`. */
  reply(id: string, ms?: number): Promise<Record<string, unknown>>
  /** Every reply so far to `id`, once nothing more has come for `quietMs`. */
  replies(id: string, quietMs: number): Promise<Record<string, unknown>[]>
  pay(bolt11: unknown): Promise<void>
}

const REPLY_MS = 30_000

export async function daemonLab({
  secret = generateSecretKey(),
}: {
  secret?: Uint8Array
} = {}): Promise<DaemonLab> {
  const [db, relay] = await Promise.all([freshDatabase(), startRelay()])
  const lnbits = await startPlayLnbits({ seedWallets: [{ name: 'payer', balanceSats: 1_000_000 }] })
  const dir = mkdtempSync(join(tmpdir(), 'tithe-lab-'))
  const secretKey = Buffer.from(secret).toString('hex')
  const running: StartingDaemon[] = []
  const customers: Customer[] = []
  let bot = ''

  function begin(environment: Record<string, string> = {}): StartingDaemon {
    const daemon = startDaemonProcess(dir, {
      ...daemonSettings({ secretKey, relays: [relay.url], databaseUrl: db.url }),
      ...lnbitsSettings(lnbits),
      ...environment,
    })
    running.push(daemon)
    return daemon
  }

  async function start(environment?: Record<string, string>): Promise<DaemonProcess> {
    const daemon = await begin(environment).up
    bot = daemon.pubkey
    return daemon
  }

  async function customer(secret: Uint8Array = generateSecretKey()): Promise<LabCustomer> {
    if (bot === '') throw new Error('start a daemon first: its key is not known yet')
    const common = { bot, relays: [relay.url], clock: systemClock, log: silentLog }
    const one = await createCustomer({ ...common, secret })
    customers.push(one)
    if (!(await one.begin(REPLY_MS))) throw new Error('the relay could not be reached')
    return labCustomer(one, lnbits)
  }

  return {
    relay,
    lnbits,
    db,
    start,
    begin,
    customer,
    pay: (bolt11) => payFrom(lnbits, bolt11),
    async [Symbol.asyncDispose]() {
      await Promise.all(customers.map((one) => one.stop()))
      await Promise.all(running.map((daemon) => daemon.kill('SIGKILL')))
      await Promise.all([relay.stop(), lnbits.stop()])
      await db[Symbol.asyncDispose]()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

let nextId = 0

export function labCustomer(customer: Customer, lnbits: PlayLnbits): LabCustomer {
  const abouts = new Map<string, string>()
  const never = new AbortController().signal

  async function hear(id: string, ms: number): Promise<Letter | undefined> {
    return customer.hear(abouts.get(id) ?? '', ms, never)
  }

  return {
    pubkey: customer.pubkey,
    async ask(request) {
      nextId += 1
      const id = `lab-${nextId}`
      const about = await customer.say(JSON.stringify({ id, ...request }))
      if (about === undefined) throw new Error('no relay took the message')
      abouts.set(id, about)
      return id
    },
    async reply(id, ms = REPLY_MS) {
      const letter = await hear(id, ms)
      if (!letter) throw new Error(`no reply to ${id} within ${ms} ms`)
      return JSON.parse(letter.text)
    },
    async replies(id, quietMs) {
      const heard: Record<string, unknown>[] = []
      for (let letter = await hear(id, quietMs); letter; letter = await hear(id, quietMs)) {
        heard.push(JSON.parse(letter.text))
      }
      return heard
    },
    pay: (bolt11) => payFrom(lnbits, bolt11),
  }
}

async function payFrom(lnbits: PlayLnbits, bolt11: unknown): Promise<void> {
  const payer = lnbits.wallet('payer')
  const response = await fetch(`${lnbits.url}/api/v1/payments`, {
    method: 'POST',
    headers: { 'x-api-key': payer?.adminKey ?? '', 'content-type': 'application/json' },
    body: JSON.stringify({ out: true, bolt11 }),
  })
  if (response.status !== 201) throw new Error(`the payer got ${response.status}`)
}
