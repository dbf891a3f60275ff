import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

/** A copy of the working tree, whose files may be changed. */
export interface Tree {
  root: string
  read(file: string): string
  write(file: string, text: string): void
}

/**
 * Copies what git tracks, or would track, from the working tree at `from` to the new directory `root`:
 * as it is, committed or not. Packages are linked one by one, so that what tools keep beside them
 * stays in the copy.
 */
export function copyTree(from: string, root: string): Tree {
  for (const file of trackedFiles(from)) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    cpSync(join(from, file), join(root, file))
  }
  const modules = join(root, 'node_modules')
  mkdirSync(modules)
  for (const name of readdirSync(join(from, 'node_modules'))) {
    if (/^\.(vite|cache)/.test(name)) continue
    symlinkSync(join(from, 'node_modules', name), join(modules, name))
  }
  return {
    root,
    read: (file) => readFileSync(join(root, file), 'utf8'),
    write: (file, text) => writeFileSync(join(root, file), text),
  }
}

function trackedFiles(from: string): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const { status, stdout, stderr, error } = spawnSync('git', args, { cwd: from, encoding: 'utf8' })
  if (status !== 0) throw new Error(`git cannot list the files of ${from}: ${error ?? stderr}`)
  // What was deleted and not committed is still listed, and so is a link to a directory.
  const isFile = (file: string) => statSync(join(from, file), { throwIfNoEntry: false })?.isFile()
  return stdout.split('\0').filter((file) => file !== '' && isFile(file))
}
