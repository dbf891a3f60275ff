import { systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import type { DatabaseTarget } from '../../src/store/database.ts'
import { startEmbedded } from '../../src/store/embedded.ts'
import { memoryDir, preferPath } from './memory-dir.ts'

/** A PostgreSQL for tests. */
export interface FoundServer {
  /** Its maintenance database; with another `database` it names any other. */
  target: DatabaseTarget
  /** How to clone: copying files is three times as fast where nothing waits for a disk. */
  strategy: 'file_copy' | 'wal_log'
  /** Where it was found, for people. */
  from: string
  stop(): Promise<void>
}

/** The server of TEST_DATABASE_URL, else an embedded one in memory that `stop` ends. */
export async function findServer(url = process.env.TEST_DATABASE_URL): Promise<FoundServer> {
  if (url) {
    const stop = async () => {}
    return { target: { url }, strategy: 'wal_log', from: 'TEST_DATABASE_URL', stop }
  }
  const home = memoryDir()
  const embedded = await startEmbedded({
    ...{ dataDir: home.dir, log: silentLog, clock: systemClock, preferPath },
    durable: false,
  })
  return {
    target: embedded.connection,
    strategy: 'file_copy',
    from: `${embedded.kind}, in ${home.dir}`,
    async stop() {
      await embedded.stop()
      home[Symbol.dispose]()
    },
  }
}
