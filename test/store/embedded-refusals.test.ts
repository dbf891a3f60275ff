import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { startEmbedded } from '../../src/store/embedded.ts'
import { serverAccount } from '../../src/store/embedded-account.ts'
import { findBinaries } from '../../src/store/embedded-binaries.ts'
import { fromOutput } from '../../src/store/embedded-error.ts'
import { embeddedProcess } from '../support/embedded-process.ts'
import { memoryDir, preferPath } from '../support/memory-dir.ts'

/** Somebody who is not root, whoever runs the tests. */
const somebody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

const open = (dataDir: string, clock = systemClock) =>
  startEmbedded({
    ...{ dataDir, log: silentLog, clock, durable: false },
    preferPath,
  })

test('an ordinary user runs the database as itself', async () => {
  using data = memoryDir()
  chmodSync(data.dir, 0o777)
  // Without a home directory the packaged server is copied into the data directory.
  await using child = await embeddedProcess(join(data.dir, 'data'), {}, somebody)
  expect(child.said).not.toHaveProperty('problem')
  const { uid = process.getuid?.() } = somebody
  expect(statSync(`/proc/${child.said.pid}`).uid).toBe(uid)
  await child.stop()
})

test('a directory that may not be written is refused by its name', async () => {
  using data = memoryDir()
  const closed = join(data.dir, 'closed')
  mkdirSync(closed, { mode: 0o555 })
  await using child = await embeddedProcess(join(closed, 'data'), {}, somebody)
  expect(child.said.problem).toBe('permission')
  expect(child.said.message).toMatch(/closed\/data.*DATA_DIR/)
})

test('data of another user is refused', async () => {
  using data = memoryDir()
  mkdirSync(join(data.dir, 'postgres'), { mode: 0o755 })
  await expect(open(data.dir)).rejects.toMatchObject({
    problem: 'permission',
    message: expect.stringMatching(/0700/),
  })
})

// As root's own home is closed to the user that the server runs as.
test('a data directory may be in a closed or very deep place', async () => {
  using data = memoryDir()
  chmodSync(data.dir, 0o700)
  const deep = join(data.dir, 'deep'.repeat(30))
  const database = await open(deep)
  expect(String(database.connection.socketDir).length).toBeLessThan(80)
  await database.stop()
  const again = await open(deep)
  expect(again.connection).toEqual(database.connection)
  await again.stop()
  expect(() => statSync(String(database.connection.socketDir))).toThrow(/ENOENT/)
})

test('a directory that is no database is not touched', async () => {
  using data = memoryDir()
  await (await open(data.dir)).stop()
  rmSync(join(data.dir, 'postgres/cluster/PG_VERSION'))
  await expect(open(data.dir)).rejects.toMatchObject({
    problem: 'failed',
    message: expect.stringMatching(/no PostgreSQL data.*backup/),
  })
  expect(statSync(join(data.dir, 'postgres/cluster/base')).isDirectory()).toBe(true)
})

test('data made by another version names the version that it needs', async () => {
  using data = memoryDir()
  await (await open(data.dir)).stop()
  writeFileSync(join(data.dir, 'postgres/cluster/PG_VERSION'), '13\n')
  await expect(open(data.dir)).rejects.toMatchObject({
    problem: 'wrong_version',
    message: expect.stringMatching(/made by PostgreSQL 13.*only \d+\.\d+.*Install PostgreSQL 13/s),
  })
})

test('a server process that does not answer is named, and waited for first', async () => {
  using data = memoryDir()
  await (await open(data.dir)).stop()
  const program = join('/tmp', `postgres-${process.pid}`)
  copyFileSync('/bin/sleep', program)
  const cwd = join(data.dir, 'postgres/cluster')
  const stuck = spawn(program, ['60'], { cwd, stdio: 'ignore' })
  try {
    await once(stuck, 'spawn')
    let now = 0
    const clock = {
      now: () => now,
      sleep: async (ms: number) => {
        now += ms * 1_000
      },
    }
    await expect(open(data.dir, clock)).rejects.toMatchObject({
      problem: 'in_use',
      message: expect.stringContaining(String(stuck.pid)),
    })
    expect(now).toBeGreaterThan(60_000)
  } finally {
    stuck.kill('SIGKILL')
    rmSync(program)
  }
})

test('where no server is to be had, every reason is told', async () => {
  using data = memoryDir()
  const file = join(data.dir, 'file')
  writeFileSync(file, '')
  const wish = { account: serverAccount(), preferPath: false, dataDir: data.dir }
  const search = findBinaries({ ...wish, cacheDirs: [join(file, 'cache')], major: 3 })
  await expect(search).rejects.toMatchObject({
    message: expect.stringMatching(/PostgreSQL 3|file\/cache.*apt install postgresql/s),
  })
})

test('what a server says before it gives up becomes advice', () => {
  const of = (output: string) => fromOutput('cannot start it', output, '/')
  expect(of('FATAL: could not write: No space left on device')).toMatchObject({
    problem: 'disk_full',
    message: expect.stringMatching(/disk of \/ is full/),
  })
  expect(of('initdb: error: could not access directory: Permission denied').problem).toBe(
    'permission',
  )
  expect(of('initdb: could not look up effective user ID 1234: user does not exist')).toMatchObject(
    {
      problem: 'permission',
      message: expect.stringMatching(/passwd/),
    },
  )
  expect(of('FATAL: something new').message).toMatch(/something new/)
})
