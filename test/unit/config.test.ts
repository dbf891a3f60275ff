import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { configProblemText, readConfig } from '../../src/config.ts'
import { settingNotes } from '../../src/settings.ts'
import { parseModelRate } from '../../src/money/model-rate.ts'
import { estimateRequestCost } from '../../src/money/pricing.ts'
import { environment } from '../../src/settings.ts'

const HEX = 'a'.repeat(64)
/** The nsec and npub of NIP-19's own examples, and the latter's hex. */
const NSEC = 'nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5'
const NPUB = 'npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg'
const NPUB_HEX = '7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e'
const MODELS = '[{"name":"small","satsPerRequest":21}]'

const real = {
  NOSTR_SECRET_KEY: NSEC,
  RELAYS: 'wss://relay.test',
  LNBITS_URL: 'https://lnbits.test/',
  LNBITS_INVOICE_KEY: 'invoice-key-0123456789',
  BACKEND: 'echo',
  MODELS,
}

function configOf(env: Record<string, string>) {
  const answer = readConfig(env)
  if (!answer.ok) throw new Error(configProblemText(answer.problems))
  return answer.config
}

function problemsOf(env: Record<string, string>) {
  const answer = readConfig(env)
  return answer.ok ? [] : answer.problems
}

const settingsWithProblems = (env: Record<string, string>) =>
  problemsOf(env).map(({ setting }) => setting)

describe('sandbox or real', () => {
  test('an empty environment is the sandbox, in a directory of its own', () => {
    const config = configOf({})
    expect(config.mode).toBe('sandbox')
    expect(config.dataDir).toBe(resolve('data/sandbox'))
    expect(config.lnbits).toBeUndefined()
    expect(config.databaseUrl).toBeUndefined()
    expect(config.nostr.relays).toEqual([])
    expect(config.backend.kind).toBe('echo')
  })

  test('blank values and foreign variables count as nothing', () => {
    const blank = Object.fromEntries(settingNotes().map(({ name }) => [name, ' ']))
    expect(configOf({ ...blank, PATH: '/bin', RELAY: 'x' })).toEqual(configOf({}))
  })

  test('everything that real sats need makes it real, outside the sandbox directory', () => {
    const config = configOf(real)
    expect(config.mode).toBe('real')
    expect(config.dataDir).toBe(resolve('data'))
    expect(config.nostr.secretKey?.reveal()).toBe(NSEC)
    expect(config.nostr.dmRelays).toEqual(['wss://relay.test'])
    expect(config.lnbits?.url).toBe('https://lnbits.test')
    expect(config.lnbits?.adminKey).toBeUndefined()
  })

  test('a key file serves instead of a key', () => {
    const { NOSTR_SECRET_KEY: _, ...rest } = real
    const config = configOf({ ...rest, NOSTR_SECRET_KEY_FILE: '/run/key' })
    expect(config.nostr).toMatchObject({ secretKey: undefined, secretKeyFile: '/run/key' })
    expect(settingsWithProblems(rest)).toEqual(['NOSTR_SECRET_KEY'])
    expect(settingsWithProblems({ ...real, NOSTR_SECRET_KEY_FILE: '/run/key' })).toEqual([
      'NOSTR_SECRET_KEY_FILE',
    ])
  })

  const required = Object.keys(real)
  test.each(required)('without %s a real configuration is refused by that name', (name) => {
    const { [name]: _, ...rest }: Record<string, string> = real
    expect(settingsWithProblems(rest)).toEqual([name])
  })

  // A database or an admin key alone is a forgotten relay, not a wish for play money.
  test.each([
    ['RELAYS', 'wss://relay.test'],
    ['DM_RELAYS', 'wss://relay.test'],
    ['DATABASE_URL', 'postgres://localhost/tithe'],
    ['LNBITS_URL', 'https://lnbits.test'],
    ['LNBITS_INVOICE_KEY', 'invoice-key'],
    ['LNBITS_ADMIN_KEY', 'admin-key'],
    ['NOSTR_SECRET_KEY', HEX],
    ['NOSTR_SECRET_KEY_FILE', '/run/key'],
  ])('%s alone never starts the sandbox and names all that is missing', (name, value) => {
    const missing = required.filter((other) => !name.startsWith(other))
    expect(settingsWithProblems({ [name]: value })).toEqual(missing)
  })

  test('missing and malformed settings stand in one message, in the order of the table', () => {
    const text = configProblemText(
      problemsOf({ RELAYS: 'htp://relay.test', INVOICE_TTL_SECONDS: '4', BACKEND: 'echo', MODELS }),
    )
    const lines = text.split('\n').filter((line) => line.startsWith('  '))
    expect(text).toMatch(/^tithe cannot start: 5 settings need attention\.\n/)
    expect(lines).toEqual([
      "  NOSTR_SECRET_KEY     is missing. Set the bot's nsec here, " +
        'or a file that holds it in NOSTR_SECRET_KEY_FILE.',
      '  RELAYS               "htp://relay.test" is not a relay such as wss://relay.example, ' +
        'several with commas',
      '  LNBITS_URL           is missing. Write the address of your LNbits, as https://host.',
      "  LNBITS_INVOICE_KEY   is missing. Copy the invoice key of the bot's wallet from LNbits.",
      '  INVOICE_TTL_SECONDS  "4" is not a whole number from 5 to 3600',
    ])
  })
})

describe('values', () => {
  test.each([
    ['INVOICE_TTL_SECONDS', '5', (c: Answer) => c.invoiceTtlSeconds, 5],
    ['BTC_USD', '98765.43', (c: Answer) => c.btcUsd, '98765.43'],
    ['EARNED_GRANT_RATIO', '0.4', (c: Answer) => c.money.earnedGrantRatio, 0.4],
    ['BACKEND_TIMEOUT_SECONDS', '7', (c: Answer) => c.backend.timeoutMs, 7000],
    ['PAYMENT_POLL_SECONDS', '3', (c: Answer) => c.paymentPollMs, 3000],
    ['DATA_DIR', '/var/lib/tithe', (c: Answer) => c.dataDir, '/var/lib/tithe/sandbox'],
    ['OPERATORS', `${NPUB}, ${HEX},${HEX}`, (c: Answer) => c.operators, [NPUB_HEX, HEX]],
    ['TRUSTED_LIST', NPUB, (c: Answer) => c.trust.list, list(3, '')],
    [
      'TRUSTED_LIST',
      `30000:${NPUB}:my friends`,
      (c: Answer) => c.trust.list,
      list(30000, 'my friends'),
    ],
    ['TRUST_RANK', `${NPUB}:80`, (c: Answer) => c.trust.rank, { provider: NPUB_HEX, rankMin: 80 }],
    ['HTTP_PORT', '0', (c: Answer) => c.http, { host: '127.0.0.1', port: 0 }],
    ['BOT_NAME', 'Zehntel ½', (c: Answer) => c.nostr.botName, 'Zehntel ½'],
    [
      'WITHDRAW_DAILY_SATS',
      '0',
      (c: Answer) => c.withdrawals,
      { satsMin: 200, dailySatsMax: 0, dailyTotalSatsMax: 1_000_000 },
    ],
    ['WITHDRAW_DAILY_TOTAL_SATS', '7', (c: Answer) => c.withdrawals.dailyTotalSatsMax, 7],
  ])('%s=%s is read', (name, text, pick, expected) => {
    expect(pick(configOf({ [name]: text }))).toEqual(expected)
  })

  test.each([
    ['wss://a.test, ws://127.0.0.1:7000/ ,wss://a.test/', ['wss://a.test', 'ws://127.0.0.1:7000']],
    ['wss://a.test/nostr/,', ['wss://a.test/nostr']],
  ])('relays %s are split, cleaned and named once', (text, expected) => {
    expect(configOf({ ...real, RELAYS: text }).nostr.relays).toEqual(expected)
  })

  test.each([
    ['/usr/bin/wc -w', ['/usr/bin/wc', '-w']],
    ['["jq","-r",".a b"]', ['jq', '-r', '.a b']],
  ])('COMMAND=%s is an argument list', (text, expected) => {
    const config = configOf({ BACKEND: 'command', COMMAND: text, MODELS })
    expect(config.backend.command).toEqual(expected)
  })

  test.each([
    ['RELAYS', 'https://relay.test'],
    ['RELAYS', ','],
    ['RELAYS', 'wss://user:password@relay.test'],
    ['LNBITS_URL', 'lnbits.test'],
    ['LNBITS_URL', 'https://lnbits.test/?key=1'],
    ['LNBITS_INVOICE_KEY', 'short'],
    ['LNBITS_INVOICE_KEY', 'two words here'],
    ['LNBITS_ADMIN_KEY', real.LNBITS_INVOICE_KEY],
    ['NOSTR_SECRET_KEY', NPUB],
    ['NOSTR_SECRET_KEY', '0'.repeat(64)],
    ['NOSTR_SECRET_KEY', NSEC.slice(0, -1)],
    ['DATABASE_URL', 'mysql://localhost/tithe'],
    ['BACKEND', 'Echo'],
    ['BTC_USD', '0'],
    ['BTC_USD', '1e5'],
    ['BTC_USD', '-100000'],
    ['INVOICE_TTL_SECONDS', '3601'],
    ['INVOICE_TTL_SECONDS', '0x10'],
    ['INVOICE_TTL_SECONDS', '10.0'],
    ['MARGIN_PCT', '40%'],
    ['POOL_CREDIT_PCT', '101'],
    ['POOL_SEED_SATS', '2100000000000001'],
    ['EARNED_GRANT_RATIO', '.25'],
    ['EARNED_GRANT_RATIO', '0.41'],
    ['BUDGET_NEW', '1'],
    ['BUDGET_ELITE', '1_000'],
    ['OPERATORS', `${NPUB},${NPUB.slice(0, -1)}x`],
    ['OPERATORS', NSEC],
    ['TRUSTED_LIST', `10000:${NPUB}:x`],
    ['TRUST_RANK', NPUB],
    ['TRUST_RANK', `${NPUB}:101`],
    ['POOL_STATUS', 'on'],
    ['POOL_STATUS_INTERVAL_SECONDS', '59'],
    ['HTTP_PORT', '65536'],
    ['HTTP_HOST', 'localhost'],
    ['BOT_NAME', 'two\nlines'],
    ['LOG_LEVEL', 'verbose'],
    ['DM_FALLBACK', 'nip66'],
    ['POW_BITS', '31'],
  ])('%s=%s is refused by name, never replaced by the default', (name, text) => {
    expect(settingsWithProblems({ ...real, [name]: text })).toEqual([name])
  })

  test.each([
    ['{}', 'is not a JSON list of'],
    ['[]', 'is not a JSON list of'],
    ['[{"name":"a"', 'is not a JSON list of'],
    ['["a"]', 'entry 1: is not an object'],
    ['[{"name":"a"}]', 'entry 1: inputUsdPerMillion is missing'],
    ['[{"name":"a b","satsPerRequest":1}]', 'entry 1: name must be 1 to 100 visible characters'],
    ['[{"name":"a","satsPerRequest":0}]', 'entry 1: satsPerRequest is 0: it must be a whole'],
    ['[{"name":"a","satsPerRequest":1.5}]', 'entry 1: satsPerRequest is 1.5: it must be a whole'],
    ['[{"name":"a","satsPerRequest":1,"maxOutputTokens":0}]', 'entry 1: maxOutputTokens is 0'],
    ['[{"name":"a","satsPerRequest":1,"tokens":5}]', 'entry 1: has unknown keys: "tokens"'],
    [
      '[{"name":"a","satsPerRequest":1},{"name":"a","satsPerRequest":2}]',
      'has two entries named "a"',
    ],
    [
      '[{"name":"a","inputUsdPerMillion":1e-7,"outputUsdPerMillion":-1,"maxOutputTokens":1}]',
      'entry 1: inputUsdPerMillion is 1e-7: it must be a decimal',
    ],
  ])('MODELS=%s is refused with the entry and the rule', (text, part) => {
    const [problem] = problemsOf({ ...real, MODELS: text })
    expect(problem?.setting).toBe('MODELS')
    expect(problem?.problem).toContain(part)
  })

  test('token rates stay decimal text, whether written as numbers or as texts', () => {
    const entry = { name: 'a', inputUsdPerMillion: 0.15, outputUsdPerMillion: '0.60' }
    const text = JSON.stringify([{ ...entry, maxOutputTokens: 100 }])
    expect(configOf({ ...real, MODELS: text }).models).toEqual([
      { name: 'a', inputUsdPerMillion: '0.15', outputUsdPerMillion: '0.60', maxOutputTokens: 100 },
    ])
  })

  test.each([
    ['BACKEND=chat without an endpoint', { BACKEND: 'chat', MODELS }, ['CHAT_BASE_URL']],
    ['BACKEND=command without a command', { BACKEND: 'command', MODELS }, ['COMMAND']],
    [
      'a sandbox chat without models',
      { BACKEND: 'chat', CHAT_BASE_URL: 'http://h/v1' },
      ['MODELS'],
    ],
    ['an endpoint that no backend uses', { CHAT_BASE_URL: 'http://h/v1' }, ['BACKEND']],
    [
      'a command with half a quote',
      { BACKEND: 'command', COMMAND: "sh -c 'x", MODELS },
      ['COMMAND'],
    ],
    ['an empty program', { BACKEND: 'command', COMMAND: '[""]', MODELS }, ['COMMAND']],
  ])('%s is refused', (_, env, settings) => {
    expect(settingsWithProblems(env)).toEqual(settings)
  })

  test('an echo of one line is quoted 43 sats in the sandbox at 100,000 USD', () => {
    const [model] = configOf({}).models
    const priced = model && parseModelRate(model)
    if (!priced || 'problem' in priced) throw new Error('the echo model has no price')
    const line = { inputTokens: 15, model: priced, usdPerBtc: '100000', marginPct: 40 }
    expect(estimateRequestCost(line)).toMatchObject({ estimatedSats: 43 })
  })

  test('the configuration cannot be changed after it was read', () => {
    const config = configOf(real)
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.money.budgets)).toBe(true)
    expect(() => config.nostr.relays.push('wss://other.test')).toThrow(TypeError)
  })
})

describe('secrets', () => {
  const secrets = {
    NOSTR_SECRET_KEY: HEX.replaceAll('a', 'c'),
    LNBITS_INVOICE_KEY: 'canary-invoice-key-1',
    LNBITS_ADMIN_KEY: 'canary-admin-key-12',
    CHAT_API_KEY: 'canary-chat-key-123',
    DATABASE_URL: 'postgres://bot:canary-password@db.test/tithe',
  }

  test('a configuration that is printed or serialised shows none', () => {
    const chat = { BACKEND: 'chat', CHAT_BASE_URL: 'https://h.test/v1' }
    const config = configOf({ ...real, ...chat, ...secrets })
    const printed = `${JSON.stringify(config)}${inspect(config, { depth: 9 })}${config.databaseUrl}`
    for (const value of Object.values(secrets)) expect(printed).not.toContain(value)
    expect(printed).toContain('[secret]')
    expect(config.databaseUrl?.reveal()).toBe(secrets.DATABASE_URL)
  })

  // Keys land in the wrong line by pasting, so every setting is tried with every kind of key.
  test.each(settingNotes().map(({ name }) => name))(
    '%s never repeats a key in its complaint',
    (name) => {
      const canaries = [
        `nsec1${'7'.repeat(57)}`,
        'c0ffee00'.repeat(8).toUpperCase(),
        'sk-proj-Canary0123456789abcdef',
        `npub1${'7'.repeat(58)}`,
      ]
      const rates = (key: string) => {
        const entry = { name: 'a', inputUsdPerMillion: key, outputUsdPerMillion: 1 }
        return JSON.stringify([{ ...entry, maxOutputTokens: 1 }])
      }
      const texts = canaries.flatMap((key) => [
        ...[key, `x://bot:${key}@h`, `["${key}"`, `a=${key},b`],
        ...[`[{"name":"a","${key}":1}]`, rates(key)],
      ])
      for (const text of texts) {
        const message = configProblemText(problemsOf({ ...real, [name]: text }))
        for (const key of canaries) expect(message).not.toContain(key.slice(0, 20))
      }
    },
  )

  test('a malformed secret is described by its length or its rule alone', () => {
    const [key] = problemsOf({ ...real, LNBITS_INVOICE_KEY: 'canary' })
    expect(key?.problem).toMatch(/^the value \(6 characters, kept out of this message\) is not/)
    const [nsec] = problemsOf({ ...real, NOSTR_SECRET_KEY: NPUB })
    expect(nsec?.problem).toContain('this is a public key')
  })
})

describe('the list of settings', () => {
  test.each([
    ['INVOICE_TTL_SECONDS', '600'],
    ['MARGIN_PCT', '40'],
    ['POOL_SEED_SATS', '10000'],
    ['POOL_CREDIT_PCT', '10'],
    ['POOL_DAILY_OUTFLOW_PCT', '10'],
    ['EARNED_GRANT_RATIO', '0.25'],
    ['BUDGET_NEW', '0'],
    ['BUDGET_ESTABLISHED', '50'],
    ['BUDGET_TRUSTED', '200'],
    ['BUDGET_ELITE', '1000'],
    ['POOL_STATUS', 'exact'],
    ['POOL_STATUS_INTERVAL_SECONDS', '300'],
    ['HTTP_PORT', '8787'],
    ['BOT_NAME', 'Timmy'],
    ['LOG_LEVEL', 'info'],
    ['DATA_DIR', './data'],
    ['DM_RELAYS', '`RELAYS`'],
    ['BACKEND', '`echo` in the sandbox'],
  ])('%s has the default %s', (name, expected) => {
    expect(settingNotes().find((row) => row.name === name)?.default).toBe(expected)
  })

  test('every setting has a meaning that fits into a table', () => {
    for (const { meaning } of settingNotes()) expect(meaning).toMatch(/^[^|\n]{10,250}$/)
  })

  test('.env.example names every setting once, with its default', () => {
    const lines = readFileSync('.env.example', 'utf8').match(/^#?[A-Z_]+=.*$/gm) ?? []
    const shown = lines.map((line) => line.replace(/^#/, '').split('=', 2))
    expect(shown.map(([name]) => name).toSorted()).toEqual(
      Object.keys(environment.shape).toSorted(),
    )
    const byName = new Map(settingNotes().map((row) => [row.name, row.default]))
    const literal = new Set(Object.keys(environment.parse({})))
    for (const [name = '', value] of shown) {
      expect(`${name}=${value}`).toBe(`${name}=${literal.has(name) ? byName.get(name) : ''}`)
    }
  })
})

test('any environment is answered: with a configuration or with problems of known settings', () => {
  const names = Object.keys(environment.shape)
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constantFrom(...Object.values(real), '0', '-1', NPUB),
  )
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), text), (env) => {
      const answer = readConfig(env)
      if (answer.ok) {
        expect(answer.config.models.length).toBeGreaterThan(0)
        return
      }
      for (const { setting } of answer.problems) expect(names).toContain(setting)
      expect(answer.problems.length).toBeGreaterThan(0)
    }),
    { numRuns: 500 },
  )
})

type Answer = ReturnType<typeof configOf>

function list(kind: number, identifier: string) {
  return { kind, pubkey: NPUB_HEX, identifier }
}
