import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { createIdentity, generateSecretKey, npub, parseSecretKey } from '../nostr/identity.ts'
import type { Curve, Identity } from '../nostr/types.ts'
import { secret } from '../secret.ts'
import { KEY_RULE, readHttp, readPubkey, readRelay } from '../setting-texts.ts'
import type { Terminal } from '../terminal.ts'
import { checkDatabase } from './checks/database.ts'
import { checkAdminKey, checkReached, checkReceiving } from './checks/lnbits.ts'
import { checkRelay } from './checks/relay.ts'
import { askBackend } from './init-backend.ts'
import { apiKey, type Asker, byRule, byRuleOrEmpty } from './init-questions.ts'

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
  const backend = await askBackend(asker, { clock: tools.clock, lnbits: lnbits.access })
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
      { note: "The bot's wallet. The admin key only enables withdrawals.", values: lnbits.values },
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

async function askLnbits(asker: Asker, { clock, log }: Tools) {
  const url = await asker.ask<string>({
    text: 'Your LNbits, as https://lnbits.example:',
    read: byRule('an address such as https://lnbits.example', readHttp),
    check: (url) => checkReached({ url, clock }),
  })
  const invoiceKey = await asker.ask<string>({
    text: "The invoice key of the bot's wallet there:",
    isSecret: true,
    read: byRule(KEY_RULE, apiKey),
    check: (key) => checkReceiving({ url, invoiceKey: key, clock, log }),
  })
  const adminKey = await asker.ask<string>({
    text: 'Its admin key, so that customers can withdraw (empty: they cannot):',
    isSecret: true,
    read: byRuleOrEmpty(KEY_RULE, apiKey),
    check: async (key) =>
      key === '' ? [] : checkAdminKey({ url, invoiceKey, adminKey: key, clock, log }),
  })
  const values = {
    LNBITS_URL: url,
    LNBITS_INVOICE_KEY: invoiceKey,
    ...(adminKey === '' ? {} : { LNBITS_ADMIN_KEY: adminKey }),
  }
  return { access: { url, invoiceKey, clock, log }, values }
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
