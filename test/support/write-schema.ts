import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { openDatabase } from '../../src/store/database.ts'
import { startEmbedded } from '../../src/store/embedded.ts'
import { migrate } from '../../src/store/migrate.ts'
import { dumpSchema } from './schema-dump.ts'

/** `npm run schema`: migrates an empty database and writes what came of it to test/schema.sql. */
const root = join(import.meta.dirname, '../..')
const dataDir = mkdtempSync(join(tmpdir(), 'tithe-schema-'))
const embedded = await startEmbedded({
  dataDir,
  log: silentLog,
  clock: systemClock,
  durable: false,
})
try {
  const options = { max: 1, applicationName: 'tithe schema', log: silentLog }
  const sql = openDatabase({ ...embedded.connection, ...options })
  await migrate(sql, { dir: join(root, 'migrations') })
  writeFileSync(join(root, 'test/schema.sql'), await dumpSchema(sql))
  await sql.end()
} finally {
  await embedded.stop()
  rmSync(dataDir, { recursive: true, force: true })
}
