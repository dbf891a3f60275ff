import { spawnSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/**
 * `npm pack` calls this before and, with `--clean`, after: a package holds JavaScript, because Node strips no types
 * inside node_modules. A clone needs no build, and none may stay in it: `bin/tithe.js` would start that one.
 */
const root = join(import.meta.dirname, '../..')
const DIST = join(root, 'dist')

/** Compiles the program into `outDir`. */
export function buildPackage(outDir: string): void {
  rmSync(outDir, { recursive: true, force: true })
  const project = join(import.meta.dirname, 'tsconfig.json')
  const compiler = join(root, 'node_modules/.bin/tsc')
  const { status } = spawnSync(compiler, ['-p', project, '--outDir', outDir], { stdio: 'inherit' })
  if (status !== 0) throw new Error(`tsc ended with status ${status}`)
  // The page is JavaScript already, with styles and markup beside it.
  cpSync(join(root, 'src/operator/page'), join(outDir, 'operator/page'), {
    recursive: true,
    filter: (path) => !path.endsWith('tsconfig.json'),
  })
}

if (process.argv[1] === import.meta.filename) {
  if (process.argv.includes('--clean')) rmSync(DIST, { recursive: true, force: true })
  else buildPackage(DIST)
}
