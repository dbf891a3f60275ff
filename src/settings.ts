import { isIP } from 'node:net'
import { z } from 'zod'
import { ALL_SATS, INVOICE_SATS } from './limits.ts'
import { defaultMoneyRules as money } from './money/rules.ts'
import { secret } from './secret.ts'
import {
  apiKey,
  DECIMAL,
  hidden,
  list,
  models,
  oneOf,
  readable,
  readCommand,
  readHttp,
  readPubkey,
  readRelay,
  readTrustedList,
  readTrustRank,
  secretKey,
  whole,
} from './setting-texts.ts'

/*
 * The environment as a schema: every setting with its rule, its default and its meaning, in the
 * order of the table in README.md, which a test compares with this file. What one setting demands
 * of another is in config.ts.
 */

/** What the README says about a setting. An empty default means: unset. */
export interface SettingNote {
  default: string
  meaning: string
}

const notes = z.registry<SettingNote>()

/** A setting that always has a value: the default is read by the same rule as any text. */
const withDefault = <T>(schema: z.ZodType<T, string>, fallback: string, meaning: string) =>
  schema.prefault(fallback).register(notes, { default: fallback, meaning })

/** A setting that may be absent; `instead` says in words what holds then. */
const optional = <T>(schema: z.ZodType<T, string>, instead: string, meaning: string) =>
  schema.optional().register(notes, { default: instead, meaning })

const sats = whole(0, ALL_SATS, 'whole sats')
const port = whole(0, 65_535, 'a port')

/** The whole environment, as tithe reads it. Blank values count as unset. */
export const environment = z.object({
  NOSTR_SECRET_KEY: optional(secretKey, 'generated in the sandbox', "the bot's key, nsec or hex"),
  NOSTR_SECRET_KEY_FILE: optional(
    z.string(),
    '',
    'a file that holds the key (mode 0600), instead of `NOSTR_SECRET_KEY`',
  ),
  RELAYS: optional(
    list('a relay such as wss://relay.example, several with commas', readRelay),
    'sandbox relay',
    'where requests are read and published, comma list',
  ),
  DM_RELAYS: optional(
    list('a relay such as wss://relay.example, several with commas', readRelay),
    '`RELAYS`',
    'where customers send DMs (kind 10050), comma list',
  ),
  DM_FALLBACK: withDefault(
    oneOf('nip65+inbound', 'nip65', 'strict'),
    'nip65+inbound',
    'where a reply goes when its customer names no DM relays: ' +
      '`nip65+inbound` their read relays and the one the DM came by, `nip65` their read relays, ' +
      '`strict` nowhere',
  ),
  POW_BITS: withDefault(
    whole(0, 30),
    '0',
    'NIP-13 bits a gift wrap must show, an emergency gate against floods',
  ),
  BOT_NAME: withDefault(
    readable('a name of 1 to 50 characters on one line', (text) =>
      /^[^\p{Cc}\p{Cf}]{1,50}$/u.test(text) ? text : undefined,
    ),
    'Timmy',
    "the bot's name in its profile",
  ),
  DATABASE_URL: optional(
    hidden('a Postgres address such as postgres://user:password@host:5432/name', (text) =>
      /^postgres(ql)?:\/\/\S+$/.test(text) ? secret(text) : undefined,
    ),
    'embedded',
    'a Postgres server; without it tithe runs one of its own under `DATA_DIR`',
  ),
  DATA_DIR: withDefault(
    z.string(),
    './data',
    'embedded database and generated key; the sandbox keeps to `sandbox/` in it',
  ),
  LNBITS_URL: optional(
    readable('an address such as https://lnbits.example', readHttp),
    'sandbox LNbits',
    'the LNbits server',
  ),
  LNBITS_INVOICE_KEY: optional(
    apiKey,
    '',
    'the invoice key of its wallet: receives, sees payments',
  ),
  LNBITS_ADMIN_KEY: optional(apiKey, '', 'the admin key of its wallet: only withdrawals need it'),
  BACKEND: optional(
    oneOf('chat', 'command', 'echo'),
    '`echo` in the sandbox',
    'what does the work: `chat`, `command` or `echo`',
  ),
  CHAT_BASE_URL: optional(
    readable('an address such as https://host/v1', readHttp),
    '',
    'an OpenAI-compatible endpoint, up to and with `/v1`',
  ),
  CHAT_API_KEY: optional(apiKey, '', 'its key, if it asks for one'),
  COMMAND: optional(
    hidden('a JSON list of texts, or words without quotes', readCommand),
    '',
    'program and arguments of the command backend, `["program","argument"]`; ' +
      'the request arrives on stdin',
  ),
  BACKEND_TIMEOUT_SECONDS: withDefault(whole(1, 3600), '120', 'longest time one request may take'),
  MODELS: optional(
    models,
    'an `echo` model in the sandbox',
    'JSON list of `{name, inputUsdPerMillion, outputUsdPerMillion, maxOutputTokens}`, ' +
      'or `{name, satsPerRequest}` for a flat price',
  ),
  BTC_USD: optional(
    readable('a price in USD from 1 to 100000000', (text) =>
      DECIMAL.test(text) && Number(text) >= 1 && Number(text) <= 1e8 ? text : undefined,
    ),
    "LNbits' rate",
    'a fixed price of one bitcoin',
  ),
  INVOICE_TTL_SECONDS: withDefault(whole(5, 3600), '600', 'life of an invoice'),
  PAYMENT_POLL_SECONDS: withDefault(
    whole(1, 300),
    '2',
    'how often open invoices are asked for when the websocket is silent',
  ),
  WITHDRAW_MIN_SATS: withDefault(
    whole(1, INVOICE_SATS, 'whole sats'),
    '200',
    'smallest withdrawal: below it the routing fee is out of proportion',
  ),
  WITHDRAW_DAILY_SATS: withDefault(
    sats,
    '100000',
    'most that one customer may take out in a UTC day; 0 switches withdrawals off',
  ),
  WITHDRAW_DAILY_TOTAL_SATS: withDefault(
    sats,
    '1000000',
    'most that all customers together may take out in a UTC day; 0 switches withdrawals off',
  ),
  MARGIN_PCT: withDefault(
    whole(0, 1_000),
    String(money.marginPct),
    'added to the cost of a request',
  ),
  POOL_SEED_SATS: withDefault(
    sats,
    String(money.poolSeedSats),
    'put into the pool at the very first start',
  ),
  POOL_CREDIT_PCT: withDefault(
    whole(0, 100),
    String(money.poolCreditPct),
    'share of each net charge that fills the pool',
  ),
  POOL_DAILY_OUTFLOW_PCT: withDefault(
    whole(0, 100),
    String(money.poolDailyOutflowPct),
    "share of the day's opening pool that may leave it in a UTC day",
  ),
  EARNED_GRANT_RATIO: withDefault(
    readable('a number from 0 to 1 with at most six decimals', (text) =>
      /^(0(\.\d{1,6})?|1(\.0{1,6})?)$/.test(text) ? Number(text) : undefined,
    ),
    String(money.earnedGrantRatio),
    'free work of an earned tier per sat really paid in 90 days; never above the margin',
  ),
  BUDGET_NEW: withDefault(
    readable('0: new keys cost nothing, so any budget for them could be drained', (text) =>
      text === '0' ? 0 : undefined,
    ),
    String(money.budgets.new),
    'daily free sats of a `new` key; only 0 is allowed',
  ),
  BUDGET_ESTABLISHED: withDefault(
    sats,
    String(money.budgets.established),
    'daily free sats of an `established` key',
  ),
  BUDGET_TRUSTED: withDefault(
    sats,
    String(money.budgets.trusted),
    'daily free sats of a `trusted` key',
  ),
  BUDGET_ELITE: withDefault(sats, String(money.budgets.elite), 'daily free sats of an `elite` key'),
  OPERATORS: optional(
    list('a public key: npub1… or 64 hex digits', readPubkey),
    '',
    'npubs that get encrypted status and alerts, comma list; whom they mute is banned',
  ),
  TRUSTED_LIST: optional(
    readable('an npub or 30000:npub:name', readTrustedList),
    '',
    'a Nostr list that grants a tier: follows of an `npub`, or a follow set `30000:npub:name`',
  ),
  TRUST_RANK: optional(
    readable('npub:rank with a rank from 1 to 100', readTrustRank),
    '',
    'a NIP-85 provider and the lowest rank that grants a tier, `npub:80`',
  ),
  TRUST_TIER: withDefault(
    oneOf('established', 'trusted', 'elite'),
    'trusted',
    'the tier that `TRUSTED_LIST` and `TRUST_RANK` grant',
  ),
  POOL_STATUS: withDefault(
    oneOf('exact', 'coarse', 'off'),
    'exact',
    'how much the public pool status tells: `exact`, `coarse`, `off`',
  ),
  POOL_STATUS_INTERVAL_SECONDS: withDefault(
    whole(60, 86_400),
    '300',
    'the pool status is published on change and this often',
  ),
  HTTP_PORT: withDefault(
    port,
    '8787',
    '`/healthz`, `/readyz`, `/metrics`, status page; 0: any free',
  ),
  HTTP_HOST: withDefault(
    readable('an IP address', (text) => (isIP(text) ? text : undefined)),
    '127.0.0.1',
    'address it listens on; only inside a container is anything but loopback sensible',
  ),
  LOG_LEVEL: withDefault(
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'info',
    '`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`',
  ),
  WORK_SLOTS: withDefault(whole(1, 1000), '16', 'jobs one replica works on at a time'),
  WORK_LEASE_SECONDS: withDefault(
    whole(1, 600),
    '30',
    "after this long a dead replica's jobs are taken over",
  ),
  DELIVERY_LEASE_SECONDS: withDefault(
    whole(1, 600),
    '10',
    "after this long a dead replica's replies are taken over",
  ),
  STOP_GRACE_SECONDS: withDefault(whole(0, 600), '20', 'how long a stop waits for running work'),
  SANDBOX_RELAY_PORT: withDefault(port, '8788', 'loopback port of the sandbox relay; 0: any free'),
  SANDBOX_LNBITS_PORT: withDefault(
    port,
    '8789',
    'loopback port of the sandbox LNbits; 0: any free',
  ),
})

export type Settings = z.infer<typeof environment>
export type SettingName = keyof Settings

/** All settings in order, with default and meaning; tests hold `.env.example` and the documents to them. */
export const settingNotes = (): (SettingNote & { name: string })[] =>
  Object.entries(environment.shape).map(([name, schema]) => {
    const note = notes.get(schema)
    if (!note) throw new Error(`setting ${name} has no meaning`)
    return { name, ...note }
  })
