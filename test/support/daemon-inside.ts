import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { readConfig } from '../../src/config.ts'
import { type Daemon, startDaemon } from '../../src/daemon.ts'
import { type Log, silentLog } from '../../src/log.ts'
import { generateSecretKey } from '../../src/nostr/identity.ts'
import { createCustomer } from '../../src/sandbox/customer.ts'
import { type PlayLnbits, startPlayLnbits } from '../../src/sandbox/lnbits.ts'
import { type SandboxRelay, startRelay } from '../../src/sandbox/relay.ts'
import { type LabCustomer, labCustomer } from './daemon-lab.ts'
import { daemonSettings, lnbitsSettings } from './daemon-process.ts'
import { type DatabaseGate, databaseGate } from './database-gate.ts'
import { freshDatabase, type TestDatabase } from './database.ts'
import { type FastClock, fastClock } from './fast-clock.ts'

/** A whole daemon in the process of the test, which owns its clock and counts what it asks the database. */
export interface DaemonInside extends AsyncDisposable {
  daemon: Daemon
  clock: FastClock
  db: TestDatabase
  gate: DatabaseGate
  relay: SandboxRelay
  lnbits: PlayLnbits
  customer(): Promise<LabCustomer>
}

export async function daemonInside({
  times = 1,
  environment = {},
  log = silentLog,
}: {
  /** How much faster its time runs. */
  times?: number
  environment?: Record<string, string>
  log?: Log
} = {}): Promise<DaemonInside> {
  const [db, relay, lnbits] = await Promise.all([
    freshDatabase(),
    startRelay(),
    startPlayLnbits({ seedWallets: [{ name: 'payer', balanceSats: 1_000_000 }] }),
  ])
  const gate = await databaseGate({ target: db.connection })
  const dir = mkdtempSync(join(tmpdir(), 'tithe-inside-'))
  const clock = fastClock(times)
  const secretKey = Buffer.from(generateSecretKey()).toString('hex')
  const read = readConfig({
    ...daemonSettings({ secretKey, relays: [relay.url], databaseUrl: gate.url(db.name) }),
    ...lnbitsSettings(lnbits),
    ...{ DATA_DIR: dir, ...environment },
  })
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  const daemon = await startDaemon({ config: read.config, clock, log })
  const customers: { stop(): Promise<void> }[] = []
  return {
    ...{ daemon, clock, db, gate, relay, lnbits },
    async customer() {
      const secret = generateSecretKey()
      const { pubkey: bot } = daemon
      const common = { bot, relays: [relay.url], clock: systemClock, log: silentLog }
      const one = await createCustomer({ ...common, secret })
      customers.push(one)
      if (!(await one.begin(30_000))) throw new Error('the relay could not be reached')
      return labCustomer(one, lnbits)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(customers.map((one) => one.stop()))
      await daemon.stop()
      await gate[Symbol.asyncDispose]()
      await Promise.all([relay.stop(), lnbits.stop()])
      await db[Symbol.asyncDispose]()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
