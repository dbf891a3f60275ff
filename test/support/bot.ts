import { randomBytes } from 'node:crypto'
import { armFailpoints, type Failpoint } from '../../src/failpoint.ts'
import type { Backend, Finished } from '../../src/backends/backend.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { buildJourney, type Journey } from '../../src/journey/journey.ts'
import type { Measures } from '../../src/journey/measured.ts'
import { createPrices } from '../../src/journey/prices.ts'
import { encodeBolt11 } from '../../src/lightning/bolt11-encode.ts'
import { createLnbits, type Lnbits } from '../../src/lightning/lnbits.ts'
import type { LightningAddressAnswer } from '../../src/lightning/lnurl.ts'
import { type Log, silentLog } from '../../src/log.ts'
import { defaultMoneyRules, type MoneyRules } from '../../src/money/rules.ts'
import type { PublishOutcome } from '../../src/nostr/relay.ts'
import { type PlayLnbits, startPlayLnbits } from '../../src/sandbox/lnbits.ts'
import { readBreaches, readDrift } from '../../src/store/audit.ts'
import { readBalances } from '../../src/store/customers.ts'
import { inTransaction, openDatabase, type Sql } from '../../src/store/database.ts'
import { LANE_CHANNEL } from '../../src/store/lanes.ts'
import type { OutboxRow } from '../../src/store/outbox.ts'
import { seedPool } from '../../src/store/pool.ts'
import { broughtIn } from './checkers.ts'
import { freshDatabase, type TestDatabase } from './database.ts'
import { rawCall, textAt } from './lnbits-raw.ts'
import { until } from './until.ts'

export type Told = Record<string, unknown> & { type: string }

/**
 * The whole journey on a real database and a play-money LNbits, from the text of a DM to its replies
 * in the outbox; only Nostr is left out. Any number of bots may be started on one lab, one after the
 * other or at once: what they share is what replicas share.
 */
export interface BotLab extends AsyncDisposable {
  db: TestDatabase
  sql: Sql
  play: PlayLnbits
  bot(options?: BotOptions): Promise<Bot>
  /** Every reply that this customer's messages have got, in order. */
  told(customer: string, type?: string): Promise<Told[]>
  /** Waits for the `count`-th reply of a type. */
  hears(customer: string, type: string, count?: number): Promise<Told>
  balance(customer: string): Promise<{ availableSats: number; balanceSats: number }>
  /** Puts sats on a customer's balance by a paid top-up. */
  topUp(bot: Bot, customer: string, sats: number): Promise<void>
  /** Pays a bolt11 from another wallet of the same LNbits. */
  pay(bolt11: unknown): Promise<void>
  /** Somebody who has the admin key pays this out of the bot's wallet. */
  drain(bolt11: string): Promise<void>
  /** An invoice of a node that is not this one. */
  outside(amountSats: number, expirySeconds?: number): { bolt11: string; paymentHash: string }
  /**
   * Makes every open withdrawal this much older, wakes the lane, and waits until it has dealt with
   * those that became due by it.
   */
  later(seconds: number): Promise<void>
  /** The states of all withdrawals, oldest first. */
  withdrawalStates(): Promise<string[]>
  /** How often the node really paid this hash. */
  payouts(paymentHash: string): number
  walletSats(): number
  /** Every account adds up, every rule between the tables holds, and LNbits has what the ledger says. */
  expectClean(): Promise<void>
}

export interface BotOptions {
  measures?: Measures
  log?: Log
  clock?: Clock
  backend?: (request: string, signal: AbortSignal) => Promise<Finished>
  resolve?: (asked: { address: string; amountSats: number }) => Promise<LightningAddressAnswer>
  withdrawals?: { satsMin?: number; dailySatsMax?: number; dailyTotalSatsMax?: number } | 'off'
  rules?: Partial<MoneyRules>
  pollMs?: number
  workSlots?: number
  invoiceTtlSeconds?: number
  /** What the relay says of the reply of this number; an OK at once unless given. */
  publish?: (outboxId: number) => Promise<PublishOutcome>
  /** Price of a request, sats. */
  priceSats?: number
  timeoutMs?: number
}

export interface Bot extends AsyncDisposable {
  journey: Journey
  lnbits: Lnbits
  payer: Lnbits
  /** A DM as the desk gets it; resolves when its answer is committed, with the message's id. */
  dm(
    customer: string,
    text: string,
    message?: { id?: string; at?: number; kind?: number },
  ): Promise<string>
  /**
   * The process is gone: nothing of it writes any more, and its leases have run out. `crashAt` does
   * something by which it passes a failpoint, and resolves when it has died there.
   */
  crash(): Promise<void>
  crashAt(at: Failpoint, act: () => Promise<unknown>): Promise<void>
  stop(): Promise<void>
}

export const someKey = (): string => randomBytes(32).toString('hex')

const FAR_KEY = new Uint8Array(32).fill(5)

export interface BotLabOptions {
  botBalanceSats?: number
  payWaitMs?: number
  /** A database and an LNbits that are there already and outlive the lab. */
  world?: { db: TestDatabase; play: PlayLnbits }
}

export async function botLab(options: BotLabOptions = {}): Promise<BotLab> {
  const { botBalanceSats = 0, payWaitMs = 20, world } = options
  const [db, play] = await Promise.all([
    world?.db ?? freshDatabase({ max: 8 }),
    world?.play ??
      startPlayLnbits({
        botBalanceSats,
        payWaitMs,
        seedWallets: [{ name: 'payer', balanceSats: 100_000_000 }],
      }),
  ])
  const { sql } = db
  const bots: Bot[] = []
  const lab: BotLab = {
    db,
    sql,
    play,
    async bot(options = {}) {
      const bot = await startBot(db, play, options)
      bots.push(bot)
      return bot
    },
    async told(customer, type) {
      const rows = await sql<{ reply: Told }[]>`
        select reply from outbox where customer = ${customer} order by id`
      return rows.map((row) => row.reply).filter((reply) => !type || reply.type === type)
    },
    hears: (customer, type, count = 1) =>
      until(`${type} number ${count}`, async () => (await lab.told(customer, type))[count - 1]),
    async balance(customer) {
      const balances = await readBalances(sql, [customer])
      return balances.get(customer) ?? { availableSats: 0, balanceSats: 0 }
    },
    async topUp(bot, customer, sats) {
      const count = (await lab.told(customer, 'invoice')).length + 1
      const before = (await lab.balance(customer)).availableSats
      await bot.dm(customer, `/topup ${sats}`)
      const { bolt11 } = await lab.hears(customer, 'invoice', count)
      await lab.pay(bolt11)
      bot.journey.hintPayment()
      await until('the top-up is booked', async () => {
        return (await lab.balance(customer)).availableSats === before + sats
      })
    },
    pay: (bolt11) => payFrom(play, play.wallet('payer')?.adminKey ?? '', bolt11),
    drain: (bolt11) => payFrom(play, play.bot.adminKey, bolt11),
    outside: farInvoice,
    async later(seconds) {
      await until('no withdrawal is being worked on', async () => {
        const rows = await sql`select 1 from withdrawals where lease is not null`
        return rows.length === 0
      })
      const due = await sql<{ id: number; epoch: number; due: boolean }[]>`
        update withdrawals set sent_at = sent_at - make_interval(secs => ${seconds}),
          due_at = due_at - make_interval(secs => ${seconds}),
          invoice_expires_at = invoice_expires_at - make_interval(secs => ${seconds})
        where finished_at is null
        returning id, epoch, due_at <= now() as due`
      await sql`select pg_notify(${LANE_CHANNEL}, 'withdrawals')`
      await until('what became due was worked on', async () => {
        const rows = await sql<{ id: number; epoch: number }[]>`
          select id, epoch from withdrawals where lease is null`
        return due.every(({ id, epoch, due: wasDue }) =>
          rows.some((row) => row.id === id && (row.epoch > epoch || !wasDue)),
        )
      })
    },
    async withdrawalStates() {
      const rows = await sql<{ state: string }[]>`select state from withdrawals order by id`
      return rows.map((row) => row.state)
    },
    payouts: (paymentHash) => play.node.paid().get(paymentHash) ?? 0,
    walletSats: () => play.balanceMsat(play.bot.id) / 1000,
    async expectClean() {
      const drift = await readDrift(sql)
      const breaches = await readBreaches(sql)
      if (drift.length > 0 || breaches.length > 0) {
        throw new Error(`the books do not add up: ${JSON.stringify({ drift, breaches })}`)
      }
      const [row] = await sql<{ sats: number; dust: number }[]>`
        select balance_sats - ${broughtIn(sql)} as sats, coalesce((
          select value::text::bigint from timmy_config where key = 'lightning_dust_msat'
        ), 0) as dust from accounts where name = 'lightning'`
      const ownSats = lab.walletSats() - botBalanceSats
      const bookedSats = (row?.sats ?? 0) + (row?.dust ?? 0) / 1000
      if (Math.abs(ownSats - bookedSats) > 1e-6) {
        throw new Error(`LNbits holds ${ownSats} sats of ours, the ledger says ${bookedSats}`)
      }
    },
    async [Symbol.asyncDispose]() {
      armFailpoints(undefined)
      for (const bot of bots) await bot.stop()
      if (world) return
      await play.stop()
      await db[Symbol.asyncDispose]()
    },
  }
  return lab
}

async function payFrom(play: PlayLnbits, key: string, bolt11: unknown): Promise<void> {
  const paid = await rawCall(play.url, '/payments', { key, body: { out: true, bolt11 } })
  if (textAt(paid.json, 'status') === 'success') return
  throw new Error(`the payment did not go: ${JSON.stringify(paid.json)}`)
}

const signAny = async ({ id }: OutboxRow) => ({
  ...{ events: [{ id: `${id}`, json: '{}' }], relays: ['ws://relay'] },
})

async function startBot(db: TestDatabase, play: PlayLnbits, options: BotOptions): Promise<Bot> {
  const { log = silentLog, clock = systemClock, withdrawals = {} } = options
  const holder = `bot-${someKey().slice(0, 8)}`
  const sql = openDatabase({ ...db.connection, max: 8, applicationName: holder, log: silentLog })
  const rules = { ...defaultMoneyRules, ...options.rules }
  await inTransaction(sql, (tx) => seedPool(tx, rules))
  const { timeoutMs } = options
  const calls = timeoutMs === undefined ? {} : { timeoutMs, payTimeoutMs: timeoutMs }
  const keys = { url: play.url, invoiceKey: play.bot.invoiceKey, clock, log, ...calls }
  const lnbits = createLnbits(keys)
  const payer = createLnbits({ ...keys, adminKey: play.bot.adminKey, maxInFlight: 2 })
  const journey = buildJourney({
    sql,
    rules,
    prices: createPrices({
      models: [{ name: 'echo', satsPerRequest: options.priceSats ?? 21 }],
      marginPct: rules.marginPct,
      rate: { current: async () => ({ usdPerBtc: 100_000 }) },
      countTokens: (text) => text.length,
    }),
    backend: backendOf(options.backend),
    lightning: lnbits,
    ...(withdrawals === 'off'
      ? {}
      : {
          payouts: {
            payer,
            resolve: options.resolve ?? (async () => ({ ok: false, reason: 'address' as const })),
            satsMin: withdrawals.satsMin ?? 200,
            dailySatsMax: withdrawals.dailySatsMax ?? 100_000,
            dailyTotalSatsMax: withdrawals.dailyTotalSatsMax ?? 1_000_000,
          },
        }),
    take: async (event, relay) => ({
      kind: 'letter',
      letter: {
        sender: event.pubkey,
        via: event.kind === 4 ? 'nip04' : 'nip17',
        rumorAt: event.created_at,
        rumorId: event.id,
        text: event.content,
        relay,
        proof: '{}',
      },
    }),
    isBot: () => false,
    sign: signAny,
    signAtOnce: signAny,
    publish: async ({ id }) =>
      new Map([
        ['ws://relay', (await options.publish?.(Number(id))) ?? { outcome: 'acknowledged' }],
      ]),
    clock,
    log,
    holder,
    bornAt: 0,
    invoiceTtlSeconds: options.invoiceTtlSeconds ?? 600,
    paymentPollMs: options.pollMs ?? 50,
    botName: 'Timmy',
    lanes: { workSlots: options.workSlots ?? 16, workLeaseSeconds: 30, deliveryLeaseSeconds: 30 },
    measures: options.measures,
    notes: { dropped() {}, requested() {}, delivered() {}, moneyMoved() {} },
  })
  journey.start()
  return handle(db, { sql, journey, lnbits, payer, clock, holder })
}

function handle(
  db: TestDatabase,
  parts: {
    sql: Sql
    journey: Journey
    lnbits: Lnbits
    payer: Lnbits
    clock: Clock
    holder: string
  },
): Bot {
  const { sql, journey, lnbits, payer, clock, holder } = parts
  const close = () => {
    for (const client of [lnbits, payer]) client.close()
  }
  let ended: Promise<void> | undefined
  const stop = () => {
    ended ??= journey.stop(1_000).finally(async () => {
      close()
      await sql.end({ timeout: 1 })
    })
    return ended
  }
  /** From here on nothing that still runs can write or ask anything. */
  const cutOff = async () => {
    close()
    await sql.end({ timeout: 0 })
  }
  const crash = async () => {
    await cutOff()
    ended ??= journey.stop(0).catch(() => {})
    await ended
    for (const table of ['jobs', 'outbox', 'withdrawals']) {
      await db.sql`update ${db.sql(table)} set due_at = now() where lease = ${holder}`
    }
    await db.sql`delete from outbox_turns where holder = ${holder}`
  }
  return {
    journey,
    lnbits,
    payer,
    async dm(customer, text, { id = someKey(), at = unixNow(clock), kind = 14 } = {}) {
      const event = { id, pubkey: customer, created_at: at, kind, tags: [], content: text }
      await journey.receive({ ...event, sig: '' }, 'ws://relay')
      return id
    },
    crash,
    crashAt: (at, act) =>
      new Promise((resolve, reject) => {
        armFailpoints(async (passed) => {
          if (passed !== at) return
          armFailpoints(undefined)
          await cutOff()
          crash().then(resolve, reject)
          throw new Error('the process is gone')
        })
        // What was asked of the process fails with it.
        act().catch(() => {})
      }),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

const unixNow = (clock: Clock) => Math.floor(clock.now() / 1000)

function backendOf(run: BotOptions['backend']): Backend {
  return {
    name: 'test',
    run: ({ request, signal }) =>
      run
        ? run(request, signal)
        : Promise.resolve({ result: `did: ${request}`, usage: { input: 1, output: 1 } }),
  }
}

function farInvoice(amountSats: number, expirySeconds = 3600) {
  const paymentHash = someKey()
  const bolt11 = encodeBolt11(
    {
      amountMsat: BigInt(amountSats) * 1000n,
      paymentHash,
      paymentSecret: '11'.repeat(32),
      createdAt: Math.floor(systemClock.now() / 1000),
      expirySeconds,
      description: 'elsewhere',
    },
    FAR_KEY,
  )
  return { bolt11, paymentHash }
}
