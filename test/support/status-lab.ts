import { type Clock, systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { defaultMoneyRules } from '../../src/money/rules.ts'
import type { Identity, NostrEvent } from '../../src/nostr/types.ts'
import {
  createStatusLoop,
  type StatusLoop,
  type StatusLoopOptions,
} from '../../src/operator/status-loop.ts'
import { type SandboxRelay, startRelay } from '../../src/sandbox/relay.ts'
import { inTransaction } from '../../src/store/database.ts'
import { seedPool } from '../../src/store/pool.ts'
import { type ReplicaFacts, reportReplica } from '../../src/store/replicas.ts'
import { leaveTurns } from '../../src/store/turns.ts'
import { freshDatabase, type TestDatabase } from './database.ts'
import { connected, newIdentity, verify } from './relay-lab.ts'
import { until } from './until.ts'

/** A relay on a socket, a database, and any number of replicas that publish the pool status there. */
export interface StatusLab extends AsyncDisposable {
  db: TestDatabase
  relay: SandboxRelay
  bot: Identity
  /** Every status that the relay took, in order of arrival; all of them verify. */
  heard: NostrEvent[]
  replica(holder: string, options?: Partial<StatusLoopOptions>): Promise<StatusLoop>
  /** The `count`-th event that fits. */
  status(fits?: (event: NostrEvent) => boolean, count?: number): Promise<NostrEvent>
}

export const quietFacts: ReplicaFacts = {
  relays: [],
  lnbits: { up: true, events: true, balanceSats: 0, downMs: null },
  backend: 'echo',
  http: '',
}

export async function statusLab({
  clock = systemClock,
}: {
  clock?: Clock
} = {}): Promise<StatusLab> {
  const [db, relay] = await Promise.all([freshDatabase(), startRelay()])
  const bot = newIdentity()
  const writer = connected({ url: relay.url, identity: bot })
  const reader = connected({ url: relay.url })
  const heard: NostrEvent[] = []
  reader.subscribe({
    filters: [{ authors: [bot.pubkey], kinds: [30_078] }],
    onEvent: (event) => void heard.push(event),
  })
  await inTransaction(db.sql, (tx) => seedPool(tx, defaultMoneyRules))
  const loops: StatusLoop[] = []
  return {
    ...{ db, relay, bot, heard },
    async replica(holder, options = {}) {
      await reportReplica(db.sql, { holder, version: '1.0.0', upSeconds: 0, facts: quietFacts })
      const loop = createStatusLoop({
        ...{ sql: db.sql, rules: defaultMoneyRules, mode: 'exact', intervalSeconds: 300 },
        ...{
          holder,
          version: '1.0.0',
          clock,
          log: silentLog,
          degraded: () => false,
          debounceMs: 100,
        },
        async publish(template) {
          const { outcome } = await writer.publish(bot.sign(template), 5_000)
          if (outcome !== 'acknowledged') throw new Error(`the relay said ${outcome}`)
        },
        ...options,
      })
      loops.push(loop)
      return {
        ...loop,
        // As the daemon does: its word goes with it, and so do its turns.
        async stop() {
          await loop.stop()
          await db.sql`delete from outbox_replicas where holder = ${holder}`
          await leaveTurns(db.sql, holder)
        },
      }
    },
    status: (fits = () => true, count = 1) =>
      until(`status number ${count}`, () => heard.filter(fits)[count - 1]),
    async [Symbol.asyncDispose]() {
      await Promise.all(loops.map((loop) => loop.stop()))
      await Promise.all([writer.stop(), reader.stop()])
      await relay.stop()
      await db[Symbol.asyncDispose]()
      if (!heard.every(verify)) throw new Error('a status did not verify')
    },
  }
}
