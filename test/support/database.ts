import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { type DatabaseTarget, openDatabase, type Sql } from '../../src/store/database.ts'
import { urlOf } from './database-url.ts'
import type {} from './global-setup.ts'

export interface TestDatabase extends AsyncDisposable {
  sql: Sql
  /** For a second `openDatabase`; pass it on to a worker or child as JSON. */
  connection: DatabaseTarget
  /** The same as a URL, for the DATABASE_URL of a daemon. */
  url: string
  name: string
}

/** A database of its own with the schema of `migrations/`; disposing drops it. */
export async function freshDatabase({
  max = 4,
  ...wish
}: {
  max?: number
  template?: string
} = {}): Promise<TestDatabase> {
  const { target, template, strategy } = { ...inject('postgres'), ...wish }
  const name = `tithe_${randomBytes(6).toString('hex')}`
  await once(
    target,
    (sql) => sql`
      create database ${sql(name)} template ${sql(template)} strategy ${sql(strategy)}`,
  )
  const connection = { ...target, database: name }
  const sql = openDatabase({ ...connection, max, applicationName: 'tithe test', log: silentLog })
  return {
    sql,
    connection,
    url: urlOf(connection),
    name,
    async [Symbol.asyncDispose]() {
      await sql.end({ timeout: 1 })
      await once(target, (admin) => admin`drop database if exists ${admin(name)} with (force)`)
    },
  }
}

async function once(target: DatabaseTarget, statement: (sql: Sql) => Promise<unknown>) {
  const sql = openDatabase({ ...target, max: 1, applicationName: 'tithe test', log: silentLog })
  try {
    await statement(sql)
  } finally {
    await sql.end()
  }
}
