import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { chownSync, readFileSync } from 'node:fs'
import { EmbeddedError } from './embedded-error.ts'

/** The user that the server and its guard run as. */
export interface Account {
  uid: number
  gid: number
  /** Whether it is another user than ours: we are root, and PostgreSQL refuses to be. */
  switched: boolean
}

/** Ours; for root `postgres`, else `nobody`. */
export function serverAccount(): Account {
  const uid = process.getuid?.()
  const gid = process.getgid?.()
  if (uid === undefined || gid === undefined) {
    throw new EmbeddedError(
      'unsupported',
      `the embedded database does not run on ${process.platform}: set DATABASE_URL to a PostgreSQL server`,
    )
  }
  if (uid !== 0) return { uid, gid, switched: false }
  const users = readFileSync('/etc/passwd', 'utf8')
  for (const name of ['postgres', 'nobody']) {
    const entry = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(users)
    if (entry) return { uid: Number(entry[1]), gid: Number(entry[2]), switched: true }
  }
  throw new EmbeddedError(
    'permission',
    'PostgreSQL does not run as root, and there is neither a user postgres nor nobody: ' +
      'run tithe as an ordinary user, or set DATABASE_URL',
  )
}

/** What `spawn` is told to become that user. */
export const as = ({ uid, gid, switched }: Account): { uid?: number; gid?: number } =>
  switched ? { uid, gid } : {}

export function giveTo(account: Account, path: string): void {
  if (account.switched) chownSync(path, account.uid, account.gid)
}

/**
 * Nothing of ours is handed down: the environment of the daemon holds its secrets, and the server
 * runs as another user who could read it.
 */
export const bareEnvironment = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
  LC_ALL: 'C',
  TZ: 'UTC',
}

/** Runs a short program as that user and waits. */
export function runAs(
  account: Account,
  { file, args, cwd }: { file: string; args: readonly string[]; cwd?: string },
): SpawnSyncReturns<string> {
  return spawnSync(file, args, {
    ...as(account),
    ...(cwd === undefined ? {} : { cwd }),
    env: bareEnvironment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
