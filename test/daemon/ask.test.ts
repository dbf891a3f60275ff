import { readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { npub } from '../../src/nostr/identity.ts'
import { newIdentity } from '../support/relay-lab.ts'
import { type Child, processesAt, scratchDir, startTithe, tithe } from '../support/tithe.ts'

/** One sandbox for the whole file: a bot that is at work while customers and operators come and go. */
const scratch = scratchDir()
const env = {
  DATA_DIR: scratch.path,
  HTTP_PORT: '0',
  SANDBOX_RELAY_PORT: '0',
  SANDBOX_LNBITS_PORT: '0',
  LOG_LEVEL: 'warn',
}
let daemon: Child

beforeAll(async () => {
  daemon = startTithe(['start', '--json'], { env })
  expect(JSON.parse(await daemon.firstLine())).toMatchObject({ started: true, mode: 'sandbox' })
})

afterAll(async () => {
  daemon.process.kill('SIGKILL')
  await daemon.ended
  scratch[Symbol.dispose]()
})

const ask = (...args: string[]) => tithe(['ask', ...args], { env })
const lines = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line): Record<string, unknown> => JSON.parse(line))

test('who does not say yes pays nothing', async () => {
  const ran = await ask('Do it for nothing')
  expect(ran.status).toBe(1)
  expect(ran.stderr).toContain('Not paid: add --yes to pay it.\n')
  expect(lines((await ask('--json', '/jobs')).stdout)).toMatchObject([
    { type: 'jobs', jobs: [{ state: 'awaiting_payment' }] },
  ])
})

test('a customer sees the invoice, pays it and reads the result', async () => {
  const ran = await ask('--yes', 'What is a satoshi?')
  expect(ran.status).toBe(0)
  expect(ran.stdout).toMatch(/you +What is a satoshi\?\n/)
  expect(ran.stdout).toMatch(/\+\d+ ms {2}Timmy +This costs you \d+ sats at most/)
  // Whole, to be copied into a wallet.
  expect(ran.stdout).toMatch(/^ +lnbc\d+n1[a-z0-9]{200,}$/m)
  expect(ran.stdout).toMatch(/you +paid \d+ sats\n/)
  expect(ran.stdout).toMatch(/Job \d+ cost \d+ sats, paid by you/)
  expect(ran.stderr).toMatch(/^You are npub1[a-z0-9]{58}\.\n/)
})

test('a program gets each message as one line of JSON', async () => {
  const ran = await ask('--json', '--yes', 'Hello there')
  expect(ran).toMatchObject({ status: 0, stderr: '' })
  const told = lines(ran.stdout)
  expect(told.map(({ type }) => type)).toEqual(['invoice', 'working', 'result'])
  expect(told.at(-1)).toMatchObject({ v: 1, result: 'Hello there', free_tier: false })
})

test('what the bot refuses is status 1, what does not come is status 3', async () => {
  expect((await ask('/job 99')).status).toBe(1)
  const nobody = npub(newIdentity().pubkey)
  const ran = await ask('--to', nobody, '--timeout', '1', 'hello')
  expect(ran.status).toBe(3)
  expect(ran.stderr).toContain('No answer within 1 s.')
})

test('tiers and bans count from the next message on, while the bot is at work', async () => {
  const who = /npub1[a-z0-9]{58}/.exec((await ask('/why')).stderr)?.[0] ?? ''
  expect(await tithe(['tier', 'set', who, 'trusted'], { env })).toMatchObject({ status: 0 })
  const free = lines((await ask('--json', 'And now?')).stdout)
  expect(free).toMatchObject([{ type: 'working', paidFrom: 'pool' }, { type: 'result' }])

  expect(await tithe(['ban', who], { env })).toMatchObject({ status: 0 })
  const banned = await ask('--json', 'And now?')
  expect(banned.status).toBe(1)
  expect(lines(banned.stdout)).toMatchObject([{ type: 'refused', reason: 'banned' }])

  expect(await tithe(['ban', who, '--lift'], { env })).toMatchObject({ status: 0 })
  expect((await ask('/balance')).status).toBe(0)
})

test('the pool and the books are read while the bot is at work', async () => {
  const pool = await tithe(['pool', '--json'], { env })
  expect(JSON.parse(pool.stdout)).toMatchObject({ state: 'open', today: { free: 1, paid: 2 } })
  expect(await tithe(['audit'], { env })).toMatchObject({ status: 0, stderr: '' })
})

test('a second bot on the same ports ends with a sentence and leaves the first alone', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  const address = taken.address()
  const port = typeof address === 'object' ? String(address?.port) : ''
  for (const name of ['SANDBOX_RELAY_PORT', 'SANDBOX_LNBITS_PORT']) {
    const ran = await tithe(['start'], { env: { ...env, [name]: port } })
    expect(ran).toMatchObject({ status: 1, stdout: '' })
    expect(ran.stderr).toMatch(new RegExp(`^Port ${port}, .* Set ${name} to `))
  }
  taken.close()
  expect((await ask('/pool')).status).toBe(0)
})

test('SIGTERM ends the bot in good order and leaves no process', async () => {
  daemon.process.kill('SIGTERM')
  expect(await daemon.ended).toMatchObject({
    status: 0,
    // A slow machine has told of its start before.
    stderr: expect.stringMatching(/Stopping; once more ends it at once\.\n$/),
  })
  expect(processesAt(scratch.path)).toEqual([])
  expect(readdirSync(scratch.path)).toEqual(['sandbox'])
  const ran = await ask('Anybody there?')
  expect(ran.status).toBe(1)
  expect(ran.stderr).toMatch(/No sandbox is running: nothing answers at ws:.* npm start\n$/)
})
