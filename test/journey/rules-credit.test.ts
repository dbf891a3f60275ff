import { expect, test } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { openDatabase } from '../../src/store/database.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, poolSats, priced, someKey } from '../support/journey.ts'

test.each([
  { paidSats: 100, actualSats: 100, creditSats: 10 },
  { paidSats: 100, actualSats: 19, creditSats: 1 },
  { paidSats: 100, actualSats: 9, creditSats: 0 },
])('a paid job of $actualSats sats credits the pool $creditSats, once', async (figures) => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const byInvoice = await journey.paid(priced({ estimatedSats: figures.paidSats }))
  const customer = someKey()
  await journey.topUp(customer, figures.paidSats)
  const byBalance = await journey.job(priced({ customer, estimatedSats: figures.paidSats }))
  expect([byInvoice.paidFrom, byBalance.paidFrom]).toEqual(['invoice', 'balance'])
  for (const job of [byInvoice, byBalance]) {
    const before = await poolSats(db.sql)
    await journey.finish(job, figures.actualSats)
    await journey.finish(job, figures.actualSats)
    await journey.fail(job)
    expect((await poolSats(db.sql)) - before).toBe(figures.creditSats)
  }
  const credits = await db.sql`select sats from transfers where kind = 'credit'`
  expect(credits).toHaveLength(figures.creditSats > 0 ? 2 : 0)
  await journey.expectClean()
})

test('free and failed work credits nothing', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const customer = await journey.granted('trusted')
  await journey.finish(await journey.job(priced({ customer, estimatedSats: 100 })), 100)
  await journey.fail(await journey.paid(priced({ estimatedSats: 100 })))
  expect(await db.sql`select id from transfers where kind = 'credit'`).toEqual([])
  expect(await poolSats(db.sql)).toBe(9_900)
  await journey.expectClean()
})

test('ten daemons that boot at the same instant seed the pool once', async () => {
  await using db = await freshDatabase()
  const daemons = Array.from({ length: 10 }, () =>
    openDatabase({ ...db.connection, max: 1, applicationName: 'boots', log: silentLog }),
  )
  await Promise.all(daemons.map((sql) => journeyOn(sql)))
  await Promise.all(daemons.map((sql) => journeyOn(sql, { poolSeedSats: 99 })))
  await Promise.all(daemons.map((sql) => sql.end()))
  expect(await poolSats(db.sql)).toBe(10_000)
  expect(await db.sql`select kind, sats from transfers`).toEqual([{ kind: 'seed', sats: 10_000 }])
})
