import { expect, test } from 'vitest'
import type { Job } from '../../src/store/jobs.ts'
import { jobLane, outboxLane } from '../../src/store/lanes.ts'
import { setConfig } from '../../src/store/pool.ts'
import { poolSats, priced, someKey, type TestJourney } from '../support/journey.ts'
import { type Replicas, twoReplicas } from '../support/replicas.ts'
import { say, type Seeded, seeded, SWEEP_MS, sweepRounds } from '../support/seeded.ts'

const ROUNDS = sweepRounds(15, 200)

/** Breaker and budgets stand aside, so that the pool alone decides. */
async function openWide({ sql }: Replicas): Promise<void> {
  await sql`
    insert into pool_days (day, opening_sats)
    values ((now() at time zone 'utc')::date, 1000000000)
    on conflict (day) do update set opening_sats = excluded.opening_sats`
  await setConfig(sql, 'budgets', { elite: 1_000_000_000 })
}

/** Asks at both replicas at once, in turns, for what `sizes` says. */
function askBoth({ both }: Replicas, sizes: readonly { customer: string; sats: number }[]) {
  return Promise.all(
    sizes.map(({ customer, sats: estimatedSats }, place) =>
      (both[place % 2] ?? both[0]).job(priced({ customer, estimatedSats })),
    ),
  )
}

const sum = (jobs: readonly Job[], pick: (job: Job) => number) =>
  jobs.reduce((total, job) => total + pick(job), 0)

/** Ends what is open: promises are cancelled, work is settled at a part of its estimate. */
async function endAll({ both: [a, b] }: Replicas, jobs: readonly Job[], random: Seeded) {
  await Promise.all(
    jobs.map((job) => {
      const one = random.pick([a, b])
      if (job.state !== 'working') return one.cancel(job)
      return random.int(5) === 0
        ? one.fail(job)
        : one.finish(job, random.int(job.estimatedSats + 1))
    }),
  )
}

test('fifty requests of one key against its budget are granted to the sat, round after round', {
  timeout: SWEEP_MS,
}, async () => {
  const random = seeded()
  say(`budget race: TITHE_SEED=${random.seed}, ${ROUNDS} rounds`)
  await using lab = await twoReplicas({ poolSeedSats: 1_000_000, poolDailyOutflowPct: 100 })
  for (let round = 0; round < ROUNDS; round += 1) {
    const [customer = ''] = await lab.keys(1, 'trusted')
    const sizes = Array.from({ length: 50 }, () => ({ customer, sats: 5 + random.int(56) }))
    const jobs = await askBoth(lab, sizes)
    const reservedSats = sum(jobs, (job) => job.reservedSats)
    // What is left of 200 is promised to the first request that does not fit into it.
    expect(reservedSats + sum(jobs, (job) => job.promisedSats)).toBe(200)
    expect(jobs.filter((job) => job.promisedSats > 0).length).toBeLessThanOrEqual(1)
    const [day] = await lab.sql<{ absorbedSats: number }[]>`
        select absorbed_sats from customer_days where customer = ${customer}`
    expect(day?.absorbedSats ?? 0).toBe(reservedSats)
    await endAll(lab, jobs, random)
  }
  expect(lab.deadlocks()).toBe(0)
  await lab.both[0].expectClean()
})

test('two hundred keys against a nearly empty pool are granted to the sat, round after round', {
  timeout: SWEEP_MS,
}, async () => {
  const random = seeded()
  say(`pool race: TITHE_SEED=${random.seed}, ${ROUNDS} rounds`)
  await using lab = await twoReplicas({ poolSeedSats: 0 })
  await openWide(lab)
  const keys = await lab.keys(200, 'elite')
  for (let round = 0; round < ROUNDS; round += 1) {
    await refill(lab, 300 + random.int(500))
    const before = await poolSats(lab.sql)
    const sats = 11 + random.int(20)
    const jobs = await askBoth(
      lab,
      keys.map((customer) => ({ customer, sats })),
    )
    const free = jobs.filter((job) => job.serve === 'free')
    expect(free).toHaveLength(Math.floor(before / sats))
    expect(await poolSats(lab.sql)).toBe(before % sats)
    expect(sum(jobs, (job) => job.promisedSats)).toBe(before % sats)
    await endAll(lab, jobs, random)
  }
  expect(lab.deadlocks()).toBe(0)
})

/** A pool of at least `sats`, by a donation. */
async function refill({ sql, both: [journey] }: Replicas, sats: number): Promise<void> {
  const missing = sats - (await poolSats(sql))
  if (missing > 0) await journey.pay(await journey.funding(someKey(), missing, 'donate'), missing)
}

test('a payment and the expiry of its job in one moment leave work or balance, without a deadlock', async () => {
  await using lab = await twoReplicas()
  const [a, b] = lab.both
  for (let round = 0; round < ROUNDS; round += 1) {
    const jobs = await askBoth(
      lab,
      Array.from({ length: 20 }, () => ({ customer: someKey(), sats: 100 })),
    )
    const hashes = await Promise.all(jobs.map((job) => a.invoice(job)))
    await Promise.all(
      jobs.flatMap((job, place) => [a.pay(hashes[place] ?? '', 100), b.expire(job)]),
    )
    for (const { id, customer } of jobs) {
      const { state } = await a.read(id)
      expect(['working 0', 'expired 100']).toContain(`${state} ${await a.balance(customer)}`)
    }
  }
  expect(lab.deadlocks()).toBe(0)
  await a.expectClean()
})

test('leases are renewed while their jobs are settled, and neither waits for the other for ever', async () => {
  await using lab = await twoReplicas()
  const [a] = lab.both
  const lane = jobLane('working')
  for (let round = 0; round < ROUNDS; round += 1) {
    const customer = someKey()
    await a.topUp(customer, 4_000)
    const sizes = Array.from({ length: 40 }, () => ({ customer, sats: 100 }))
    const jobs = await askBoth(lab, sizes)
    // The other way round than they were taken, so that only a common order keeps them apart.
    const held = jobs.toSorted((x, y) => y.id - x.id)
    const renewals = Array.from({ length: 4 }, () => lane.renew(lab.sql, held, 30))
    const [left] = await Promise.all([...renewals, ...jobs.map((job) => a.finish(job, 50))])
    expect(left).toBeInstanceOf(Set)
  }
  expect(lab.deadlocks()).toBe(0)
  await a.expectClean()
})

type Deed = (at: TestJourney) => Promise<unknown>

/** All that can happen to money and jobs at once, at either replica. */
function createStorm(lab: Replicas, random: Seeded, keys: readonly string[]) {
  const jobs: Job[] = []
  const invoices: { hash: string; sats: number }[] = []

  const some = <T>(list: readonly T[], then: (one: T) => Promise<unknown>) =>
    list.length === 0 ? undefined : then(random.pick(list))

  const deeds: [weight: number, deed: Deed][] = [
    [
      8,
      async (at) => {
        const request = priced({ customer: random.pick(keys), estimatedSats: 1 + random.int(400) })
        const answers = await Promise.all([at.accept.add(request), other(at).accept.add(request)])
        const made = answers.flatMap((answer) => (answer.outcome === 'job' ? [answer.job.id] : []))
        for (const id of made) jobs.push(await at.read(id))
      },
    ],
    [
      6,
      async (at) =>
        some(jobs, async ({ id }) => {
          const job = await at.read(id)
          if (job.state !== 'accepted') return
          const hash = await at.invoice(job).catch(() => undefined)
          if (hash) invoices.push({ hash, sats: job.chargeSats })
        }),
    ],
    [6, async (at) => some(invoices, ({ hash, sats }) => at.pay(hash, sats, random.int(2)))],
    [1, async (at) => some(invoices, ({ hash, sats }) => at.pay(hash, sats + random.int(9)))],
    [8, async (at) => some(jobs, async ({ id }) => at.finish(await at.read(id), random.int(500)))],
    [2, async (at) => some(jobs, async ({ id }) => at.fail(await at.read(id)))],
    [2, async (at) => some(jobs, (job) => at.cancel(job))],
    [
      2,
      async (at) =>
        some(jobs, async ({ id }) => {
          const job = await at.read(id)
          if (job.state === 'awaiting_payment') await at.expire(job)
        }),
    ],
    [
      2,
      async (at) => {
        const sats = 1 + random.int(900)
        const name = random.pick(['topup', 'topup', 'donate'] as const)
        invoices.push({ hash: await at.funding(random.pick(keys), sats, name), sats })
      },
    ],
    // Leases are renewed while their rows are settled.
    [2, async () => jobLane('working').renew(lab.sql, jobs.toReversed().slice(0, 50), 30)],
    [1, async () => outboxLane.claim(lab.sql, 20, 'storm', 1)],
    [1, async (at) => at.ask(random.pick(keys), { name: 'why' })],
  ]
  const drawn = deeds.flatMap(([weight, deed]) => Array.from({ length: weight }, () => deed))
  const other = (at: TestJourney) => (at === lab.both[0] ? lab.both[1] : lab.both[0])

  return async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += 1) await random.pick(drawn)(random.pick(lab.both))
  }
}

test('a storm of everything at once on two replicas leaves books that add up', {
  timeout: SWEEP_MS,
}, async () => {
  const random = seeded()
  say(`storm: TITHE_SEED=${random.seed}`)
  await using lab = await twoReplicas({ poolDailyOutflowPct: 100 })
  const keys = [...(await lab.keys(8, 'elite')), ...(await lab.keys(8, 'trusted')), someKey()]
  const storm = createStorm(lab, random, keys)
  await Promise.all(Array.from({ length: 16 }, () => storm(sweepRounds(40, 600))))
  const [made] = await lab.sql<{ jobs: number; over: number; deepest: number }[]>`
      select count(*) as jobs, count(finished_at) as over,
        (select min(balance_sats) from customers) as deepest from jobs`
  expect(made?.over).toBeGreaterThan(0)
  expect(made?.deepest).toBeGreaterThanOrEqual(0)
  expect(lab.deadlocks()).toBe(0)
  await lab.both[0].expectClean()
})
