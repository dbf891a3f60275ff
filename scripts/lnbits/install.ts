import { spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** This machine cannot have a real LNbits; the text says what is missing. */
export class CannotInstall extends Error {}

const PINS = join(import.meta.dirname, 'pins.txt')
const CHECK =
  'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))'
const NAMES = ['python3.12', 'python3.11', 'python3', '/usr/bin/python3']
const LOCK_WAIT_MS = 15 * 60_000

/**
 * The virtual environment of the pinned LNbits, installed from PyPI once (a minute or three, 280
 * MB) in the user's cache. Throws `CannotInstall` without Python 3.11 or 3.12, its venv module, or
 * PyPI.
 */
export async function installLnbits(say: (line: string) => void): Promise<string> {
  const pins = readFileSync(PINS, 'utf8')
  const version = /^lnbits==(\S+)$/m.exec(pins)?.[1] ?? ''
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tithe')
  const home = join(cache, `lnbits-${version}`)
  const complete = join(home, 'complete')
  const isComplete = () => existsSync(complete) && readFileSync(complete, 'utf8') === pins
  mkdirSync(cache, { recursive: true })
  const unlock = await lock(`${home}.lock`)
  try {
    if (isComplete()) return home
    const python = findPython()
    say(`installing LNbits ${version} in ${home} (once)`)
    rmSync(home, { recursive: true, force: true })
    run(python, ['-m', 'venv', home])
    const pip = ['-m', 'pip', 'install', '--no-input', '--quiet', '--progress-bar', 'off']
    run(join(home, 'bin/python'), [...pip, '-c', PINS, 'lnbits'])
    writeFileSync(complete, pins)
    return home
  } finally {
    unlock()
  }
}

function findPython(): string {
  const named = process.env.LNBITS_PYTHON
  for (const name of named ? [named, ...NAMES] : NAMES) {
    if (spawnSync(name, ['-c', CHECK], { stdio: 'ignore' }).status === 0) return name
  }
  throw new CannotInstall(
    'needs Python 3.11 or 3.12 with its venv module ' +
      '(Debian: apt-get install python3 python3-venv); LNBITS_PYTHON may name one',
  )
}

function run(command: string, args: string[]): void {
  const { status } = spawnSync(command, args, { stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new CannotInstall(`failed: ${command} ${args.join(' ')}`)
}

/** Two first runs at once must not meet in one directory. A lock whose owner is dead is taken. */
async function lock(path: string): Promise<() => void> {
  const giveUpAt = Date.now() + LOCK_WAIT_MS
  for (;;) {
    try {
      const file = openSync(path, 'wx')
      writeFileSync(file, String(process.pid))
      closeSync(file)
      return () => unlinkSync(path)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
    if (!isAlive(Number(readFileSync(path, 'utf8')))) rmSync(path, { force: true })
    if (Date.now() > giveUpAt) throw new CannotInstall(`another installation holds ${path}`)
    await wait(250)
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return true
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
