import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { silentLog } from '../../src/log.ts'
import { type DatabaseTarget, openDatabase } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { type FoundServer, findServer } from './server.ts'

/** What every test worker knows of the server that this run uses. */
export interface TestServer extends Pick<FoundServer, 'target' | 'strategy'> {
  /** The database that clones are made from. */
  template: string
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
  const server = await findServer()
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
