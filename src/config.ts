import { join, resolve } from 'node:path'
import { checkMoneyRules, type MoneyRules } from './money/rules.ts'
import type { Secret } from './secret.ts'
import type { Model } from './setting-texts.ts'
import { environment, type SettingName, type Settings } from './settings.ts'

/** Everything an operator chose, read once at start, frozen, in the units the program counts in. */
export interface Config {
  /** `sandbox` has play money, a relay of its own and nothing that leaves the machine. */
  mode: 'sandbox' | 'real'
  /** Absolute. The sandbox's is a directory inside `DATA_DIR`: the two never share files. */
  dataDir: string
  /** Absent: the embedded database in `dataDir`. */
  databaseUrl: Secret | undefined
  nostr: {
    /** nsec or hex as it was written, checked. */
    secretKey: Secret | undefined
    secretKeyFile: string | undefined
    /** Empty in the sandbox, where the daemon puts the address of its own relay. */
    relays: string[]
    dmRelays: string[]
    dmFallback: Settings['DM_FALLBACK']
    /** NIP-13 bits, 0 for none. */
    powBits: number
    botName: string
  }
  /** Absent in the sandbox. Without the admin key withdrawals are off. */
  lnbits: { url: string; invoiceKey: Secret; adminKey: Secret | undefined } | undefined
  backend: {
    kind: 'chat' | 'command' | 'echo'
    /** Present when `kind` is `chat`. */
    chat: { baseUrl: string; apiKey: Secret | undefined } | undefined
    /** Program and arguments, present when `kind` is `command`. */
    command: string[] | undefined
    timeoutMs: number
  }
  /** At least one; the first is the default. */
  models: Model[]
  /** USD of one bitcoin as decimal text, in place of LNbits' rate. */
  btcUsd: string | undefined
  invoiceTtlSeconds: number
  paymentPollMs: number
  withdrawals: { satsMin: number; dailySatsMax: number; dailyTotalSatsMax: number }
  money: MoneyRules
  /** Hex public keys. */
  operators: string[]
  trust: {
    list: Settings['TRUSTED_LIST']
    rank: Settings['TRUST_RANK']
    tier: Settings['TRUST_TIER']
  }
  poolStatus: { mode: Settings['POOL_STATUS']; intervalSeconds: number }
  http: { host: string; port: number }
  logLevel: Settings['LOG_LEVEL']
  lanes: {
    workSlots: number
    workLeaseSeconds: number
    deliveryLeaseSeconds: number
    stopGraceMs: number
  }
  sandbox: { relayPort: number; lnbitsPort: number }
}

/**
 * Where a test wants this process to die: `TITHE_FAILPOINT=name` or `name#count`. No setting, because
 * nobody who runs tithe has a use for it.
 */
export const killPointOf = (env: Environment): string | undefined => env.TITHE_FAILPOINT

export interface ConfigProblem {
  setting: string
  /** What is wrong and what to do, without any secret. */
  problem: string
}

export type ConfigAnswer = { ok: true; config: Config } | { ok: false; problems: ConfigProblem[] }

type Environment = Record<string, string | undefined>
type Texts = Partial<Record<SettingName, string>>

/** Any of these means that real sats are meant, and then all that real sats need must be there. */
const realSettings: SettingName[] = [
  'NOSTR_SECRET_KEY',
  'NOSTR_SECRET_KEY_FILE',
  'RELAYS',
  'DM_RELAYS',
  'DATABASE_URL',
  'LNBITS_URL',
  'LNBITS_INVOICE_KEY',
  'LNBITS_ADMIN_KEY',
]

/**
 * The settings of `env`, or every problem with them at once. Blank values count as unset; variables
 * that are not ours are not looked at. Reads nothing but its argument and the working directory.
 */
export function readConfig(env: Environment): ConfigAnswer {
  const texts = ownTexts(env)
  const parsed = environment.safeParse(texts)
  const malformed = (parsed.error?.issues ?? []).map((issue) => ({
    setting: String(issue.path[0]),
    problem: issue.message,
  }))
  const broken = new Set(malformed.map(({ setting }) => setting))
  // Read again without the malformed ones, so that one message also names what is missing.
  const settings = parsed.data ?? environment.parse(without(texts, broken))
  const real = realSettings.some((name) => texts[name] !== undefined)
  const problems = [
    ...malformed,
    ...(real ? missingForReal(texts) : []),
    ...missingForBackend(texts, real),
    ...contradictions(texts, settings).filter(({ setting }) => !broken.has(setting)),
  ]
  if (problems.length > 0) return { ok: false, problems: inOrder(problems) }
  return { ok: true, config: deepFreeze(toConfig(settings, real)) }
}

/** One message for the operator, naming every problem. Holds no secret. */
export function configProblemText(problems: ConfigProblem[]): string {
  const count = new Set(problems.map(({ setting }) => setting)).size
  const width = Math.max(0, ...problems.map(({ setting }) => setting.length))
  return [
    `tithe cannot start: ${count} ${count === 1 ? 'setting needs' : 'settings need'} attention.`,
    '',
    ...problems.map(({ setting, problem }) => `  ${setting.padEnd(width)}  ${problem}`),
    '',
    `With none of ${realSettings.join(', ')} set, tithe runs in the sandbox with play money.`,
    'With any of them set it deals in real sats and needs all that belongs to that.',
    'Every setting is listed in .env.example.',
  ].join('\n')
}

function ownTexts(env: Environment): Texts {
  const texts: Texts = {}
  for (const name of environment.keyof().options) {
    const text = env[name]?.trim()
    if (text) texts[name] = text
  }
  return texts
}

function without(texts: Texts, names: Set<string>): Texts {
  return Object.fromEntries(Object.entries(texts).filter(([name]) => !names.has(name)))
}

const howToSet = {
  RELAYS: 'Name the relays, as wss://host, several with commas.',
  LNBITS_URL: 'Write the address of your LNbits, as https://host.',
  LNBITS_INVOICE_KEY: "Copy the invoice key of the bot's wallet from LNbits.",
  BACKEND: 'Say what does the work: chat, command or echo.',
} as const

function missingForReal(texts: Texts): ConfigProblem[] {
  const problems = Object.entries(howToSet)
    .filter(([name]) => !(name in texts))
    .map(([setting, how]) => ({ setting, problem: `is missing. ${how}` }))
  if (!texts.NOSTR_SECRET_KEY && !texts.NOSTR_SECRET_KEY_FILE) {
    const how = "Set the bot's nsec here, or a file that holds it in NOSTR_SECRET_KEY_FILE."
    problems.push({ setting: 'NOSTR_SECRET_KEY', problem: `is missing. ${how}` })
  }
  return problems
}

/** What the chosen backend cannot do without, and the one that was prepared but not chosen. */
function missingForBackend(texts: Texts, real: boolean): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const backend = texts.BACKEND ?? 'echo'
  if (backend === 'chat' && !texts.CHAT_BASE_URL) {
    const how = 'Write the address of an OpenAI-compatible endpoint, as https://host/v1.'
    problems.push({ setting: 'CHAT_BASE_URL', problem: `is missing for BACKEND=chat. ${how}` })
  }
  if (backend === 'command' && !texts.COMMAND) {
    const how = 'Write the program and its arguments as a JSON list.'
    problems.push({ setting: 'COMMAND', problem: `is missing for BACKEND=command. ${how}` })
  }
  if (!texts.MODELS && (real || backend !== 'echo')) {
    const how = 'Name at least one, such as [{"name":"small","satsPerRequest":21}].'
    problems.push({ setting: 'MODELS', problem: `is missing. ${how}` })
  }
  const prepared = (['CHAT_BASE_URL', 'CHAT_API_KEY', 'COMMAND'] as const).find(
    (name) => texts[name],
  )
  if (!real && !texts.BACKEND && prepared) {
    const choice = prepared === 'COMMAND' ? 'command' : 'chat'
    const problem = `is missing, and ${prepared} is set. Set BACKEND=${choice} to use it.`
    problems.push({ setting: 'BACKEND', problem })
  }
  return problems
}

function contradictions(texts: Texts, settings: Settings): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  if (texts.NOSTR_SECRET_KEY && texts.NOSTR_SECRET_KEY_FILE) {
    const problem = 'is set beside NOSTR_SECRET_KEY. Keep one, so that the bot has one key.'
    problems.push({ setting: 'NOSTR_SECRET_KEY_FILE', problem })
  }
  if (texts.LNBITS_ADMIN_KEY && texts.LNBITS_ADMIN_KEY === texts.LNBITS_INVOICE_KEY) {
    const problem = 'is the same as LNBITS_INVOICE_KEY. LNbits shows two different keys.'
    problems.push({ setting: 'LNBITS_ADMIN_KEY', problem })
  }
  // The ratio is the one money rule that depends on another; each alone was read by its own rule.
  if (checkMoneyRules(moneyRules(settings)).length > 0) {
    const problem =
      `${settings.EARNED_GRANT_RATIO} is above MARGIN_PCT (${settings.MARGIN_PCT} %): ` +
      'earned free work would cost more than it brought in. Lower it or raise the margin.'
    problems.push({ setting: 'EARNED_GRANT_RATIO', problem })
  }
  return problems
}

function inOrder(problems: ConfigProblem[]): ConfigProblem[] {
  const names: string[] = environment.keyof().options
  return problems.toSorted((a, b) => names.indexOf(a.setting) - names.indexOf(b.setting))
}

/**
 * What the echo backend costs in the sandbox. Priced by tokens, so that the rate is looked up as
 * with a paid model: one line is quoted about 40 sats at 100,000 USD, inside a `trusted` key's day.
 */
const sandboxModels: Model[] = [
  { name: 'echo', inputUsdPerMillion: '30', outputUsdPerMillion: '60', maxOutputTokens: 500 },
]

function toConfig(settings: Settings, real: boolean): Config {
  const dataDir = resolve(settings.DATA_DIR)
  const relays = settings.RELAYS ?? []
  return {
    mode: real ? 'real' : 'sandbox',
    dataDir: real ? dataDir : join(dataDir, 'sandbox'),
    databaseUrl: settings.DATABASE_URL,
    nostr: {
      secretKey: settings.NOSTR_SECRET_KEY,
      secretKeyFile: settings.NOSTR_SECRET_KEY_FILE,
      relays,
      dmRelays: settings.DM_RELAYS ?? relays,
      dmFallback: settings.DM_FALLBACK,
      powBits: settings.POW_BITS,
      botName: settings.BOT_NAME,
    },
    lnbits: lnbitsOf(settings),
    backend: backendOf(settings),
    models: settings.MODELS ?? sandboxModels,
    btcUsd: settings.BTC_USD,
    invoiceTtlSeconds: settings.INVOICE_TTL_SECONDS,
    paymentPollMs: settings.PAYMENT_POLL_SECONDS * 1000,
    withdrawals: {
      satsMin: settings.WITHDRAW_MIN_SATS,
      dailySatsMax: settings.WITHDRAW_DAILY_SATS,
      dailyTotalSatsMax: settings.WITHDRAW_DAILY_TOTAL_SATS,
    },
    money: moneyRules(settings),
    operators: settings.OPERATORS ?? [],
    trust: {
      list: settings.TRUSTED_LIST,
      rank: settings.TRUST_RANK,
      tier: settings.TRUST_TIER,
    },
    poolStatus: {
      mode: settings.POOL_STATUS,
      intervalSeconds: settings.POOL_STATUS_INTERVAL_SECONDS,
    },
    http: { host: settings.HTTP_HOST, port: settings.HTTP_PORT },
    logLevel: settings.LOG_LEVEL,
    lanes: {
      workSlots: settings.WORK_SLOTS,
      workLeaseSeconds: settings.WORK_LEASE_SECONDS,
      deliveryLeaseSeconds: settings.DELIVERY_LEASE_SECONDS,
      stopGraceMs: settings.STOP_GRACE_SECONDS * 1000,
    },
    sandbox: {
      relayPort: settings.SANDBOX_RELAY_PORT,
      lnbitsPort: settings.SANDBOX_LNBITS_PORT,
    },
  }
}

function lnbitsOf(settings: Settings): Config['lnbits'] {
  const { LNBITS_URL: url, LNBITS_INVOICE_KEY: invoiceKey } = settings
  return url && invoiceKey ? { url, invoiceKey, adminKey: settings.LNBITS_ADMIN_KEY } : undefined
}

function backendOf(settings: Settings): Config['backend'] {
  const { CHAT_BASE_URL: baseUrl, CHAT_API_KEY: apiKey } = settings
  const kind = settings.BACKEND ?? 'echo'
  return {
    kind,
    chat: kind === 'chat' && baseUrl ? { baseUrl, apiKey } : undefined,
    command: kind === 'command' ? settings.COMMAND : undefined,
    timeoutMs: settings.BACKEND_TIMEOUT_SECONDS * 1000,
  }
}

function moneyRules(settings: Settings): MoneyRules {
  return {
    budgets: {
      new: settings.BUDGET_NEW,
      established: settings.BUDGET_ESTABLISHED,
      trusted: settings.BUDGET_TRUSTED,
      elite: settings.BUDGET_ELITE,
    },
    poolSeedSats: settings.POOL_SEED_SATS,
    poolCreditPct: settings.POOL_CREDIT_PCT,
    poolDailyOutflowPct: settings.POOL_DAILY_OUTFLOW_PCT,
    earnedGrantRatio: settings.EARNED_GRANT_RATIO,
    marginPct: settings.MARGIN_PCT,
  }
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null && !Object.isFrozen(part)) deepFreeze(part)
  }
  return Object.freeze(value)
}
