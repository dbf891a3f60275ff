import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { type DatabaseTarget, openDatabase } from '../../src/store/database.ts'
import { startEmbedded } from '../../src/store/embedded.ts'
import { migrate } from '../../src/store/migrate.ts'
import { isAlive } from '../../src/store/process.ts'

/** What every test worker knows of the server that this run uses. */
export interface TestServer {
  /** A target whose database may be anything; `database` is what clones are made from. */
  target: DatabaseTarget
  template: string
}

declare module 'vitest' {
  interface ProvidedContext {
    postgres: TestServer
  }
}

const MIGRATIONS = join(import.meta.dirname, '../../migrations')

/**
 * Finds a PostgreSQL for the run (TEST_DATABASE_URL, else an embedded one in memory), makes the
 * template that `freshDatabase` clones, and stops what it started when the run ends.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const url = process.env.TEST_DATABASE_URL
  const server = url ? { target: { url }, from: 'TEST_DATABASE_URL' } : await startServer()
  const template = `tithe_template_${process.pid}`
  const admin = open(server.target, 'tithe tests')
  const [row] = await admin<
    { version: string }[]
  >`select current_setting('server_version') as version`
  process.stdout.write(`tests run on PostgreSQL ${row?.version ?? '?'} (${server.from})\n`)
  await admin`create database ${admin(template)}`
  if (readdirSync(MIGRATIONS).some((name) => name.endsWith('.sql'))) {
    const sql = open({ ...server.target, database: template }, 'tithe template')
    await migrate(sql, { dir: MIGRATIONS })
    await sql.end()
  }
  project.provide('postgres', { target: server.target, template })
  return async () => {
    await admin`drop database if exists ${admin(template)} with (force)`
    await admin.end()
    if ('stop' in server) await server.stop()
  }
}

const open = (target: DatabaseTarget, applicationName: string) =>
  openDatabase({ ...target, max: 1, applicationName, log: silentLog })

async function startServer() {
  const parent = memoryDir()
  removeAbandoned(parent)
  // Open to be passed, so that a server that is not root's can have its socket here.
  const dir = mkdtempSync(join(parent, `tithe-test-${process.pid}-`))
  chmodSync(dir, 0o711)
  const embedded = await startEmbedded({
    dataDir: dir,
    log: silentLog,
    clock: systemClock,
    durable: false,
    preferPath: process.env.TEST_POSTGRES === 'path',
  })
  return {
    target: embedded.connection,
    from: `${embedded.kind}, in ${dir}`,
    async stop() {
      await embedded.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Where files are memory, if there is room: a test's database needs no disk. */
function memoryDir(): string {
  const shared = '/dev/shm'
  if (!existsSync(shared)) return tmpdir()
  const { bavail, bsize } = statfsSync(shared)
  return bavail * bsize > 512 * 1024 * 1024 ? shared : tmpdir()
}

/** Runs that were killed could not remove their directory; their server stopped with them. */
function removeAbandoned(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = Number(/^tithe-test-(\d+)-/.exec(name)?.[1])
    if (pid > 0 && !isAlive(pid)) rmSync(join(parent, name), { recursive: true, force: true })
  }
}
