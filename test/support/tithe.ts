import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The command `tithe` as a child, with an environment of its own and a directory it may litter. */

export const MAIN = join(import.meta.dirname, '../../src/main.ts')

export interface Ran {
  status: number | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  env?: Record<string, string>
  cwd?: string
  /** Another file than that of the source. */
  main?: string
}

export interface Child {
  readonly process: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  readonly ended: Promise<Ran>
  /** Resolves with the first whole line of standard output. */
  firstLine(): Promise<string>
}

/** Starts `tithe` with these arguments; nothing of this process's environment but the path gets in. */
export function startTithe(args: readonly string[], options: RunOptions = {}): Child {
  const child = spawn(process.execPath, [options.main ?? MAIN, ...args], {
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? tmpdir(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  const ended = once(child, 'close').then(
    ([status]): Ran => ({
      status: status === null ? null : Number(status),
      stdout: out,
      stderr: err,
    }),
  )
  return {
    process: child,
    stdout: () => out,
    stderr: () => err,
    ended,
    async firstLine() {
      while (!out.includes('\n')) {
        const came = once(child.stdout, 'data').then(() => true)
        if (!(await Promise.race([came, ended.then(() => false)]))) {
          throw new Error(`tithe ${args[0]} ended before it said a line: ${err}`)
        }
      }
      return out.slice(0, out.indexOf('\n'))
    },
  }
}

export const tithe = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  startTithe(args, options).ended

/** A directory for one test, in memory where the machine has that; gone with its scope. */
export function scratchDir(): Disposable & { path: string } {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const path = mkdtempSync(join(parent, 'tithe-cli-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** Command lines and directories of processes that name `path`: what a command left running there. */
export function processesAt(path: string): string[] {
  if (!existsSync('/proc/self/cmdline')) return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        const at = readlinkSync(`/proc/${pid}/cwd`)
        return line.includes(path) || at.startsWith(path) ? [`${pid} ${line}`] : []
      } catch {
        return []
      }
    })
}
