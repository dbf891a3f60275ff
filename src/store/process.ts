import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Whether a process lives. One that ended and was not reaped (its parent is gone) does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives, and belongs to another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
  return !isZombie(pid)
}

function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in brackets may hold anything, brackets too.
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) === 'Z'
  } catch {
    return false
  }
}

/**
 * Processes of a PostgreSQL server whose data directory is `dir`: each of them works in it, and
 * keeps the program's name. Undefined where the system does not tell (no /proc).
 */
export function serverProcessesIn(dir: string): number[] | undefined {
  let names: string[]
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return undefined
  }
  if (names.length === 0) return undefined
  return names.map(Number).filter((pid) => {
    try {
      return (
        readlinkSync(`/proc/${pid}/cwd`) === dir &&
        /^post(gres|master)/.test(readFileSync(`/proc/${pid}/comm`, 'latin1'))
      )
    } catch {
      // Gone meanwhile, not reaped, or another user's who could not work in our directory.
      return false
    }
  })
}

/** Whether a process of this number has the name of a PostgreSQL server; for systems without /proc. */
export function isServer(pid: number): boolean {
  const asked = spawnSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' })
  return /post(gres|master)/.test(asked.stdout ?? '')
}
