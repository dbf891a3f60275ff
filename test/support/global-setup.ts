import { readdirSync } from 'node:fs'
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
  const home = memoryDir()
  const embedded = await startEmbedded({
    dataDir: home.dir,
    log: silentLog,
    clock: systemClock,
    durable: false,
    preferPath,
  })
  return {
    target: embedded.connection,
    from: `${embedded.kind}, in ${home.dir}`,
    async stop() {
      await embedded.stop()
      home[Symbol.dispose]()
    },
  }
}
