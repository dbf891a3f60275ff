import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, resolve as resolvePath } from 'node:path'
import { COMMAND_DRAIN_MS } from '../limits.ts'

/*
 * How a program of the operator runs: no shell, nothing inherited but what is named, a process
 * group that ends with the run, bounds on time, memory and output, and an end when tithe dies.
 */

export interface Confined {
  /** Absolute path. */
  program: string
  /** The program with its arguments, behind whatever keeps it within bounds here. */
  argv: [string, ...string[]]
}

/**
 * Finds the program, and the tools of the system that bound it: prlimit (memory, no core dumps,
 * which would hold requests) and setpriv (the kernel ends it when its parent is killed). Where they
 * are missing the other bounds still hold. Arguments that begin with `./` or `../` are read from
 * where tithe was started, because the program runs elsewhere.
 * @throws Error when there is no such program.
 */
export function confine({
  argv,
  searchPath,
  memoryBytes,
}: {
  argv: readonly string[]
  searchPath: string
  memoryBytes: number
}): Confined {
  const [name = '', ...rest] = argv
  const program = findProgram(name, searchPath)
  if (!program) throw new Error(`there is no program ${JSON.stringify(name)} that can be run`)
  const limits = ['--core=0', `--data=${memoryBytes}`, '--']
  const bounds = [
    ...usable('prlimit', limits, searchPath),
    ...usable('setpriv', ['--pdeathsig', 'KILL', '--'], searchPath),
  ]
  const args = rest.map((arg) => (/^\.\.?\//.test(arg) ? resolvePath(arg) : arg))
  const [first, ...others] = [...bounds, program, ...args]
  return { program, argv: [first ?? program, ...others] }
}

function findProgram(name: string, searchPath: string): string | undefined {
  const places = name.includes('/')
    ? [resolvePath(name)]
    : searchPath.split(delimiter).map((directory) => resolvePath(directory, name))
  return name === '' ? undefined : places.find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** The tool with its arguments if a trial run shows that it knows them, else nothing. */
function usable(tool: string, args: string[], searchPath: string): string[] {
  const path = findProgram(tool, searchPath)
  const nothing = findProgram('true', searchPath)
  if (!path || !nothing) return []
  const trial = spawnSync(path, [...args, nothing], { env: {}, stdio: 'ignore', timeout: 5_000 })
  return trial.status === 0 ? [path, ...args] : []
}

export type Ending =
  | { how: 'exited'; status: number; output: Buffer }
  /** By somebody else: the kernel out of memory, or an operator. */
  | { how: 'signalled'; signal: string }
  | { how: 'stopped'; why: 'time' | 'output' | 'caller' }
  | { how: 'unstarted'; code: string }

export interface Run {
  argv: readonly [string, ...string[]]
  env: Readonly<Record<string, string>>
  cwd: string
  input: string
  timeoutMs: number
  maxOutputBytes: number
  graceMs: number
  signal: AbortSignal
}

/**
 * Runs it once; never rejects. It resolves after the whole process group has been killed, so
 * nothing that stayed in the group outlives the run. What left it by setsid does.
 */
export function runConfined(run: Run): Promise<Ending> {
  const [file, ...args] = run.argv
  const child = spawn(file, args, {
    cwd: run.cwd,
    env: { ...run.env },
    shell: false,
    // A group of its own, so that one signal reaches everything it started.
    detached: true,
    // Its complaints may quote the request, so nobody keeps them.
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  if (child.pid === undefined) return startFault(child)
  const { pid, stdin, stdout } = child
  const chunks: Buffer[] = []
  let bytes = 0
  let stopped: 'time' | 'output' | 'caller' | undefined
  const timers: NodeJS.Timeout[] = []
  const after = (ms: number, act: () => void) => timers.push(setTimeout(act, ms))

  const stop = (why: 'time' | 'output' | 'caller') => {
    if (stopped) return
    stopped = why
    killGroup(pid, 'SIGTERM')
    after(run.graceMs, () => killGroup(pid, 'SIGKILL'))
  }
  const onAbort = () => stop('caller')
  run.signal.addEventListener('abort', onAbort, { once: true })
  if (run.signal.aborted) onAbort()
  after(run.timeoutMs, () => stop('time'))

  stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > run.maxOutputBytes) stop('output')
    else chunks.push(chunk)
  })
  // A program need not read its input to the end.
  stdin.on('error', () => {})
  stdin.end(run.input)
  child.once('exit', () => {
    killGroup(pid, 'SIGKILL')
    stdin.destroy()
    after(COMMAND_DRAIN_MS, () => stdout.destroy())
  })

  return new Promise((resolve) => {
    child.once('close', (status, signal) => {
      for (const timer of timers) clearTimeout(timer)
      run.signal.removeEventListener('abort', onAbort)
      if (stopped) resolve({ how: 'stopped', why: stopped })
      else if (status === null) resolve({ how: 'signalled', signal: signal ?? 'a signal' })
      else resolve({ how: 'exited', status, output: Buffer.concat(chunks) })
    })
  })
}

/** A child without a pid may lack streams too, so nothing else is touched. */
function startFault(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      resolve({ how: 'unstarted', code: error.code ?? 'unknown' })
    })
  })
}

/** ESRCH says that the group is gone already, which is what was wanted. */
function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {}
}
