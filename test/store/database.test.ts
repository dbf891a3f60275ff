import { expect, test } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { openDatabase } from '../../src/store/database.ts'
import { freshDatabase } from '../support/database.ts'

test('the url of a test database opens it', async () => {
  await using db = await freshDatabase()
  const sql = openDatabase({ url: db.url, max: 1, applicationName: 'by url', log: silentLog })
  expect(await sql`select current_database() as the_name`).toEqual([{ theName: db.name }])
  await sql.end()
})
