import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive } from '../../src/store/process.ts'

/** TEST_POSTGRES=path runs the tests on the system's server in place of the packaged one. */
export const preferPath = process.env.TEST_POSTGRES === 'path'

export interface TestDir extends Disposable {
  dir: string
}

/**
 * A directory of this run, in memory where there is room: a test's database needs no disk. Others
 * may pass through it, so that a server that is not root's can have its socket there.
 */
export function memoryDir(): TestDir {
  const parent = memoryParent()
  removeAbandoned(parent)
  const dir = mkdtempSync(join(parent, `tithe-test-${process.pid}-`))
  chmodSync(dir, 0o711)
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}

function memoryParent(): string {
  const shared = '/dev/shm'
  if (!existsSync(shared)) return tmpdir()
  const { bavail, bsize } = statfsSync(shared)
  return bavail * bsize > 1024 * 1024 * 1024 ? shared : tmpdir()
}

/** Runs that were killed could not remove their directory; their server stopped with them. */
function removeAbandoned(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = Number(/^tithe-test-(\d+)-/.exec(name)?.[1])
    if (pid > 0 && !isAlive(pid)) rmSync(join(parent, name), { recursive: true, force: true })
  }
}
