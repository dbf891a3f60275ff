import { randomBytes } from 'node:crypto'
import { armFailpoints, type Failpoint } from '../../src/failpoint.ts'
import { BackendError } from '../../src/backends/backend.ts'
import { systemClock, unixSeconds } from '../../src/clock.ts'
import { createEnvelope } from '../../src/journey/envelope.ts'
import { buildJourney, type Journey } from '../../src/journey/journey.ts'
import { createPrices } from '../../src/journey/prices.ts'
import { createLnbits } from '../../src/lightning/lnbits.ts'
import { silentLog } from '../../src/log.ts'
import { defaultMoneyRules } from '../../src/money/rules.ts'
import { loadCurve } from '../../src/nostr/curve.ts'
import { tagValue } from '../../src/nostr/event.ts'
import { makeRumor, openGiftWrap } from '../../src/nostr/giftwrap.ts'
import { createIdentity } from '../../src/nostr/identity.ts'
import type { RelayLists } from '../../src/nostr/relay-lists.ts'
import type { Identity, NostrEvent } from '../../src/nostr/types.ts'
import { type PlayLnbits, startPlayLnbits } from '../../src/sandbox/lnbits.ts'
import { setGrantedTier } from '../../src/store/customers.ts'
import {
  type DatabaseTarget,
  inTransaction,
  openDatabase,
  type Sql,
} from '../../src/store/database.ts'
import { seedPool } from '../../src/store/pool.ts'
import {
  type Asked,
  brokenBooks,
  brokenReplies,
  brokenStart,
  type Evidence,
  type Heard,
  unended,
} from './checkers.ts'
import { freshDatabase, type TestDatabase } from './database.ts'
import { type DatabaseGate, databaseGate } from './database-gate.ts'
import { rawCall, textAt } from './lnbits-raw.ts'
import { until } from './until.ts'

/** Prices by tokens, so that what work really costs is below its quote and a part of it comes back. */
const MODEL = { inputUsdPerMillion: '10', outputUsdPerMillion: '1000', maxOutputTokens: 40 }
/** What makes the backend give a job up, in a request. */
export const HOPELESS = 'cannot be done'

const rules = { ...defaultMoneyRules, poolSeedSats: 1_000_000, poolDailyOutflowPct: 100 }

/**
 * The whole journey on a real database and a play-money LNbits, with customers who write and read real wraps;
 * only the sockets of relays are left out. One replica lives at a time. It may die at any failpoint, and then
 * another one finds what it left, and gets every message again, as from relays.
 */
export interface JourneyLab extends AsyncDisposable {
  db: TestDatabase
  sql: Sql
  play: PlayLnbits
  evidence: Evidence
  /** Undefined unless asked for. */
  gate: DatabaseGate | undefined
  /** Passed failpoints, in their order, of the present replica. */
  readonly passed: Failpoint[]
  /** Lets the replica die at the `count`-th pass from now on; resolves when it is dead. */
  dieAt(point: Failpoint, count: number): Promise<void>
  /** Takes a death back that has not come. */
  spare(): void
  /** Starts the next replica, which is the present one from then on. */
  start(): Promise<void>
  stop(): Promise<void>
  customer(): LabCustomer
  grant(customer: LabCustomer, tier: 'established' | 'trusted'): Promise<void>
  pay(bolt11: unknown): Promise<void>
  /** What is broken, in words. */
  broken(): Promise<string[]>
  /** What has not ended yet. */
  unended(): Promise<string[]>
}

export interface LabCustomer {
  pubkey: string
  /** Sends a request in the JSON form; answers the id of its message. */
  ask(request: Record<string, unknown> & { type: string }): string
  /** The reply of a type to a message, and of one of these states where a type has several. */
  hears(about: string, type: string, ...states: string[]): Promise<Heard['reply']>
}

export interface JourneyLabOptions {
  /** The bot reaches the database through a door that can cut its commits off. */
  gated?: boolean
  leaseSeconds?: number
}

export async function journeyLab({
  gated = false,
  leaseSeconds = 3,
}: JourneyLabOptions = {}): Promise<JourneyLab> {
  const [db, play, { curve }] = await Promise.all([
    freshDatabase({ max: 4 }),
    startPlayLnbits({
      payWaitMs: 20,
      seedWallets: [{ name: 'payer', balanceSats: 100_000_000 }],
    }),
    loadCurve(),
  ])
  await inTransaction(db.sql, (tx) => seedPool(tx, rules))
  const gate = gated ? await databaseGate({ target: db.connection }) : undefined
  const target = gate ? { url: gate.url(db.name) } : db.connection
  const bot = createIdentity(curve, randomBytes(32))
  const letters: NostrEvent[] = []
  const asked: Asked[] = []
  const mail = createMail(bot)
  const faults: string[] = []
  const replicas: Replica[] = []
  const passed: Failpoint[] = []
  let present: Replica | undefined

  const lab: JourneyLab = {
    db,
    sql: db.sql,
    play,
    evidence: { sql: db.sql, play, rules },
    gate,
    passed,
    dieAt(point, count) {
      const { promise, resolve } = Promise.withResolvers<void>()
      let left = count
      armFailpoints((name) => {
        if (name !== point || left === 0) return
        left -= 1
        if (left > 0) return
        present?.die()
        resolve()
        // What the process would have done after this point it never does.
        return new Promise(() => {})
      })
      return promise
    },
    spare: () => armFailpoints((name) => void passed.push(name)),
    async start() {
      lab.spare()
      passed.length = 0
      await present?.gone
      const replica = startReplica({
        ...{ db, target, leaseSeconds, play, bot, faults },
        publish: mail.take,
      })
      replicas.push(replica)
      present = replica
      for (const letter of letters.slice(-LETTERS_AGAIN)) replica.receive(letter)
    },
    async stop() {
      await present?.journey.stop(2_000)
      await present?.end()
    },
    customer() {
      const identity = createIdentity(curve, randomBytes(32))
      mail.add(identity)
      return {
        pubkey: identity.pubkey,
        ask(request) {
          const letter = letterOf(identity, bot.pubkey, request)
          letters.push(letter)
          const isJob = request.type === 'job'
          asked.push({ customer: identity.pubkey, rumorId: letter.id, isJob })
          present?.receive(letter)
          return letter.id
        },
        hears: (about, type, ...states) => mail.hears(identity.pubkey, about, type, states),
      }
    },
    grant: (customer, tier) => setGrantedTier(db.sql, customer.pubkey, tier, 'granted'),
    async pay(bolt11) {
      const key = play.wallet('payer')?.adminKey ?? ''
      const paid = await rawCall(play.url, '/payments', { key, body: { out: true, bolt11 } })
      if (textAt(paid.json, 'status') !== 'success') throw new Error('the payer could not pay')
      present?.journey.hintPayment()
    },
    async broken() {
      const heard = mail.heard()
      return [
        ...faults,
        ...(await brokenBooks(lab.evidence)),
        ...(await brokenReplies(db.sql, asked, heard)),
      ]
    },
    unended: () => unended(db.sql),
    async [Symbol.asyncDispose]() {
      armFailpoints(undefined)
      for (const replica of replicas) await replica.end()
      await gate?.[Symbol.asyncDispose]()
      await play.stop()
      await db[Symbol.asyncDispose]()
    },
  }
  return lab
}

function letterOf(from: Identity, to: string, request: Record<string, unknown>): NostrEvent {
  const rumor = makeRumor(from.pubkey, {
    kind: 14,
    created_at: unixSeconds(systemClock),
    tags: [['p', to]],
    content: JSON.stringify({ ...request, nonce: randomBytes(4).toString('hex') }),
  })
  return { ...rumor, sig: '' }
}

/** What relays hold for the customers, opened once each, as their customers would. */
function createMail(bot: Identity) {
  const boxes = new Map<string, { identity: Identity; heard: Heard[] }>()
  const seen = new Set<string>()

  function take(event: NostrEvent): void {
    if (seen.has(event.id)) return
    seen.add(event.id)
    const box = boxes.get(tagValue(event, 'p') ?? '')
    if (!box) return
    const opened = openGiftWrap({
      wrap: event,
      identity: box.identity,
      nowSeconds: unixSeconds(systemClock),
      verified: true,
    })
    if (!opened.ok || opened.sender !== bot.pubkey) throw new Error('a reply cannot be opened')
    const { id, content } = opened.rumor
    box.heard.push({
      customer: box.identity.pubkey,
      rumorId: id,
      about: tagValue(opened.rumor, 'e') ?? '',
      reply: JSON.parse(content),
    })
  }

  return {
    take,
    add: (identity: Identity) => boxes.set(identity.pubkey, { identity, heard: [] }),
    heard: () => [...boxes.values()].flatMap(({ heard }) => heard),
    hears: (customer: string, about: string, type: string, states: readonly string[]) =>
      until([type, ...states].join(' '), () => {
        const own = boxes.get(customer)?.heard.filter((one) => one.about === about) ?? []
        return own.find(
          ({ reply }) =>
            reply.type === type && (states.length === 0 || states.includes(String(reply.state))),
        )?.reply
      }),
  }
}

interface Replica {
  journey: Journey
  /** Takes a message again and again until it is committed or this replica is dead. */
  receive(letter: NostrEvent): void
  /** The process is gone: nothing of it writes, asks or publishes any more. */
  die(): void
  /** Resolves when the server has let go of what the dead one held, and its leases have run out. */
  readonly gone: Promise<void>
  /** Ends what is left of it, dead or alive. */
  end(): Promise<void>
}

interface ReplicaParts {
  db: TestDatabase
  target: DatabaseTarget
  leaseSeconds: number
  play: PlayLnbits
  bot: Identity
  publish(event: NostrEvent): void
  faults: string[]
}

function startReplica(parts: ReplicaParts): Replica {
  const { db, play, bot, publish, faults, leaseSeconds } = parts
  const holder = `replica-${randomBytes(4).toString('hex')}`
  const sql = openDatabase({ ...parts.target, max: 6, applicationName: holder, log: silentLog })
  const clock = systemClock
  const keys = { url: play.url, invoiceKey: play.bot.invoiceKey, clock, log: silentLog }
  const lnbits = createLnbits(keys)
  const payer = createLnbits({ ...keys, adminKey: play.bot.adminKey, maxInFlight: 2 })
  let dead = false
  const never = new Promise<never>(() => {})
  /** What answers after the death of the process is heard by nobody. */
  const whileAlive = <Args extends unknown[], T>(call: (...args: Args) => Promise<T>) => {
    return async (...args: Args): Promise<T> => {
      try {
        const answer = await call(...args)
        return dead ? never : answer
      } catch (error) {
        if (dead) return never
        throw error
      }
    }
  }
  const journey = buildJourney({
    sql,
    rules,
    prices: createPrices({
      models: [{ name: 'echo', ...MODEL }],
      marginPct: rules.marginPct,
      rate: { current: async () => ({ usdPerBtc: 100_000 }) },
      countTokens: (text) => text.length,
    }),
    backend: {
      name: 'test',
      run: whileAlive(async ({ jobId, request }) => {
        faults.push(...(await brokenStart(db.sql, jobId)))
        if (!request.includes(HOPELESS)) return { result: request, usage: { input: 5, output: 5 } }
        throw new BackendError('backend_failed', 'cannot', { retryable: false })
      }),
    },
    lightning: {
      createInvoice: whileAlive(lnbits.createInvoice),
      lookupIncoming: whileAlive(lnbits.lookupIncoming),
      readIncoming: whileAlive(lnbits.readIncoming),
      listIncoming: whileAlive(lnbits.listIncoming),
    },
    payouts: {
      payer: {
        feeReserveSats: whileAlive(payer.feeReserveSats),
        pay: whileAlive(payer.pay),
        lookupOutgoing: whileAlive(payer.lookupOutgoing),
        confirmFailed: whileAlive(payer.confirmFailed),
      },
      resolve: async () => ({ ok: false, reason: 'address' }),
      satsMin: 100,
      dailySatsMax: 10_000_000,
      dailyTotalSatsMax: 100_000_000,
    },
    take: async ({ pubkey, created_at, id, content }) => ({
      kind: 'letter',
      letter: {
        ...{ sender: pubkey, via: 'nip17', rumorAt: created_at, rumorId: id, text: content },
        ...{ relay: RELAY, proof: '{}' },
      },
    }),
    isBot: () => false,
    ...createEnvelope({
      ...{ sql, identity: bot, clock, ownRelays: [RELAY], fallback: 'strict' },
      lookup: async () => customerLists,
      known: () => customerLists,
      checkRelay: (url) => url,
      frameBytes: () => 65_536,
    }),
    publish: whileAlive(async ({ json }, relays) => {
      if (!dead) publish(JSON.parse(json))
      return new Map(relays.map((relay) => [relay, { outcome: 'acknowledged' }]))
    }),
    clock,
    log: silentLog,
    holder,
    bornAt: 0,
    invoiceTtlSeconds: 600,
    paymentPollMs: 20,
    botName: 'Timmy',
    lanes: {
      workSlots: 8,
      workLeaseSeconds: leaseSeconds,
      deliveryLeaseSeconds: leaseSeconds,
    },
    notes: { dropped() {}, requested() {}, delivered() {}, moneyMoved() {} },
  })
  journey.start()
  return handleOf({ db, sql, journey, holder, clients: [lnbits, payer] }, () => {
    dead = true
  })
}

const customerLists: RelayLists = {
  dm: { state: 'found', urls: ['ws://relay.test'] },
  read: { state: 'absent', urls: [] },
}

/** Messages that each new replica gets again: what is under way, and some that were answered. */
const LETTERS_AGAIN = 10
const RELAY = 'ws://relay.test'
const AGAIN_MS = 20

function handleOf(
  {
    db,
    sql,
    journey,
    holder,
    clients,
  }: {
    db: TestDatabase
    sql: Sql
    journey: Journey
    holder: string
    clients: { close(): void }[]
  },
  onDeath: () => void,
): Replica {
  const over = new AbortController()
  const gone = Promise.withResolvers<void>()
  let dead = false
  let stopped: Promise<void> | undefined

  function die(): void {
    dead = true
    onDeath()
    over.abort()
    const cut = sql.end({ timeout: 0 })
    for (const client of clients) client.close()
    cut.then(() => forget(db, holder)).then(gone.resolve, gone.reject)
  }

  function end(): Promise<void> {
    if (dead) {
      // What hangs at a failpoint hangs for ever; its loops still end.
      void journey.stop(0).catch(() => {})
      return gone.promise
    }
    over.abort()
    gone.resolve()
    stopped ??= (async () => {
      await journey.stop(0).catch(() => {})
      for (const client of clients) client.close()
      await sql.end({ timeout: 1 })
    })()
    return stopped
  }

  return {
    journey,
    gone: gone.promise,
    die,
    end,
    receive(letter) {
      void (async () => {
        while (!over.signal.aborted) {
          try {
            return await journey.receive(letter, RELAY)
          } catch {
            await systemClock.sleep(AGAIN_MS, over.signal)
          }
        }
      })()
    },
  }
}

/** Time passes: the server has rolled back what was open, and the leases of the dead one are over. */
async function forget(db: TestDatabase, holder: string): Promise<void> {
  await until('the server has let the dead one go', async () => {
    const [row] = await db.sql<{ left: number }[]>`
      select count(*) as left from pg_stat_activity where application_name = ${holder}`
    return row?.left === 0
  })
  for (const table of ['jobs', 'outbox', 'withdrawals']) {
    await db.sql`
      update ${db.sql(table)} set due_at = now() where lease = ${holder} and due_at is not null`
  }
  await db.sql`delete from outbox_turns where holder = ${holder}`
}
