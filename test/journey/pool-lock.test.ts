import { expect, test } from 'vitest'
import { inTransaction, type Sql } from '../../src/store/database.ts'
import { sealLedger } from '../../src/store/seals.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, priced, someKey, type TestJourney } from '../support/journey.ts'
import { until } from '../support/until.ts'

/*
 * Whoever moves money locks the pool's row first and everything else after it. So what replicas decide
 * stands in one line, and no two of them can wait for each other. Races find a breach of it by luck;
 * here somebody has the pool, and a step must wait for it with empty hands.
 */

type Act = () => Promise<unknown>

const steps: [step: string, prepare: (journey: TestJourney, sql: Sql) => Promise<Act>][] = [
  ['a request that is gated', async (at) => () => at.job(priced())],
  [
    'a request that is free',
    async (at) => {
      const customer = await at.granted('trusted')
      return () => at.job(priced({ customer }))
    },
  ],
  [
    'a payment',
    async (at) => {
      const job = await at.job(priced({ estimatedSats: 40 }))
      const hash = await at.invoice(job)
      return () => at.pay(hash, 40)
    },
  ],
  [
    'a top-up',
    async (at) => {
      const hash = await at.funding(someKey(), 500)
      return () => at.pay(hash, 500)
    },
  ],
  [
    'a settlement',
    async (at) => {
      const job = await at.paid(priced())
      return () => at.finish(job, 5)
    },
  ],
  [
    'a seal',
    async (at, sql) => {
      await at.finish(await at.paid(priced()), 5)
      return () => sealLedger(sql)
    },
  ],
]

test('whatever moves money waits for who has the pool, and holds no row meanwhile', async () => {
  await using db = await freshDatabase({ max: 6 })
  const journey = await journeyOn(db.sql)
  for (const [step, prepare] of steps) {
    const act = await prepare(journey, db.sql)
    expect({ step, ...(await whilePoolIsTaken(db.sql, act)) }).toEqual({
      step,
      waits: true,
      held: 0,
    })
  }
  await journey.expectClean()
})

/** What a step does while somebody else has the pool; afterwards it goes on to its end. */
async function whilePoolIsTaken(sql: Sql, act: Act): Promise<{ waits: boolean; held: number }> {
  const [has, mayGo] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const holding = inTransaction(sql, async (tx) => {
    await tx`select from accounts where name = 'pool' for update`
    has.resolve()
    await mayGo.promise
  })
  await has.promise
  let over = false
  const acting = act().finally(() => {
    over = true
  })
  await until('it waits', async () => over || (await waiting(sql)) > 0)
  const seen = { waits: !over, held: await heldRows(sql) }
  mayGo.resolve()
  await Promise.all([holding, acting])
  return seen
}

async function waiting(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*) as count from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`
  return row?.count ?? 0
}

/** Rows that nobody else could lock now, the pool's aside. */
async function heldRows(sql: Sql): Promise<number> {
  const [row] = await sql<{ held: number }[]>`
    with
      c as (select from customers for update skip locked),
      j as (select from jobs for update skip locked),
      i as (select from invoices for update skip locked)
    select (select count(*) from customers) + (select count(*) from jobs)
      + (select count(*) from invoices)
      - (select count(*) from c) - (select count(*) from j) - (select count(*) from i) as held`
  return row?.held ?? -1
}
