import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { chmod, chown, rename, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Account, as, bareEnvironment, giveTo } from './embedded-account.ts'
import type { Binaries } from './embedded-binaries.ts'
import { EmbeddedError, fromOutput } from './embedded-error.ts'
import { isGuarded } from './embedded-guard.ts'
import { freshName, type Home, PORT, socketPath } from './embedded-home.ts'
import { isServer, serverProcessesIn } from './process.ts'

export const USERNAME = 'tithe'

/** The major version that made the data, undefined where there is none yet. */
export function majorOf({ cluster }: Home): number | undefined {
  const file = join(cluster, 'PG_VERSION')
  if (existsSync(file)) return Number.parseInt(readFileSync(file, 'utf8'), 10)
  if (!existsSync(cluster)) return undefined
  throw new EmbeddedError(
    'failed',
    `${cluster} is there, but is no PostgreSQL data: restore it from a backup, or move it away to start anew`,
  )
}

/**
 * Makes a path that works for a user who may enter the current directory but not all above it
 * (root's home): the shell's own working directory, by way of /proc.
 */
const DATA = 'if cd -- "$1" 2>/dev/null; then data=$1; else data=/proc/$$/cwd; fi; shift'

/**
 * Makes the data beside its place and moves it there when it is whole, so that a crash half way
 * leaves nothing that looks like a database.
 */
export async function initCluster(
  home: Home,
  { account, binaries, durable }: { account: Account; binaries: Binaries; durable: boolean },
): Promise<void> {
  for (const name of readdirSync(home.dir).filter((name) => name.startsWith('cluster.new-'))) {
    rmSync(join(home.dir, name), { recursive: true, force: true })
  }
  const fresh = join(home.dir, `cluster.new-${freshName()}`)
  mkdirSync(fresh, { mode: 0o700 })
  giveTo(account, fresh)
  const initdb = [
    ...[join(binaries.dir, 'initdb'), '--username', USERNAME, '--auth=trust'],
    // A locale's order may change under an index with the next system update; C does not. The
    // small segments keep a young database at 31 MB.
    ...['--no-locale', '--encoding=UTF8', '--wal-segsize=1', '--data-checksums'],
    ...['--no-instructions', ...(durable ? [] : ['--no-sync'])],
  ]
  const child = spawn(
    '/bin/sh',
    ['-c', `${DATA}; (cd / && "$@" -D "$data")`, 'sh', fresh, ...initdb],
    {
      ...as(account),
      cwd: fresh,
      env: bareEnvironment,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  if (code !== 0) {
    rmSync(fresh, { recursive: true, force: true })
    throw fromOutput(`cannot make the embedded database in ${home.dir}`, stdout + stderr, home.dir)
  }
  renameSync(fresh, home.cluster)
}

export interface Postmaster {
  pid: number
  socketDir: string
  /** `starting`, `ready`, `stopping`, `standby`. */
  status: string
}

/** What the server says of itself in `postmaster.pid`; lines 1, 5 and 8. */
export function readPostmaster({ cluster }: Home): Postmaster | undefined {
  let lines: string[]
  try {
    lines = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')
  } catch {
    return undefined
  }
  const pid = Number(lines[0])
  if (!(pid > 0)) return undefined
  return { pid, socketDir: lines[4]?.trim() ?? '', status: lines[7]?.trim() ?? '' }
}

/** Whether something accepts connections on the socket. */
async function answers(dir: string): Promise<boolean> {
  const socket = connect(socketPath(dir))
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(1_000) })
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

export type ClusterState =
  | { is: 'down' }
  | { is: 'running'; postmaster: Postmaster }
  /** Something holds the data and does not answer: it starts, stops, or is stuck. */
  | { is: 'held'; by: number[] }

/**
 * Looks whether a server runs on the data. Its lock file alone proves nothing: after a kill of
 * everything its process may be unreaped, or another process may have got its number. Down is one
 * that does not answer, has no guard and no process; the guard counts because its pipe is seen from
 * another container as well, where processes are not.
 */
export async function clusterState(home: Home): Promise<ClusterState> {
  const postmaster = readPostmaster(home)
  if (postmaster && (await answers(postmaster.socketDir))) {
    return { is: 'running', postmaster }
  }
  const by =
    serverProcessesIn(home.cluster) ??
    (postmaster && isServer(postmaster.pid) ? [postmaster.pid] : [])
  if (by.length > 0 || isGuarded(home)) return { is: 'held', by }
  return { is: 'down' }
}

/** A process number above every system's largest. */
const NOBODY = 2_147_483_646

/**
 * Makes PostgreSQL see that the lock of a server that is down is dead, where its process number is
 * taken again. The lock is not removed: the server also reads from it which shared memory to look
 * at, and still refuses to start beside a forgotten process of its predecessor.
 */
export async function clearDeadLock(home: Home): Promise<void> {
  const file = join(home.cluster, 'postmaster.pid')
  if (!existsSync(file)) return
  const lines = readFileSync(file, 'utf8').split('\n')
  // An empty lock, of a crash at the moment of its making, stops the server as well.
  if (!(Number(lines[0]) > 0)) return rmSync(file)
  const { uid, gid, mode } = await stat(file)
  const made = `${file}.${freshName()}`
  await writeFile(made, [String(NOBODY), ...lines.slice(1)].join('\n'))
  await chmod(made, mode & 0o777)
  await chown(made, uid, gid)
  await rename(made, file)
  for (const dir of new Set([home.socketDir, lines[4]?.trim() ?? ''])) {
    if (dir.startsWith('/')) rmSync(`${socketPath(dir)}.lock`, { force: true })
  }
}

/** The server's settings, `name=value`; everything else is PostgreSQL's default. */
export function serverSettings(
  { socketDir }: Home,
  { binaries, durable }: { binaries: Binaries; durable: boolean },
): string[] {
  const safe = durable ? 'on' : 'off'
  return [
    // Without fsync a commit still reaches the system before it is acknowledged: killed processes
    // lose nothing, only a machine that goes down does.
    ...[`fsync=${safe}`, `full_page_writes=${safe}`, 'synchronous_commit=on'],
    // macOS: fsync alone stops at the disk's own cache.
    ...(process.platform === 'darwin' && durable ? ['wal_sync_method=fsync_writethrough'] : []),
    ...['listen_addresses=', `unix_socket_directories=${socketDir}`, `port=${PORT}`],
    ...['unix_socket_permissions=0700', 'max_connections=100'],
    ...['shared_buffers=32MB', 'maintenance_work_mem=32MB', 'huge_pages=off', 'jit=off'],
    // initdb sizes these by the segment; ours are small and would mean a checkpoint each 64 MB.
    ...['min_wal_size=32MB', 'max_wal_size=512MB'],
    // No standby can follow, so the log need not hold what only a standby reads.
    ...['wal_level=minimal', 'max_wal_senders=0', 'max_logical_replication_workers=0'],
    ...['max_parallel_workers_per_gather=0', ...(binaries.major >= 18 ? ['io_method=sync'] : [])],
    ...['timezone=UTC', 'log_timezone=UTC', 'log_min_messages=warning', 'log_line_prefix=%m %p '],
    // A failed statement and its details quote what customers wrote; the log keeps the message.
    ...['log_error_verbosity=terse', 'log_min_error_statement=panic'],
  ]
}
