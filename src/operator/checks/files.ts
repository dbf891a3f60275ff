import { statSync } from 'node:fs'
import { about, type Check } from './check.ts'

/** Whether files with secrets can be read by others on this machine; absent ones are none. */
export function checkFiles(paths: readonly string[]): Check[] {
  return paths.flatMap((path) => {
    const { ok, warn } = about(path)
    const stats = statSync(path, { throwIfNoEntry: false })
    if (!stats?.isFile()) return []
    const mode = stats.mode & 0o777
    if ((mode & 0o077) === 0) return [ok('can be read by its owner alone')]
    return [warn(`can be read by others (mode ${mode.toString(8)})`, `chmod 600 ${path}`)]
  })
}
