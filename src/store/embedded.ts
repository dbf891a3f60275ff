import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { DatabaseTarget } from './database-target.ts'

export interface EmbeddedOptions {
  dataDir: string
  log: Log
  clock: Clock
  preferPath?: boolean
  durable?: boolean
}

export interface EmbeddedDatabase {
  connection: DatabaseTarget
  kind: 'packaged' | 'path'
  readonly pid: number
  stop(): Promise<void>
}

export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const bin = readdirSync('/usr/lib/postgresql').map((v) => `/usr/lib/postgresql/${v}/bin`)[0] ?? ''
  const [, uid, gid] = /^postgres:x:(\d+):(\d+)/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? []
  const account = process.getuid?.() === 0 ? { uid: Number(uid), gid: Number(gid) } : {}
  const data = join(options.dataDir, 'cluster')
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 })
  if (account.uid !== undefined) chownSync(options.dataDir, account.uid, account.gid)
  if (!existsSync(join(data, 'PG_VERSION'))) {
    const made = spawnSync(
      join(bin, 'initdb'),
      ['-D', data, '-U', 'tithe', '--auth=trust', '--no-locale', '-E', 'UTF8', '-N'],
      { ...account, encoding: 'utf8' },
    )
    if (made.status !== 0) throw new Error(made.stderr)
  }
  const settings = ['listen_addresses=', `unix_socket_directories=${options.dataDir}`]
  if (options.durable === false) settings.push('fsync=off', 'full_page_writes=off')
  const server: ChildProcess = spawn(
    join(bin, 'postgres'),
    ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
    { ...account, stdio: 'ignore' },
  )
  const ready = () => {
    try {
      return readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[7]?.startsWith('ready')
    } catch {
      return false
    }
  }
  while (!ready()) await options.clock.sleep(10)
  return {
    connection: { socketDir: options.dataDir, database: 'postgres', username: 'tithe' },
    kind: 'path',
    pid: server.pid ?? 0,
    async stop() {
      const gone = new Promise((done) => server.once('exit', done))
      server.kill('SIGINT')
      await gone
    },
  }
}
