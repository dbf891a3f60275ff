import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { type DatabaseTarget, openDatabase } from '../../src/store/database.ts'
import { startEmbedded } from '../../src/store/embedded.ts'
import { migrate } from '../../src/store/migrate.ts'
import { memoryDir, preferPath } from './memory-dir.ts'

/** What every test worker knows of the server that this run uses. */
export interface TestServer {
  /** Its maintenance database; with another `database` it names any other. */
  target: DatabaseTarget
  /** The database that clones are made from. */
  template: string
  /** How: copying files is three times as fast where nothing waits for a disk. */
  strategy: 'file_copy' | 'wal_log'
}

declare module 'vitest' {
  interface ProvidedContext {
    postgres: TestServer
  }
}

/**
 * Finds a PostgreSQL for the run (TEST_DATABASE_URL, else an embedded one in memory), makes the
 * template that `freshDatabase` clones, and stops what it started when the run ends.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await findServer(process.env.TEST_DATABASE_URL)
  const template = `tithe_template_${process.pid}`
  const admin = open(server.target)
  const stop = async () => {
    await admin`drop database if exists ${admin(template)} with (force)`
    await admin.end()
    await server.stop()
  }
  try {
    const [row] = await admin<[{ version: string }]>`
      select current_setting('server_version') as version`
    process.stdout.write(`tests run on PostgreSQL ${row.version} (${server.from})\n`)
    await admin`create database ${admin(template)}`
    await migrateTemplate({ ...server.target, database: template })
  } catch (error) {
    await stop()
    throw error
  }
  project.provide('postgres', { target: server.target, template, strategy: server.strategy })
  return stop
}

async function migrateTemplate(target: DatabaseTarget): Promise<void> {
  const sql = open(target)
  try {
    await migrate(sql, { dir: join(import.meta.dirname, '../../migrations') })
  } finally {
    await sql.end()
  }
}

const open = (target: DatabaseTarget) =>
  openDatabase({ ...target, max: 1, applicationName: 'tithe tests', log: silentLog })

type FoundServer = Omit<TestServer, 'template'> & { from: string; stop(): Promise<void> }

async function findServer(url: string | undefined): Promise<FoundServer> {
  if (url) {
    const stop = async () => {}
    return { target: { url }, strategy: 'wal_log', from: 'TEST_DATABASE_URL', stop }
  }
  const home = memoryDir()
  const embedded = await startEmbedded({
    ...{ dataDir: home.dir, log: silentLog, clock: systemClock, preferPath },
    durable: false,
  })
  return {
    target: embedded.connection,
    strategy: 'file_copy',
    from: `${embedded.kind}, in ${home.dir}`,
    async stop() {
      await embedded.stop()
      home[Symbol.dispose]()
    },
  }
}
