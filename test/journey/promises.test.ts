import { expect, test } from 'vitest'
import type { Job } from '../../src/store/jobs.ts'
import type { Sql } from '../../src/store/database.ts'
import { priced } from '../support/journey.ts'
import { type Replicas, twoReplicas } from '../support/replicas.ts'

/** Requests of these keys at once, every other one at the other replica. */
async function ask({ both }: Replicas, keys: readonly string[], sats: number): Promise<Job[]> {
  return Promise.all(
    keys.map((customer, place) =>
      (both[place % 2] ?? both[0]).job(priced({ customer, estimatedSats: sats })),
    ),
  )
}

const discounts = (jobs: readonly Job[]) =>
  jobs.map((job) => job.promisedSats).filter((sats) => sats > 0)

/** Makes the server refuse every commit after which open promises are above the pool. */
async function watchPromises(sql: Sql): Promise<void> {
  await sql`
    create function check_promises() returns trigger language plpgsql as $$
    begin
      if (select coalesce(sum(promised_sats), 0) from jobs where state in ('accepted', 'awaiting_payment'))
        > (select balance_sats from accounts where name = 'pool')
      then raise exception 'open promises are above the pool';
      end if;
      return null;
    end $$`
  await sql`
    create constraint trigger promises_within_pool after insert or update on jobs
    deferrable initially deferred for each row execute function check_promises()`
}

test('fifty requests of one key at once get one discounted invoice between them', async () => {
  await using lab = await twoReplicas()
  const [key = ''] = await lab.keys(1, 'trusted')
  const jobs = await ask(
    lab,
    Array.from({ length: 50 }, () => key),
    300,
  )
  expect(discounts(jobs)).toEqual([200])
  expect(jobs.filter((job) => job.chargeSats === 300)).toHaveLength(49)
})

// With room left after the first promise, the number of open discounts is what stops the second.
test('a key whose promise the breaker cut short gets no second one for the rest of its room', async () => {
  await using lab = await twoReplicas({ poolSeedSats: 700 })
  const [key = ''] = await lab.keys(1, 'trusted')
  const jobs = await ask(
    lab,
    Array.from({ length: 50 }, () => key),
    300,
  )
  expect(discounts(jobs)).toEqual([70])
})

test.each([
  { outflowPct: 100, promisedSats: 10_000 },
  { outflowPct: 10, promisedSats: 1_000 },
])(
  'two hundred keys at once are promised $promisedSats sats with a breaker of $outflowPct %',
  async (cell) => {
    await using lab = await twoReplicas({ poolDailyOutflowPct: cell.outflowPct })
    await watchPromises(lab.sql)
    const keys = await lab.keys(200, 'trusted')
    const jobs = await ask(lab, keys, 300)
    expect(discounts(jobs).reduce((sum, sats) => sum + sats, 0)).toBe(cell.promisedSats)
    expect(discounts(jobs)).toEqual(Array.from({ length: cell.promisedSats / 200 }, () => 200))
    expect(lab.deadlocks()).toBe(0)
  },
)

test('a promise that ended may be made again, and no more than that', async () => {
  await using lab = await twoReplicas({ poolSeedSats: 1_000, poolDailyOutflowPct: 100 })
  await watchPromises(lab.sql)
  const first = await ask(lab, await lab.keys(5, 'trusted'), 300)
  expect(discounts(first)).toHaveLength(5)
  const [a, b] = lab.both
  const [again] = await Promise.all([
    ask(lab, await lab.keys(20, 'trusted'), 300),
    ...first.slice(0, 2).map(async (job) => a.cancel(job)),
    ...first.slice(2, 4).map(async (job) => {
      await b.invoice(job)
      await b.expire(job)
    }),
  ])
  const later = await ask(lab, await lab.keys(20, 'trusted'), 300)
  expect([...discounts(again), ...discounts(later)]).toEqual([200, 200, 200, 200])
  await a.expectClean()
})

test('promises that are all kept take the pool to zero and not below', async () => {
  await using lab = await twoReplicas({ poolSeedSats: 1_000, poolDailyOutflowPct: 100 })
  const jobs = await ask(lab, await lab.keys(20, 'trusted'), 300)
  const [a, b] = lab.both
  const hashes = await Promise.all(jobs.map((job) => a.invoice(job)))
  await Promise.all(
    jobs.flatMap((job, place) => {
      const hash = hashes[place] ?? ''
      return [a.pay(hash, job.chargeSats), b.pay(hash, job.chargeSats)]
    }),
  )
  const working = await Promise.all(jobs.map((job) => a.read(job.id)))
  expect(working.reduce((sum, job) => sum + job.reservedSats, 0)).toBe(1_000)
  expect(working.every((job) => job.reservedSats === job.promisedSats)).toBe(true)
  const [pool] = await lab.sql`select balance_sats from accounts where name = 'pool'`
  expect(pool).toEqual({ balanceSats: 0 })
  await a.expectClean()
})
