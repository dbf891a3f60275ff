import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { EmbeddedOptions } from '../../src/store/embedded.ts'
import { isAlive } from '../../src/store/process.ts'
import { preferPath } from './memory-dir.ts'

export interface EmbeddedProcess extends AsyncDisposable {
  /** What it said first. */
  said: { pid: number; kind: string; version: string; problem?: string; message?: string }
  process: ChildProcess
  /** Further lines, as they come. */
  lines: Record<string, unknown>[]
  tell(line: 'write' | 'stop'): void
  /** Asks it to stop and waits until it is gone. */
  stop(): Promise<void>
  /** kill -9. */
  kill(): Promise<void>
}

export type EmbeddedWish = Partial<Pick<EmbeddedOptions, 'durable' | 'preferPath' | 'cacheDir'>>

/** Starts a process on the embedded database of a directory, optionally as another user (root only). */
export async function embeddedProcess(
  dataDir: string,
  wish: EmbeddedWish = {},
  as: { uid?: number; gid?: number } = {},
): Promise<EmbeddedProcess> {
  const child = spawn(
    process.execPath,
    [
      join(import.meta.dirname, 'embedded-child.ts'),
      dataDir,
      JSON.stringify({ ...usual, ...wish }),
    ],
    { ...as, cwd: '/', stdio: ['pipe', 'pipe', 'inherit'] },
  )
  child.stdin.on('error', () => {})
  const lines: Record<string, unknown>[] = []
  const reader = createInterface({ input: child.stdout })
  const [first] = await once(reader, 'line')
  reader.on('line', (line) => lines.push(JSON.parse(line)))
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const end = async (act: () => void) => {
    if (child.pid !== undefined && isAlive(child.pid)) act()
    await gone
  }
  const kill = () => end(() => child.kill('SIGKILL'))
  return {
    said: JSON.parse(first),
    process: child,
    lines,
    tell: (line) => void child.stdin.write(`${line}\n`),
    stop: () => end(() => child.stdin.write('stop\n')),
    kill,
    [Symbol.asyncDispose]: kill,
  }
}

const usual: EmbeddedWish = { durable: false, preferPath }
