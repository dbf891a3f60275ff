import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { realSettings } from '../support/command.ts'
import { freshDatabase } from '../support/database.ts'
import { MAIN, scratchDir, startTithe, tithe } from '../support/tithe.ts'
import { version } from '../../src/version.ts'

test.each([
  [['--help'], ['start', 'demo', 'ask', 'tier', 'ban', 'pool', 'audit']],
  [['start', '--help'], ['--json']],
  [['demo', '--help'], ['--json']],
  [
    ['ask', '--help'],
    ['--to', '--yes', '--json', '--timeout'],
  ],
  [
    ['tier', 'set', '--help'],
    ['<npub>', '<tier>', '--json'],
  ],
  [
    ['ban', '--help'],
    ['--reason', '--lift', '--json'],
  ],
  [
    ['pool', '--help'],
    ['add', 'pause', 'resume', 'budget', '--json'],
  ],
  [['audit', '--help'], ['--json']],
])('%j says what there is', async (args, words) => {
  const ran = await tithe(args)
  expect(ran).toMatchObject({ status: 0, stderr: '' })
  for (const word of words) expect(ran.stdout).toContain(word)
})

test('--version is the one of the package', async () => {
  expect(await tithe(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' })
})

test.each([
  [[]],
  [['nonsense']],
  [['tier', 'set', 'npub1']],
  [['audit', 'everything']],
  [['ask', 'hello', '--timeout', 'long']],
])('%j is a wrong call: status 2, and nothing for a script to read', async (args) => {
  using scratch = scratchDir()
  const ran = await tithe(args, { env: { DATA_DIR: scratch.path } })
  expect(ran).toMatchObject({ status: 2, stdout: '' })
  expect(ran.stderr).toMatch(/--help|--timeout takes/)
  expect(ran.stderr).not.toMatch(/^ +at /m)
})

test.each([['start'], ['audit']])(
  'a partial configuration stops `%s` with all that is missing and no secret',
  async (command) => {
    const key = 'b4d5e6f7a8b9c0d1e2f3'
    const env = { LNBITS_INVOICE_KEY: key, RELAYS: 'nonsense', NOSTR_SECRET_KEY: `nsec1${key}` }
    const ran = await tithe([command], { env })
    expect(ran).toMatchObject({ status: 2, stdout: '' })
    for (const name of ['NOSTR_SECRET_KEY', 'RELAYS', 'LNBITS_URL', 'BACKEND', 'MODELS']) {
      expect(ran.stderr).toContain(`  ${name} `)
    }
    expect(ran.stderr).not.toContain(key)
  },
)

test('settings come from .env too, and the environment wins over it', async () => {
  using scratch = scratchDir()
  writeFileSync(join(scratch.path, '.env'), 'BACKEND=nonsense\nLNBITS_URL="http://127.0.0.1:9"\n')
  const ran = await tithe(['audit'], { cwd: scratch.path, env: { BACKEND: 'echo' } })
  expect(ran.status).toBe(2)
  expect(ran.stderr).toContain('  RELAYS ')
  expect(ran.stderr).not.toMatch(/^ {2}(BACKEND|LNBITS_URL) /m)
})

test('an audit of tampered books ends with status 1 and names the account', async () => {
  await using db = await freshDatabase()
  const env = realSettings(db.url)
  expect(await tithe(['audit'], { env })).toMatchObject({ status: 0, stderr: '' })
  await db.sql`update accounts set balance_sats = balance_sats + 1 where name = 'pool'`
  const ran = await tithe(['audit', '--json'], { env })
  expect(ran).toMatchObject({ status: 1, stderr: '' })
  expect(JSON.parse(ran.stdout)).toMatchObject({ driftSats: 1, drift: [{ account: 'pool' }] })
  // As `tithe audit | head -1` does: who reads no further still gets the status.
  const unread = startTithe(['audit'], { env })
  unread.process.stdout?.destroy()
  expect(await unread.ended).toMatchObject({ status: 1, stderr: '' })
  // Ctrl-C ends the `tee` of `tithe 2>&1 | tee log` as well, and often before us.
  const unheard = startTithe(['export'], { env })
  unheard.process.stderr?.destroy()
  expect(await unheard.ended).toMatchObject({ status: 0 })
})

test('an output that cannot be written is said in a sentence', async () => {
  const full = ['-c', 'exec "$0" "$1" --help >/dev/full', process.execPath, MAIN]
  const { status, stderr } = spawnSync('sh', full, { encoding: 'utf8' })
  const text = 'What was asked for cannot be written (ENOSPC).\n'
  expect({ status, stderr }).toEqual({ status: 1, stderr: text })
})

test('a database that is not there is said in a sentence, without its password', async () => {
  const env = realSettings('postgres://tithe:hunter2@127.0.0.1:9/tithe')
  expect(await tithe(['audit'], { env })).toEqual({
    status: 1,
    stdout: '',
    stderr:
      'DATABASE_URL: postgres://tithe:***@127.0.0.1:9/tithe cannot be used: ' +
      'nothing listens there.\n',
  })
  const debug = await tithe(['audit'], { env: { ...env, LOG_LEVEL: 'debug' } })
  expect(debug.stderr).toMatch(/^ +at /m)
  expect(debug.stderr).not.toContain('hunter2')
})

test('a data directory that is none is named with its setting', async () => {
  using scratch = scratchDir()
  const file = join(scratch.path, 'file')
  writeFileSync(file, '')
  const ran = await tithe(['audit'], { env: { DATA_DIR: file } })
  expect(ran).toMatchObject({ status: 1, stdout: '' })
  expect(ran.stderr).toMatch(
    /^DATA_DIR: .*\/file\/sandbox cannot be used \(E[A-Z]+\)\. Name a directory .*\.\n$/,
  )
})

test('a customer without a bot is told how to start one', async () => {
  using scratch = scratchDir()
  const ran = await tithe(['ask', 'hello'], { env: { DATA_DIR: scratch.path } })
  expect(ran).toMatchObject({ status: 1, stdout: '' })
  expect(ran.stderr).toMatch(/^No sandbox has run .* npm start\n$/)
})

test('a port that is taken is named with the setting that moves it', async () => {
  await using db = await freshDatabase()
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  const address = taken.address()
  const port = typeof address === 'object' ? String(address?.port) : ''
  const ran = await tithe(['start'], {
    env: { ...realSettings(db.url), HTTP_PORT: port, LOG_LEVEL: 'fatal' },
  })
  taken.close()
  expect(ran).toMatchObject({ status: 1, stdout: '' })
  expect(ran.stderr).toMatch(new RegExp(`^HTTP port ${port} .* Set HTTP_PORT to .*\\.\n$`))
})
