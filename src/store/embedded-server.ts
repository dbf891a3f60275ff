import { closeSync, existsSync, openSync, readSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { EMBEDDED_LOG_BYTES, EMBEDDED_START_MS } from '../limits.ts'
import type { Log } from '../log.ts'
import { type DatabaseTarget, openDatabase } from './database.ts'
import type { Account } from './embedded-account.ts'
import type { Binaries } from './embedded-binaries.ts'
import { clearDeadLock, readPostmaster, serverSettings, USERNAME } from './embedded-cluster.ts'
import { EmbeddedError, fromOutput } from './embedded-error.ts'
import { type Guard, spawnGuard } from './embedded-guard.ts'
import { type Home, ownDir, PORT } from './embedded-home.ts'

const DATABASE = 'tithe'

export const targetOf = ({ socketDir }: Home): DatabaseTarget => ({
  socketDir,
  port: PORT,
  database: DATABASE,
  username: USERNAME,
})

/** Starts the server under a guard and waits until it takes connections. */
export async function runServer(
  home: Home,
  wish: { account: Account; binaries: Binaries; durable: boolean; clock: Clock },
): Promise<Guard> {
  ownDir(home.socketDir, wish.account)
  await clearDeadLock(home)
  const logStart = turnOverLog(home)
  const settings = serverSettings(home, wish).flatMap((setting) => ['-c', setting])
  const command = [join(wish.binaries.dir, 'postgres'), ...settings]
  const guard = await spawnGuard(home, { account: wish.account, server: command })
  const failed = () => {
    guard.release()
    const said = readFrom(home.log, logStart)
    return fromOutput(`cannot start the embedded database in ${home.dir}`, said, home.dir)
  }
  // After a crash the server first replays its log, which may take minutes.
  const until = wish.clock.now() + EMBEDDED_START_MS
  while (!isReady(home, guard.server)) {
    if (guard.hasEnded() || wish.clock.now() > until) throw failed()
    await wish.clock.sleep(5)
  }
  return guard
}

/** The number tells this start's word from one left in the file by an earlier server. */
function isReady(home: Home, pid: number): boolean {
  const postmaster = readPostmaster(home)
  return postmaster?.pid === pid && postmaster.status === 'ready'
}

/** Starts a new log when the old one is large; answers where this run's part begins. */
function turnOverLog({ log }: Home): number {
  if (!existsSync(log)) return 0
  const { size } = statSync(log)
  if (size < EMBEDDED_LOG_BYTES) return size
  renameSync(log, `${log}.old`)
  return 0
}

function readFrom(file: string, start: number): string {
  if (!existsSync(file)) return ''
  const descriptor = openSync(file, 'r')
  try {
    const buffer = Buffer.alloc(16 * 1024)
    return buffer.toString('utf8', 0, readSync(descriptor, buffer, 0, buffer.length, start))
  } finally {
    closeSync(descriptor)
  }
}

/** Makes our database where it is missing; answers the server's version. */
export async function ensureDatabase(home: Home, log: Log): Promise<string> {
  const sql = openDatabase({
    ...targetOf(home),
    database: 'postgres',
    max: 1,
    applicationName: 'tithe start',
    log,
  })
  try {
    const [row] = await sql<{ version: string; made: boolean }[]>`
      select
        current_setting('server_version') as version,
        exists (select 1 from pg_database where datname = ${DATABASE}) as made`
    if (!row) throw new EmbeddedError('failed', 'the embedded database gave no answer')
    if (!row.made) await sql.unsafe(`create database ${DATABASE}`)
    return row.version.split(' ')[0] ?? row.version
  } finally {
    await sql.end()
  }
}
