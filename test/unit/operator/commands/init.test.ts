import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { readConfig } from '../../../../src/config.ts'
import { silentLog } from '../../../../src/log.ts'
import { npub } from '../../../../src/nostr/identity.ts'
import { init, quoted } from '../../../../src/operator/commands/init.ts'
import { startPlayLnbits } from '../../../../src/sandbox/lnbits.ts'
import { startRelay } from '../../../../src/sandbox/relay.ts'
import { startChatServer } from '../../../support/chat-server.ts'
import { keptTerminal } from '../../../support/command.ts'
import { freshDatabase } from '../../../support/database.ts'
import { newIdentity } from '../../../support/relay-lab.ts'
import { scratchDir } from '../../../support/tithe.ts'

/** Somebody who answers by what is asked; several answers to one question are given in turn. */
function person(
  answers: Record<string, string | string[]>,
  confirms: (boolean | undefined)[] = [],
) {
  const terminal = keptTerminal()
  const asked: { question: string; isSecret: boolean }[] = []
  const left = new Map(
    Object.entries(answers).map(([about, answer]) => [about, [answer].flat()] as const),
  )
  return {
    ...terminal,
    isAttended: true,
    asked,
    async ask(
      question: string,
      { isSecret = false }: { isSecret?: boolean },
    ): Promise<string | undefined> {
      asked.push({ question, isSecret })
      for (const [about, queue] of left) {
        if (question.includes(about) && queue.length > 0) return queue.shift()
      }
      return ''
    },
    confirm: async (): Promise<boolean | undefined> => confirms.shift() ?? false,
  }
}

const signal = new AbortController().signal
const run = (terminal: ReturnType<typeof person>, file: string) =>
  init({ terminal, clock: systemClock, log: silentLog }, { file, signal })

const settingsOf = (file: string) => parseEnv(readFileSync(file, 'utf8'))

test('every answer is tried, what fails is asked anew, and the daemon accepts what is written', async () => {
  await using db = await freshDatabase()
  await using relay = await startRelay()
  await using lnbits = await startPlayLnbits()
  await using chat = await startChatServer()
  using scratch = scratchDir()
  const file = join(scratch.path, '.env')
  const me = newIdentity().pubkey
  const terminal = person({
    'secret key': ['nsec1nonsense', ''],
    relays: ['nonsense', 'ws://127.0.0.1:9', relay.url],
    'Your LNbits': ['lnbits', lnbits.url],
    'invoice key': ['short', 'an-unknown-key', lnbits.bot.invoiceKey],
    'admin key': lnbits.bot.adminKey,
    Postgres: ['mysql://x', 'postgres://tithe@127.0.0.1:9/x', db.url],
    'does the work': ['magic', 'chat'],
    'OpenAI-compatible': chat.baseUrl,
    'API key': 'a-chat-key-of-mine',
    'The model': 'small',
    price: ['free', '0.5/1.5', '0.5/1.5/1000'],
    'own npub': ['npub1x', npub(me)],
  })
  expect(await run(terminal, file)).toBe(0)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const read = readConfig(settingsOf(file))
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  expect(read.config).toMatchObject({
    mode: 'real',
    nostr: { relays: [relay.url] },
    lnbits: { url: lnbits.url },
    backend: { kind: 'chat', chat: { baseUrl: chat.baseUrl } },
    models: [{ name: 'small', inputUsdPerMillion: '0.5', maxOutputTokens: 1_000 }],
    operators: [me],
  })
  expect(read.config.lnbits?.adminKey?.reveal()).toBe(lnbits.bot.adminKey)
  expect(chat.calls).toHaveLength(1)
  expect(relay.events().map(({ kind }) => kind)).toContain(1059)
  const told = terminal.told.join('\n')
  for (const failure of [
    'That is no key',
    'cannot be reached',
    'LNBITS_INVOICE_KEY is unknown there',
    'nothing listens there',
    'That is not chat, command or echo.',
  ]) {
    expect(told).toContain(failure)
  }
  // What is typed into a secret question is neither shown while it is typed nor said again.
  for (const { question, isSecret } of terminal.asked) {
    expect(isSecret, question).toBe(/key|Postgres/.test(question))
  }
  const everything = [told, ...terminal.printed].join('\n')
  for (const key of [lnbits.bot.invoiceKey, lnbits.bot.adminKey, 'a-chat-key-of-mine']) {
    expect(everything).not.toContain(key)
  }
})

test('a program is sold with four answers, and what fails can be kept all the same', async () => {
  await using relay = await startRelay()
  await using lnbits = await startPlayLnbits()
  using scratch = scratchDir()
  const file = join(scratch.path, '.env')
  const secret = '02'.repeat(32)
  const terminal = person(
    {
      'secret key': secret,
      relays: `${relay.url},ws://127.0.0.1:9`,
      'Your LNbits': lnbits.url,
      'invoice key': lnbits.bot.invoiceKey,
      'does the work': ['command', 'command'],
      'Program and arguments': [
        '["node","examples/command/reading-report.mjs"]',
        '["/usr/bin/tr","a-z","A-Z"]',
      ],
      price: '21',
    },
    [true, false],
  )
  expect(await run(terminal, file)).toBe(0)
  expect(settingsOf(file)).toEqual({
    NOSTR_SECRET_KEY: secret,
    RELAYS: `${relay.url},ws://127.0.0.1:9`,
    LNBITS_URL: lnbits.url,
    LNBITS_INVOICE_KEY: lnbits.bot.invoiceKey,
    BACKEND: 'command',
    COMMAND: '["/usr/bin/tr","a-z","A-Z"]',
    MODELS: '[{"name":"command","satsPerRequest":21}]',
  })
  const told = terminal.told.join('\n')
  // What fails is asked from the program on: another name would not help it.
  expect(told).toContain('Write "./examples/command/reading-report.mjs"')
  expect(told).toMatch(/ok +backend command: command answered 24 characters/)
})

test('a price in USD is tried against the rate of LNbits, which may have none', async () => {
  await using relay = await startRelay()
  await using lnbits = await startPlayLnbits({ rateUsd: 0 })
  using scratch = scratchDir()
  const terminal = person({
    relays: relay.url,
    'Your LNbits': ['http://127.0.0.1:9', lnbits.url],
    'invoice key': lnbits.bot.invoiceKey,
    'does the work': 'echo',
    price: ['0.5/1.5/1000', '7'],
  })
  const file = join(scratch.path, '.env')
  expect(await run(terminal, file)).toBe(0)
  expect(settingsOf(file).MODELS).toBe('[{"name":"echo","satsPerRequest":7}]')
  expect(terminal.told.join('\n')).toMatch(/fail +LNbits: has no bitcoin price/)
})

test('nothing is written when it is stopped half way, and a file that is there stays', async () => {
  using scratch = scratchDir()
  const file = join(scratch.path, '.env')
  const stopping = { ...person({}), ask: async () => undefined }
  await expect(run(stopping, file)).rejects.toThrow('Stopped; nothing was written.')
  // Ctrl-C where a yes is awaited: no more is asked, or nobody could get out.
  const cornered = {
    ...person({ relays: 'ws://127.0.0.1:9' }),
    confirm: async () => undefined,
  }
  await expect(run(cornered, file)).rejects.toThrow('Stopped; nothing was written.')
  expect(existsSync(file)).toBe(false)
  writeFileSync(file, 'OLD=1\n')
  await expect(run(person({}, [false]), file)).rejects.toThrow(`Stopped; ${file} is as it was.`)
  const nobody = { ...person({}), isAttended: false }
  await expect(run(nobody, file)).rejects.toThrow('nobody sits here')
  expect(readFileSync(file, 'utf8')).toBe('OLD=1\n')
})

test.each(['plain', 'postgres://a:b@c/d?e=f', '[{"name":"x"}]', "it's $HOME", '"', 'a b#c', ''])(
  'a value of %j is read back as it was',
  (value) => {
    expect(parseEnv(`X=${quoted(value)}\n`)).toEqual({ X: value })
  },
)
