import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { readConfig } from '../../../../src/config.ts'
import { silentLog } from '../../../../src/log.ts'
import { checkFiles } from '../../../../src/operator/checks/files.ts'
import { checkRelay } from '../../../../src/operator/checks/relay.ts'
import { doctor } from '../../../../src/operator/commands/doctor.ts'
import { startPlayLnbits } from '../../../../src/sandbox/lnbits.ts'
import { startRelay } from '../../../../src/sandbox/relay.ts'
import type { Check } from '../../../../src/operator/checks/check.ts'
import { keptTerminal, realSettings } from '../../../support/command.ts'
import { freshDatabase } from '../../../support/database.ts'
import { bareServer, newIdentity, scripted } from '../../../support/relay-lab.ts'
import { scratchDir } from '../../../support/tithe.ts'

/** A world in which everything works, and the doctor in it with some settings changed. */
async function world() {
  const [db, relay, lnbits] = await Promise.all([freshDatabase(), startRelay(), startPlayLnbits()])
  return {
    ...{ db, relay, lnbits },
    async examine(changes: Record<string, string> = {}) {
      const read = readConfig({
        ...realSettings(db.url),
        RELAYS: relay.url,
        LNBITS_URL: lnbits.url,
        LNBITS_INVOICE_KEY: lnbits.bot.invoiceKey,
        ...changes,
      })
      if (!read.ok) throw new Error(read.problems.map(({ problem }) => problem).join())
      const terminal = keptTerminal()
      const context = { config: read.config, clock: systemClock, log: silentLog, terminal }
      const status = await doctor(context, { json: true })
      const told: { ok: boolean; checks: Check[] } = JSON.parse(terminal.printed[0] ?? '')
      const said = (what: string, verdict: string) =>
        told.checks
          .filter((check) => check.about.startsWith(what) && check.verdict === verdict)
          .map(({ text }) => text)
      return { status, ...told, said, context }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([relay.stop(), lnbits.stop()])
      await db[Symbol.asyncDispose]()
    },
  }
}

test('a world in good order is ok line by line, with status 0', async () => {
  await using healthy = await world()
  const { status, ok, checks } = await healthy.examine({
    LNBITS_ADMIN_KEY: healthy.lnbits.bot.adminKey,
    OPERATORS: newIdentity().pubkey,
  })
  const texts = checks.map(({ about, text }) => `${about}: ${text.replaceAll(/\d+ ms/g, 'N ms')}`)
  expect(checks.filter(({ verdict }) => verdict === 'fail')).toEqual([])
  expect({ status, ok }).toEqual({ status: 0, ok: true })
  expect(texts).toEqual([
    expect.stringMatching(/^settings: Timmy is npub1/),
    expect.stringMatching(
      /^relay 127\.0\.0\.1:\d+: connected in N ms, wrote in N ms, read back in N ms$/,
    ),
    'LNbits: answers in N ms',
    'LNbits: wallet "bot" holds 0 sats',
    'LNbits: makes an invoice in N ms',
    'LNbits: tells of payments by its websocket',
    'LNbits: the admin key may pay: withdrawals are on',
    'LNbits: says a bitcoin is 100000 USD',
    expect.stringMatching(/^database: postgres:.* PostgreSQL [\d.]+, answers in N ms$/),
    expect.stringMatching(/^database: /),
    expect.stringMatching(/^database: its schema is up to date \(version \d+\)$/),
    'database: the daemon works as a role that cannot rewrite the books',
    expect.stringMatching(/^clock: within \d\.\d s of the database's$/),
    'backend echo: echo answered 19 characters in N ms',
  ])
})

test('the lines are for people: verdict first, the remedy below, a count at the end', async () => {
  await using healthy = await world()
  const { context } = await healthy.examine({ LNBITS_INVOICE_KEY: 'an-unknown-key' })
  await doctor(context)
  const lines = context.terminal.printed.slice(1)
  const at = lines.indexOf('fail  LNbits: LNBITS_INVOICE_KEY is unknown there')
  expect(lines[at + 1]).toBe('      Copy the invoice key anew.')
  expect(lines.at(-1)).toBe('1 of 10 checks failed.')
})

test('keys that are mixed up are seen', async () => {
  await using healthy = await world()
  const { bot } = healthy.lnbits
  const other = healthy.lnbits.createWallet('other', 5)
  const tooMuch = await healthy.examine({ LNBITS_INVOICE_KEY: bot.adminKey })
  expect(tooMuch.said('LNbits', 'warn')).toEqual(['LNBITS_INVOICE_KEY is an admin key: it may pay'])
  const tooLittle = await healthy.examine({ LNBITS_ADMIN_KEY: other.invoiceKey })
  expect(tooLittle.said('LNbits', 'fail')).toEqual(['LNBITS_ADMIN_KEY may not pay'])
  const another = await healthy.examine({ LNBITS_ADMIN_KEY: other.adminKey })
  expect(another.said('LNbits', 'fail')).toEqual([
    'LNBITS_ADMIN_KEY is of another wallet: withdrawals would not be its own',
  ])
})

test('no price is a failure for models priced in USD alone', async () => {
  await using healthy = await world()
  healthy.lnbits.faults.rateUsd = 0
  const flat = await healthy.examine()
  expect(flat.said('LNbits', 'fail')).toEqual([])
  const model =
    '[{"name":"echo","inputUsdPerMillion":1,"outputUsdPerMillion":1,"maxOutputTokens":9}]'
  const priced = await healthy.examine({ MODELS: model })
  expect(priced.said('LNbits', 'fail')).toEqual([
    'has no bitcoin price, so jobs priced in USD are refused',
  ])
  const fixed = await healthy.examine({ MODELS: model, BTC_USD: '100000' })
  expect(fixed.ok).toBe(true)
})

test('what cannot be reached fails by itself, and the rest is still examined', async () => {
  await using healthy = await world()
  const { status, said } = await healthy.examine({
    RELAYS: `${healthy.relay.url},ws://127.0.0.1:9`,
    LNBITS_URL: 'http://127.0.0.1:9',
    DATABASE_URL: 'postgres://tithe:hunter2@127.0.0.1:9/tithe',
  })
  expect(status).toBe(1)
  expect(said('relay', 'fail')).toEqual(['cannot be reached'])
  expect(said('relay', 'ok')).toHaveLength(1)
  expect(said('LNbits', 'fail')).toEqual([expect.stringContaining('unreachable')])
  expect(said('database', 'fail')).toEqual([
    'postgres://tithe:***@127.0.0.1:9/tithe cannot be used: nothing listens there',
  ])
  expect(said('backend', 'ok')).toHaveLength(1)
})

test('a database that was never migrated is left as it is', async () => {
  await using healthy = await world()
  await healthy.db.sql`drop schema public cascade`
  await healthy.db.sql`create schema public`
  const { said } = await healthy.examine()
  expect(said('database', 'ok').join('\n')).toMatch(
    /schema has version 0; the next start brings it/,
  )
  const tables = await healthy.db.sql`
    select 1 from information_schema.tables where table_schema = 'public'`
  expect(tables).toHaveLength(0)
})

test('a database of a newer tithe fails', async () => {
  await using healthy = await world()
  await healthy.db.sql`insert into schema_migrations (version, name, sha256) values (99, 'x', 'x')`
  const { said } = await healthy.examine()
  expect(said('database', 'fail')).toEqual([
    expect.stringMatching(/version 99, this tithe knows \d/),
  ])
})

test('a program that is not there fails with what to try', async () => {
  await using healthy = await world()
  const { checks } = await healthy.examine({ BACKEND: 'command', COMMAND: '/no/such/program' })
  expect(checks.at(-1)).toMatchObject({ about: 'backend command', verdict: 'fail' })
  expect(checks.at(-1)?.remedy).toContain('Run COMMAND yourself')
})

const relayCheck = async (url: string) => {
  const [check] = await checkRelay({
    ...{ url, identity: newIdentity(), clock: systemClock, log: silentLog, timeoutMs: 400 },
  })
  return check
}

test('a relay that gives DMs after AUTH alone is ok, and says so', async () => {
  await using relay = await startRelay({ requireAuth: true, authToWrite: true })
  const check = await checkRelay({
    ...{ url: relay.url, identity: newIdentity(), clock: systemClock, log: silentLog },
  })
  expect(check[0]).toMatchObject({ verdict: 'ok', text: expect.stringMatching(/, with AUTH$/) })
})

test('the probe on a relay is a DM to oneself that expires', async () => {
  await using relay = await startRelay()
  const identity = newIdentity()
  await checkRelay({ url: relay.url, identity, clock: systemClock, log: silentLog })
  const [wrap] = relay.events()
  expect(wrap).toMatchObject({ kind: 1059 })
  expect(wrap?.tags.map(([name]) => name)).toEqual(['p', 'expiration'])
})

test.each([
  ['refuses', ['OK', '$id', false, 'blocked: not you'], 'refuses DMs (blocked: not you)'],
  ['loses', ['OK', '$id', true, ''], 'does not give it back'],
])('a relay that %s what it is sent fails', async (_, answer, text) => {
  await using relay = await scripted((message, say) => {
    const event = message[1]
    const id = typeof event === 'object' && event !== null && 'id' in event ? event.id : ''
    if (message[0] === 'EVENT') say(...answer.map((part) => (part === '$id' ? id : part)))
    if (message[0] === 'REQ') say('EOSE', message[1])
  })
  const check = await relayCheck(relay.url)
  expect(check).toMatchObject({ verdict: 'fail', text: expect.stringContaining(text) })
})

test('a server that is no relay fails within the time given', async () => {
  await using silent = await bareServer(() => {})
  expect(await relayCheck(silent.url)).toMatchObject({ verdict: 'fail', text: 'cannot be reached' })
})

test('a file with secrets that others can read is a warning with the command that mends it', () => {
  using scratch = scratchDir()
  const path = join(scratch.path, '.env')
  writeFileSync(path, 'X=1', { mode: 0o600 })
  expect(checkFiles([path, join(scratch.path, 'none')])).toMatchObject([{ verdict: 'ok' }])
  chmodSync(path, 0o644)
  expect(checkFiles([path])).toMatchObject([{ verdict: 'warn', remedy: `chmod 600 ${path}` }])
})
