import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { EMBEDDED_START_MS, EMBEDDED_STOP_MS, EMBEDDED_WATCH_MS } from '../limits.ts'
import type { Log } from '../log.ts'
import { type DatabaseTarget, isConnectionLoss } from './database.ts'
import { type Account, serverAccount } from './embedded-account.ts'
import { type BinariesKind, defaultCacheDir, findBinaries } from './embedded-binaries.ts'
import { type ClusterState, clusterState, initCluster, majorOf } from './embedded-cluster.ts'
import { EmbeddedError } from './embedded-error.ts'
import { type Guard, hold, isGuarded, isHeldByOthers, letGo, spawnGuard } from './embedded-guard.ts'
import { type Home, prepareHome, withHomeLock } from './embedded-home.ts'
import { ensureDatabase, runServer, targetOf } from './embedded-server.ts'
import { isAlive } from './process.ts'

export { EmbeddedError } from './embedded-error.ts'

export interface EmbeddedOptions {
  /** The database lives in `postgres` below. */
  dataDir: string
  log: Log
  clock: Clock
  /** Take a server of the system before the packaged one. */
  preferPath?: boolean
  /** Where the packaged server is copied to, once per machine. */
  cacheDir?: string
  /** False only in tests: no fsync, so a crash of the machine may lose or break everything. */
  durable?: boolean
}

export interface EmbeddedDatabase {
  connection: DatabaseTarget
  kind: BinariesKind
  /** Such as `18.4`. */
  version: string
  /** The server's process; another one after a restart. */
  readonly pid: number
  /** Lets go. The server stops when nobody else holds it; resolves when that is done. */
  stop(): Promise<void>
}

/**
 * Runs PostgreSQL in the data directory, or joins the one that runs there, and keeps it running
 * until `stop`. It listens on a unix socket alone, in a directory closed to other users. It ends
 * with the last process that uses it, kill -9 included. Throws an EmbeddedError that says what to do.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const { clock } = options
  const account = serverAccount()
  const home = prepareHome(options.dataDir, account)
  const place = { home, account, options }
  const keeper = keepRunning(place, await withHomeLock(home, clock, () => startOrJoin(place)))
  let stopped: Promise<void> | undefined
  const { kind, version } = keeper.running()
  return {
    connection: targetOf(home),
    kind,
    version,
    get pid() {
      return keeper.running().server
    },
    stop() {
      stopped ??= keeper.stop().then((last) => withHomeLock(home, clock, () => leave(place, last)))
      return stopped
    },
  }
}

interface Place {
  home: Home
  account: Account
  options: EmbeddedOptions
}

interface Running {
  kind: BinariesKind
  version: string
  /** The server's process. */
  server: number
  /** The guard where we set it; its standard input is then a hold of ours as well. */
  guard: Guard | undefined
  /** Descriptors of the guards' pipes. */
  held: number[]
}

/** Called under the lock of the home, as everything that starts, joins or leaves. */
async function startOrJoin(place: Place): Promise<Running> {
  const { home, options } = place
  const until = options.clock.now() + EMBEDDED_START_MS
  for (;;) {
    const state = await clusterState(home)
    if (state.is === 'down') return await start(place)
    const joined =
      state.is === 'running' ? await joinServer(place, state.postmaster.pid) : undefined
    if (joined) return joined
    // It starts or stops, without us: nobody who takes the lock does either.
    if (options.clock.now() > until) throw inUse(home, state)
    await options.clock.sleep(50)
  }
}

async function start({ home, account, options }: Place): Promise<Running> {
  const { log, durable = true } = options
  const major = majorOf(home)
  const binaries = await findBinaries({
    account,
    cacheDirs: [options.cacheDir ?? defaultCacheDir(account), home.dir],
    preferPath: options.preferPath ?? false,
    major,
    dataDir: home.dir,
  })
  if (major === undefined) await initCluster(home, { account, binaries, durable })
  const guard = await runServer(home, {
    account,
    binaries,
    durable,
    clock: options.clock,
  })
  const held = hold(home)
  await enter(home, { log, held, guard })
  const { kind, version } = binaries
  const { server } = guard
  log.info({ dir: home.dir, version, pid: server }, 'embedded database started')
  return { kind, version, server, guard, held }
}

/** Undefined when it is on its way out. */
async function joinServer(
  { home, account, options }: Place,
  server: number,
): Promise<Running | undefined> {
  let held = hold(home)
  let guard: Guard | undefined
  if (held.length === 0) {
    guard = await spawnGuard(home, { account, server })
    held = hold(home)
  }
  try {
    const version = await enter(home, { log: options.log, held, guard })
    options.log.info({ dir: home.dir, version, pid: server }, 'joined the embedded database')
    return { kind: kindOf(home), version, server, guard, held }
  } catch (error) {
    if (isConnectionLoss(error)) return undefined
    throw error
  }
}

/** The first look inside; a server that does not stand it is let go. Answers its version. */
async function enter(
  home: Home,
  { log, held, guard }: { log: Log; held: readonly number[]; guard: Guard | undefined },
): Promise<string> {
  try {
    return await ensureDatabase(home, log)
  } catch (error) {
    letGo(held)
    guard?.release()
    throw error
  }
}

interface Keeper {
  running(): Running
  /** Ends the watch; the server is let run. */
  stop(): Promise<Running>
}

/** Looks after the server: starts it again after a crash, sets a guard where it was killed. */
function keepRunning(place: Place, first: Running): Keeper {
  const { clock, log } = place.options
  const stopping = new AbortController()
  let running = first
  const isWell = () => isAlive(running.server) && isGuarded(place.home)

  async function watch(): Promise<void> {
    let failures = 0
    while (!stopping.signal.aborted) {
      await clock.sleep(EMBEDDED_WATCH_MS * 2 ** Math.min(failures, 5), stopping.signal)
      if (stopping.signal.aborted) return
      try {
        if (isWell()) continue
        log.warn({ pid: running.server }, 'the embedded database or its guard is gone')
        const before = running
        running = await withHomeLock(place.home, clock, () => startOrJoin(place))
        letGo(before.held)
        before.guard?.release()
        failures = 0
      } catch (error) {
        failures += 1
        log.error({ err: error }, 'cannot start the embedded database again, will retry')
      }
    }
  }

  const watching = watch()
  return {
    running: () => running,
    async stop() {
      stopping.abort()
      await watching
      return running
    },
  }
}

async function leave({ home, options }: Place, { server, held, guard }: Running): Promise<void> {
  const { clock, log } = options
  letGo(held)
  guard?.release()
  if (isHeldByOthers(home)) return log.info({ pid: server }, 'left the embedded database to others')
  const until = clock.now() + EMBEDDED_STOP_MS
  while (isAlive(server) || isGuarded(home) || guard?.hasEnded() === false) {
    if (clock.now() > until)
      return log.warn({ pid: server }, 'the embedded database is slow to stop')
    await clock.sleep(10)
  }
  log.info({ pid: server }, 'embedded database stopped')
}

/** By the path of its program, which the server notes down. */
function kindOf({ cluster }: Home): BinariesKind {
  const command = readFileSync(join(cluster, 'postmaster.opts'), 'utf8')
  return /^\S*\/postgres-[^/]+\/bin\/postgres /.test(command) ? 'packaged' : 'path'
}

function inUse(home: Home, state: ClusterState): EmbeddedError {
  const by = state.is === 'held' ? state.by : []
  const who = by.length > 0 ? `process ${by.join(', ')}` : 'a server'
  return new EmbeddedError(
    'in_use',
    `${home.cluster} is in use by ${who}, which does not answer on its socket: end it, then start again`,
  )
}
