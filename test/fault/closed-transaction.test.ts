import { expect, test } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { inTransaction, openDatabase } from '../../src/store/database.ts'
import { freshDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

test('a transaction that the end of the program cuts off is whole or has never been', async () => {
  await using db = await freshDatabase()
  await db.sql`create table parts (round int not null, part int not null)`
  const parts = Array.from({ length: 6 }, (_, part) => part)
  for (let round = 0; round < 120; round += 1) {
    const sql = openDatabase({ ...db.connection, max: 1, applicationName: 'cut', log: silentLog })
    await sql`select 1`
    const written = inTransaction(sql, async (tx) => {
      await tx`select 1`
      // Each of another text, so that the driver has to prepare it and keeps the others waiting.
      await Promise.all(
        parts.map((part) =>
          tx`
          insert into parts (round, part)
          select ${round}, ${part} where ${tx.unsafe(`'${round}-${part}'`)} <> ''`.execute(),
        ),
      )
    }).catch(() => 'cut')
    // A little later in each round: at every place of the transaction once.
    for (let turn = 0; turn < round / 4; turn += 1) await new Promise(setImmediate)
    await sql.end({ timeout: 0 })
    await written
  }
  const halves = await db.sql`
    select round, count(*) from parts group by round having count(*) <> ${parts.length}`
  expect(halves).toEqual([])
  await until('no session is left behind', async () => {
    const rows = await db.sql`select from pg_stat_activity where application_name = 'cut'`
    return rows.length === 0
  })
})
