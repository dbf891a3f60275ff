import { createInterface } from 'node:readline'
import { systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { openDatabase } from '../../src/store/database.ts'
import { EmbeddedError, startEmbedded } from '../../src/store/embedded.ts'

/**
 * A process that uses the embedded database, for tests that kill it. It prints one JSON object a
 * line: what it found, then what each line on its standard input brought about.
 */
const [dataDir = '', wish = '{}'] = process.argv.slice(2)
const say = (said: object) => process.stdout.write(`${JSON.stringify(said)}\n`)

try {
  const options = { dataDir, log: silentLog, clock: systemClock, ...JSON.parse(wish) }
  const database = await startEmbedded(options)
  const { pid, kind, version, connection } = database
  say({ pid, kind, version, connection })
  for await (const line of createInterface({ input: process.stdin })) {
    // The test kills the server under it.
    if (line === 'write') void write().catch(() => {})
    if (line === 'stop') break
  }
  await database.stop()
  say({ stopped: true })
  process.exit()

  /** Inserts as fast as it can in two statements each, and says what was acknowledged. */
  async function write(): Promise<void> {
    const sql = openDatabase({ ...connection, max: 2, applicationName: 'writer', log: silentLog })
    await sql`create table if not exists written (n int primary key)`
    await sql`create table if not exists total (n int)`
    await sql`insert into total select 0 where not exists (select from total)`
    const [row] = await sql<[{ n: number }]>`select coalesce(max(n), 0) as n from written`
    for (let n = row.n + 1; ; n += 1) {
      await sql.begin('write', async (tx) => {
        await tx`update total set n = n + 1`
        await tx`insert into written values (${n})`
      })
      say({ acknowledged: n })
    }
  }
} catch (error) {
  const problem = error instanceof EmbeddedError ? error.problem : 'unforeseen'
  say({ problem, message: String(error) })
  process.exit(1)
}
