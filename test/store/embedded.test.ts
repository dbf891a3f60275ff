import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { openDatabase, type Sql } from '../../src/store/database.ts'
import { type EmbeddedDatabase, startEmbedded } from '../../src/store/embedded.ts'
import { isAlive, serverProcessesIn } from '../../src/store/process.ts'
import { embeddedProcess } from '../support/embedded-process.ts'
import { memoryDir, preferPath, type TestDir } from '../support/memory-dir.ts'
import { until } from '../support/until.ts'

/** Made once; copies of it save each test its initdb. */
let made: TestDir
beforeAll(async () => {
  made = memoryDir()
  const first = await embeddedProcess(made.dir)
  expect(first.said.problem).toBeUndefined()
  await first.stop()
})
afterAll(() => made[Symbol.dispose]())

function dataDir(): TestDir {
  const copy = memoryDir()
  execFileSync('cp', ['-a', join(made.dir, 'postgres'), copy.dir])
  return copy
}

const cluster = (dir: string) => join(dir, 'postgres', 'cluster')
const lockFile = (dir: string) => join(cluster(dir), 'postmaster.pid')
const guardOf = (server: number): number =>
  Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${server}/status`, 'utf8'))?.[1])

/** Every process that has to do with a data directory: its users, the guard, the server. */
const processesOf = (dir: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        const about = readFileSync(`/proc/${pid}/cmdline`, 'latin1')
        return isAlive(Number(pid)) && (about.includes(dir) || serverIn(dir, Number(pid)))
      } catch {
        return false
      }
    })
    .map(Number)
const serverIn = (dir: string, pid: number) =>
  serverProcessesIn(cluster(dir))?.includes(pid) ?? false

const inProcess = (dir: string, more: { durable?: boolean } = {}): Promise<EmbeddedDatabase> =>
  startEmbedded({
    ...{ dataDir: dir, log: silentLog, clock: systemClock, durable: false },
    ...{ preferPath, ...more },
  })

async function using<T>(database: EmbeddedDatabase, body: (sql: Sql) => Promise<T>): Promise<T> {
  const options = { max: 1, applicationName: 'test', log: silentLog }
  const sql = openDatabase({ ...database.connection, ...options })
  try {
    return await body(sql)
  } finally {
    await sql.end()
  }
}

const nothingRuns = (dir: string) =>
  until('no process is left', () => processesOf(dir).length === 0)

test('what the first boot stored the second boot finds, and nothing runs after a stop', async () => {
  using data = memoryDir()
  const first = await inProcess(data.dir)
  await using(first, async (sql) => {
    await sql`create table t (id int)`
    await sql`insert into t values (1)`
  })
  await first.stop()
  expect(processesOf(data.dir)).toEqual([])
  const second = await inProcess(data.dir)
  expect(await using(second, (sql) => sql`select id from t`)).toHaveLength(1)
  await second.stop()
  await second.stop()
  expect(processesOf(data.dir)).toEqual([])
  expect(readdirSync(join(data.dir, 'postgres')).sort()).toEqual(['cluster', 'lock', 'server.log'])
})

test('the server is durable, reachable by its socket alone, closed to others and not root', async () => {
  using data = dataDir()
  const database = await inProcess(data.dir, { durable: true })
  const settings = await using(
    database,
    (sql) => sql<{ name: string; setting: string }[]>`
      select name, setting from pg_settings
      where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'listen_addresses',
        'data_checksums', 'server_encoding', 'lc_collate', 'TimeZone', 'log_error_verbosity')`,
  )
  expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toMatchObject({
    ...{ fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', listen_addresses: '' },
    ...{ data_checksums: 'on', server_encoding: 'UTF8', TimeZone: 'UTC' },
    log_error_verbosity: 'terse',
  })
  const owner = statSync(`/proc/${database.pid}`).uid
  expect(owner).not.toBe(0)
  expect(statSync(join(data.dir, 'postgres')).mode & 0o777).toBe(0o700)
  const environment = readFileSync(`/proc/${database.pid}/environ`, 'latin1').split('\0')
  expect(
    environment
      .filter(Boolean)
      .map((line) => line.split('=')[0])
      .sort(),
  ).toEqual(expect.arrayContaining(['LC_ALL', 'PATH', 'TZ']))
  expect(environment.join()).not.toMatch(/HOME=|npm_|VITEST/)
  await database.stop()
})

test('a server whose process is killed is gone within a second', async () => {
  using data = dataDir()
  await using child = await embeddedProcess(data.dir)
  expect(isAlive(child.said.pid)).toBe(true)
  await child.kill()
  await until('the server is gone', () => !isAlive(child.said.pid), 1_000)
  await nothingRuns(data.dir)
})

test('after a kill of everything at once the next start finds a way', async () => {
  using data = dataDir()
  for (let round = 0; round < 2; round += 1) {
    await embeddedProcess(data.dir)
    for (const pid of processesOf(data.dir)) process.kill(pid, 'SIGKILL')
    await nothingRuns(data.dir)
    expect(existsSync(lockFile(data.dir))).toBe(true)
  }
  const next = await inProcess(data.dir)
  expect(await using(next, (sql) => sql`select 1`)).toHaveLength(1)
  await next.stop()
})

test('a dead lock does not stop a start, though its number is another process now', async () => {
  using data = dataDir()
  const socket = join(data.dir, 'postgres', '.s.PGSQL.5432')
  const dead = [
    process.pid,
    cluster(data.dir),
    1,
    5432,
    join(data.dir, 'postgres'),
    '',
    '',
    'ready',
  ]
  for (const file of [lockFile(data.dir), `${socket}.lock`]) {
    writeFileSync(file, `${dead.join('\n')}\n`)
    execFileSync('chown', ['--reference', cluster(data.dir), file])
  }
  writeFileSync(socket, '')
  const database = await inProcess(data.dir)
  expect(database.pid).not.toBe(process.pid)
  expect(await using(database, (sql) => sql`select 1`)).toHaveLength(1)
  await database.stop()
})

test('a lock cut off by a crash does not stop a start', async () => {
  using data = dataDir()
  writeFileSync(lockFile(data.dir), '')
  execFileSync('chown', ['--reference', cluster(data.dir), lockFile(data.dir)])
  await (await inProcess(data.dir)).stop()
})

test('a second process joins, and the server ends with the last of them', async () => {
  using data = dataDir()
  await using first = await embeddedProcess(data.dir)
  await using second = await embeddedProcess(data.dir)
  const third = await inProcess(data.dir)
  expect([second.said.pid, third.pid]).toEqual([first.said.pid, first.said.pid])
  expect([second.said.kind, second.said.version]).toEqual([first.said.kind, first.said.version])
  await first.stop()
  expect(await using(third, (sql) => sql`select 1`)).toHaveLength(1)
  await second.kill()
  expect(await using(third, (sql) => sql`select 1`)).toHaveLength(1)
  await third.stop()
  expect(processesOf(data.dir)).toEqual([])
})

test('a killed starter leaves the server to those who joined', async () => {
  using data = dataDir()
  await using first = await embeddedProcess(data.dir)
  const second = await inProcess(data.dir)
  await first.kill()
  const rows = await using(second, (sql) => sql`select 1 from pg_sleep(0.2)`)
  expect(rows).toHaveLength(1)
  expect(isAlive(first.said.pid)).toBe(true)
  await second.stop()
  expect(processesOf(data.dir)).toEqual([])
})

test('processes that start at once on an empty directory share one server', async () => {
  using data = memoryDir()
  const children = await Promise.all([1, 2, 3].map(() => embeddedProcess(data.dir)))
  const pid = children[0]?.said.pid
  expect(children.map(({ said }) => said)).toMatchObject([{ pid }, { pid }, { pid }])
  await Promise.all(children.map((child) => child.stop()))
  expect(processesOf(data.dir)).toEqual([])
})

test('a server left behind by a killed guard is joined, and ends with who joined it', async () => {
  using data = dataDir()
  await using child = await embeddedProcess(data.dir)
  const others = processesOf(data.dir).filter((pid) => !serverIn(data.dir, pid))
  // The guard before the process it guards, or it would do its work first.
  for (const pid of others.sort((a, b) => b - a)) process.kill(pid, 'SIGKILL')
  await child.kill()
  expect(isAlive(child.said.pid)).toBe(true)
  const next = await inProcess(data.dir)
  expect(next.pid).toBe(child.said.pid)
  await next.stop()
  await nothingRuns(data.dir)
})

test('a guard that is killed is replaced by the process that it guarded', async () => {
  using data = dataDir()
  await using child = await embeddedProcess(data.dir)
  const guard = guardOf(child.said.pid)
  const others = processesOf(data.dir).filter((pid) => !serverIn(data.dir, pid))
  for (const pid of others) if (pid !== child.process.pid) process.kill(pid, 'SIGKILL')
  await until('another guard is there', () =>
    processesOf(data.dir).some(
      (pid) => pid !== guard && !others.includes(pid) && !serverIn(data.dir, pid),
    ),
  )
  await child.kill()
  await until('the server is gone', () => !isAlive(child.said.pid), 2_000)
  await nothingRuns(data.dir)
})

test('a server that is killed comes back for everybody who uses it', async () => {
  using data = dataDir()
  await using child = await embeddedProcess(data.dir)
  const joined = await inProcess(data.dir)
  await using(joined, (sql) => sql`create table t (id int)`)
  process.kill(joined.pid, 'SIGKILL')
  const killed = child.said.pid
  await until('another server is there', () => joined.pid !== killed)
  expect(await using(joined, (sql) => sql`select id from t`)).toHaveLength(0)
  await child.stop()
  expect(await using(joined, (sql) => sql`select id from t`)).toHaveLength(0)
  await joined.stop()
  expect(processesOf(data.dir)).toEqual([])
})

test('no acknowledged commit is lost when everything is killed', async () => {
  using data = dataDir()
  let acknowledged = 0
  for (let round = 0; round < 3; round += 1) {
    await using child = await embeddedProcess(data.dir, { durable: true })
    child.tell('write')
    await until('some commits', () => child.lines.length > 40)
    for (const pid of processesOf(data.dir)) process.kill(pid, 'SIGKILL')
    await child.kill()
    acknowledged = Number(child.lines.at(-1)?.acknowledged)
    await nothingRuns(data.dir)
    const after = await inProcess(data.dir)
    const [row] = await using(
      after,
      (sql) => sql<[{ rows: number; last: number; total: number }]>`
        select count(*) as rows, max(written.n) as last, (select n from total) as total
        from written`,
    )
    expect(row.rows).toBe(row.last)
    expect(row.total).toBe(row.rows)
    expect(row.last).toBeGreaterThanOrEqual(acknowledged)
    await after.stop()
  }
  expect(acknowledged).toBeGreaterThan(100)
})
