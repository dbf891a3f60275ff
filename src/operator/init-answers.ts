import type { BackendChoice } from '../backends/build.ts'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { createIdentity, generateSecretKey, npub, parseSecretKey } from '../nostr/identity.ts'
import type { Curve, Identity } from '../nostr/types.ts'
import { secret } from '../secret.ts'
import { models, readCommand, readHttp, readPubkey, readRelay } from '../setting-texts.ts'
import type { Terminal } from '../terminal.ts'
import { checkBackend } from './checks/backend.ts'
import { checkDatabase } from './checks/database.ts'
import { checkLnbits } from './checks/lnbits.ts'
import { checkRelay } from './checks/relay.ts'
import { type Asker, byRule, byRuleOrEmpty } from './init-questions.ts'

export interface Answers {
  settings: { note: string; values: Record<string, string> }[]
}

interface Tools {
  clock: Clock
  log: Log
  curve: Curve
  terminal: Terminal
}

/** All questions in order; each answer is tried before the next one. */
export async function askAll(asker: Asker, tools: Tools): Promise<Answers> {
  const key = await askKey(asker, tools)
  const relays = await askRelays(asker, key.identity, tools)
  const lnbits = await askLnbits(asker, tools)
  const database = await askDatabase(asker, tools)
  const backend = await askBackend(asker, tools)
  const operators = await asker.ask({
    text: 'Your own npub, for alerts by DM (empty: none):',
    read: byRuleOrEmpty('an npub or 64 hex digits', readPubkey),
  })
  return {
    settings: [
      {
        note: `The bot's key. Its name on Nostr is ${npub(key.identity.pubkey)}`,
        values: key.values,
      },
      {
        note: 'Where requests are read and published, and where customers send DMs.',
        values: relays,
      },
      { note: "The bot's wallet. The admin key only enables withdrawals.", values: lnbits },
      ...(database === '' ? [] : [{ note: 'The ledger.', values: { DATABASE_URL: database } }]),
      { note: 'What does the work, and what it costs.', values: backend },
      ...(operators === ''
        ? []
        : [{ note: 'Who is told what needs a hand.', values: { OPERATORS: npub(operators) } }]),
    ],
  }
}

async function askKey(asker: Asker, { curve, terminal }: Tools) {
  const bytes = await asker.ask({
    text: "The bot's secret key, nsec or hex (empty: a new one):",
    isSecret: true,
    read(answer) {
      if (answer === '') return { value: generateSecretKey() }
      try {
        return { value: parseSecretKey(answer) }
      } catch (error) {
        const rule = error instanceof Error ? error.message : 'it cannot be read'
        return { complaint: `That is no key: ${rule}.` }
      }
    },
  })
  const identity = createIdentity(curve, bytes)
  terminal.tell(`  The bot is ${npub(identity.pubkey)}`)
  return { identity, values: { NOSTR_SECRET_KEY: Buffer.from(bytes).toString('hex') } }
}

async function askRelays(asker: Asker, identity: Identity, { clock, log }: Tools) {
  const relays = await asker.ask<string[]>({
    text: 'Its relays, two or three, as wss://relay.example with commas:',
    read: byRule('a comma list of wss:// addresses', (answer) => {
      const urls = answer.split(',').map((url) => readRelay(url.trim()))
      return urls.every((url) => url !== undefined) ? urls.flatMap((url) => url ?? []) : undefined
    }),
    async check(urls) {
      const found = await Promise.all(urls.map((url) => checkRelay({ url, identity, clock, log })))
      return found.flat()
    },
  })
  return { RELAYS: relays.join(',') }
}

const apiKey = (answer: string): string | undefined =>
  /^[!-~]{8,512}$/.test(answer) ? answer : undefined
const KEY_RULE = 'a key: 8 to 512 visible characters without blanks'

async function askLnbits(asker: Asker, { clock, log }: Tools): Promise<Record<string, string>> {
  const base = { clock, log, needsRate: false }
  const url = await asker.ask({
    text: 'Your LNbits, as https://lnbits.example:',
    read: byRule('an address such as https://lnbits.example', readHttp),
  })
  const invoiceKey = await asker.ask<string>({
    text: "The invoice key of the bot's wallet there:",
    isSecret: true,
    read: byRule(KEY_RULE, apiKey),
    check: (key) => checkLnbits({ ...base, url, invoiceKey: key, adminKey: undefined }),
  })
  const adminKey = await asker.ask<string>({
    text: 'Its admin key, so that customers can withdraw (empty: they cannot):',
    isSecret: true,
    read: byRuleOrEmpty(KEY_RULE, apiKey),
    check: async (key) =>
      key === '' ? [] : checkLnbits({ ...base, url, invoiceKey, adminKey: key }),
  })
  return {
    ...{ LNBITS_URL: url, LNBITS_INVOICE_KEY: invoiceKey },
    ...(adminKey === '' ? {} : { LNBITS_ADMIN_KEY: adminKey }),
  }
}

function askDatabase(asker: Asker, { clock, log }: Tools): Promise<string> {
  return asker.ask<string>({
    text: 'A Postgres, as postgres://user:password@host/name (empty: one of its own):',
    isSecret: true,
    read: byRuleOrEmpty('a postgres:// address', (text) =>
      /^postgres(ql)?:$/.test(URL.parse(text)?.protocol ?? '') ? text : undefined,
    ),
    async check(url) {
      if (url === '') return []
      return checkDatabase({ databaseUrl: secret(url), dataDir: '' }, { clock, log })
    },
  })
}

const BACKEND_MS = 60_000

async function askBackend(asker: Asker, { clock }: Tools): Promise<Record<string, string>> {
  const kind = await asker.ask({
    text: 'What does the work: chat (an AI server), command (a program), or echo (for trying):',
    read: byRule('chat, command or echo', (answer) =>
      (['chat', 'command', 'echo'] as const).find((choice) => choice === answer),
    ),
  })
  const values: Record<string, string> = { BACKEND: kind }
  const choice: BackendChoice = { kind, chat: undefined, command: undefined, timeoutMs: BACKEND_MS }
  if (kind === 'chat') {
    const baseUrl = await asker.ask({
      text: 'Its OpenAI-compatible address, up to and with /v1:',
      read: byRule('an address such as https://host/v1', readHttp),
    })
    const key = await asker.ask({
      text: 'Its API key (empty: it needs none):',
      isSecret: true,
      read: byRuleOrEmpty(KEY_RULE, apiKey),
    })
    values.CHAT_BASE_URL = baseUrl
    if (key !== '') values.CHAT_API_KEY = key
    choice.chat = { baseUrl, apiKey: key === '' ? undefined : secret(key) }
  }
  if (kind === 'command') {
    values.COMMAND = await asker.ask({
      text: 'Program and arguments, as ["/usr/bin/wc","-w"] or words without quotes:',
      read: byRule('a JSON list of texts, or words without quotes', (answer) =>
        answer !== '' && readCommand(answer) ? answer : undefined,
      ),
    })
    choice.command = readCommand(values.COMMAND)
  }
  values.MODELS = await askModels(asker, choice, clock)
  return values
}

/** One model is enough to begin; more are added in the file. */
async function askModels(asker: Asker, choice: BackendChoice, clock: Clock): Promise<string> {
  const name = await asker.ask<string>({
    text:
      choice.kind === 'chat'
        ? 'The model, by the name the server knows it by:'
        : `What the service is called (empty: ${choice.kind}):`,
    ...(choice.kind === 'chat' ? {} : { fallback: choice.kind }),
    read: byRule('1 to 100 visible characters without blanks', (answer) =>
      /^[!-~]{1,100}$/.test(answer) ? answer : undefined,
    ),
    check: (model) => checkBackend(choice, { models: [{ name: model }], clock }),
  })
  const price = await asker.ask({
    text:
      'Its price: sats a request, as 21, or USD per million tokens in/out and most tokens out, ' +
      'as 0.5/1.5/1000:',
    read: byRule('21, or 0.5/1.5/1000', (answer) => readPrice(name, answer)),
  })
  return JSON.stringify([price])
}

function readPrice(name: string, answer: string) {
  const [input, output, most, ...rest] = answer.split('/').map((part) => part.trim())
  if (input === undefined || rest.length > 0) return undefined
  const model =
    output === undefined
      ? { name, satsPerRequest: Number(input) }
      : {
          name,
          inputUsdPerMillion: input,
          outputUsdPerMillion: output,
          maxOutputTokens: Number(most),
        }
  // Read by the very rule of MODELS, so that what is written is what the daemon accepts.
  return models.safeParse(JSON.stringify([model])).success ? model : undefined
}
