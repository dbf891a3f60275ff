import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { createWatch } from '../../src/journey/watch.ts'
import { silentLog } from '../../src/log.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, priced } from '../support/journey.ts'

// What it holds meanwhile, a job that expires in that moment lacks: then the node is not asked.
test('the watch takes as many looks as are due, and none while none is', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  for (const _ of [1, 2, 3]) await journey.invoice(await journey.job(priced()))
  const taken: number[] = []
  const watch = createWatch({
    ...{ sql: db.sql, clock: systemClock, log: silentLog, holder: 'test', pollMs: 1_000 },
    lightning: {
      lookupIncoming: async () => ({ state: 'pending' }),
      readIncoming: async () => new Map(),
      listIncoming: async () => new Map(),
    },
    looks: {
      take(count) {
        taken.push(count)
        return count
      },
      giveBack: () => undefined,
    },
    paid: async () => undefined,
  })
  expect(await watch.runOnce()).toEqual({ asked: 3, paid: 0 })
  await db.sql`
    update invoices set look_at = now()
    where payment_hash in (select payment_hash from invoices limit 2)`
  await watch.runOnce()
  expect(taken).toEqual([0, 2])
})
