import { createHash, randomBytes } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, realpathSync, renameSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../clock.ts'
import { EMBEDDED_START_MS } from '../limits.ts'
import { type Account, giveTo, runAs } from './embedded-account.ts'
import { EmbeddedError } from './embedded-error.ts'

/** The directories of one embedded database. All belong to the account and are closed to others. */
export interface Home {
  /** `DATA_DIR/postgres`, with links resolved. */
  dir: string
  /** The data directory of the server. */
  cluster: string
  socketDir: string
  log: string
}

/** Socket addresses hold 108 bytes on Linux, 104 on macOS, one of them a closing zero. */
const SOCKET_PATH_BYTES = 103
export const PORT = 5432
export const socketPath = (dir: string): string => join(dir, `.s.PGSQL.${PORT}`)

export function prepareHome(dataDir: string, account: Account): Home {
  try {
    mkdirSync(dataDir, { recursive: true })
    const dir = join(realpathSync(dataDir), 'postgres')
    ownDir(dir, account)
    return {
      dir,
      cluster: join(dir, 'cluster'),
      socketDir: socketDirOf(dir, account),
      log: join(dir, 'server.log'),
    }
  } catch (error) {
    throw isPermission(error) ? noPermission(dataDir, error) : error
  }
}

/** Makes a directory of the account's, closed to others; one that is there must be just that. */
export function ownDir(dir: string, account: Account): void {
  if (!existsSync(dir)) makeOwnDir(dir, account)
  const { uid, mode } = lstatSync(dir)
  if (uid === account.uid && (mode & 0o077) === 0) return
  throw new EmbeddedError(
    'permission',
    `${dir} must be a directory of user ${account.uid} that nobody else may open (mode 0700), it ` +
      `belongs to user ${uid}. Run tithe as the user it was first run as, or change its owner`,
  )
}

/** Moved to its place when it is ours in full: another process may look at the same moment. */
function makeOwnDir(dir: string, account: Account): void {
  const fresh = `${dir}.new-${freshName()}`
  mkdirSync(fresh, { mode: 0o700 })
  giveTo(account, fresh)
  try {
    renameSync(fresh, dir)
  } catch (error) {
    rmdirSync(fresh)
    if (!existsSync(dir)) throw error
  }
}

/**
 * The home itself where its path is short enough and the account can reach it; else a directory
 * under /tmp named after the home, so that every process finds the same.
 */
function socketDirOf(home: string, account: Account): string {
  const reachable = runAs(account, { file: '/bin/sh', args: ['-c', 'cd -- "$0"', home], cwd: '/' })
  const fits = Buffer.byteLength(socketPath(home)) <= SOCKET_PATH_BYTES
  if (fits && reachable.status === 0) return home
  const name = createHash('sha256').update(home).digest('hex').slice(0, 16)
  return `/tmp/tithe-${name}`
}

/**
 * Runs `body` while no other process starts, adopts or stops the server of this home. The lock is
 * SQLite's on an empty file, held by the kernel: it goes with its holder, however that one dies.
 */
export async function withHomeLock<T>(
  home: Home,
  clock: Clock,
  body: () => Promise<T>,
): Promise<T> {
  const lock = new DatabaseSync(join(home.dir, 'lock'), { timeout: 0 })
  try {
    const until = clock.now() + EMBEDDED_START_MS
    while (!tryLock(lock)) {
      if (clock.now() > until) {
        throw new EmbeddedError(
          'in_use',
          `another tithe has been starting or stopping the database in ${home.dir} for minutes: end it first`,
        )
      }
      await clock.sleep(20)
    }
    return await body()
  } finally {
    lock.close()
  }
}

const SQLITE_BUSY = 5

function tryLock(lock: DatabaseSync): boolean {
  try {
    // In memory, because a full disk must not keep us from looking at what runs there.
    lock.exec('pragma journal_mode = memory; begin exclusive')
    return true
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return false
    throw error
  }
}

export const freshName = (): string => randomBytes(6).toString('hex')

const isPermission = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^(EACCES|EPERM|EROFS)$/.test(String(error.code))

const noPermission = (dir: string, cause: unknown): EmbeddedError =>
  new EmbeddedError(
    'permission',
    `cannot write ${dir}: set DATA_DIR to a directory this user may write, or set DATABASE_URL`,
    { cause },
  )
