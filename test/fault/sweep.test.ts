import { expect, test } from 'vitest'
import { type Failpoint, failpoints } from '../../src/failpoint.ts'
import { type JourneyLab, journeyLab } from '../support/journey-lab.ts'
import { type JobKind, jobKinds } from '../support/job-kinds.ts'
import { oneTry, say, type Seeded, seeded, sweepRounds } from '../support/seeded.ts'
import { until } from '../support/until.ts'

/*
 * The process dies at every failpoint that any kind of job passes, and at pairs of them: once on the way and
 * once more while the next process recovers. Each time another process finds what was left; every job must
 * reach the end that it would have had, and no invariant may be broken.
 */

/** One pass of a failpoint on the way of one kind of job. */
interface Pass {
  kind: JobKind
  point: Failpoint
  /** The how-manieth of this point on that way. */
  count: number
}

/** A death that a run does not come to: batches and order differ a little from run to run. */
interface Tally {
  deaths: number
  missed: number
}

async function passesOf(lab: JourneyLab, kind: JobKind): Promise<Pass[]> {
  const customer = lab.customer()
  await kind.before?.(lab, customer)
  await quiet(lab)
  lab.passed.length = 0
  await kind.play(lab, customer)
  await quiet(lab)
  const counts = new Map<Failpoint, number>()
  return lab.passed.map((point) => {
    const count = (counts.get(point) ?? 0) + 1
    counts.set(point, count)
    return { kind, point, count }
  })
}

const quiet = (lab: JourneyLab) =>
  until('everything has ended', async () => (await lab.unended()).length === 0)

/** Plays a kind of job to its end with a death at each of these passes, one process after another. */
async function playWithDeaths(
  lab: JourneyLab,
  { kind, point, count }: Pass,
  second?: Failpoint,
): Promise<number> {
  const customer = lab.customer()
  await kind.before?.(lab, customer)
  await quiet(lab)
  let deaths = 0
  const death = lab.dieAt(point, count).then(() => 'dead' as const)
  const played = kind.play(lab, customer).then(() => 'ended' as const)
  if ((await Promise.race([death, played])) === 'dead') {
    deaths += 1
    await lab.start()
    if (second !== undefined) {
      const again = lab.dieAt(second, 1).then(() => 'dead' as const)
      if ((await Promise.race([again, played])) === 'dead') {
        deaths += 1
        await lab.start()
      }
    }
  }
  await played
  lab.spare()
  await quiet(lab)
  expect(await lab.broken()).toEqual([])
  return deaths
}

async function sweep(
  lab: JourneyLab,
  runs: readonly { pass: Pass; second?: Failpoint }[],
  perRun: number,
): Promise<Tally> {
  let deaths = 0
  for (const { pass, second } of runs) {
    try {
      deaths += await playWithDeaths(lab, pass, second)
    } catch (error) {
      const { kind, point, count } = pass
      const where = `${kind.name} at ${point}#${count}${second ? `, then ${second}` : ''}`
      throw new Error(`${where}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      })
    }
  }
  return { deaths, missed: perRun * runs.length - deaths }
}

const shuffled = <T>(list: readonly T[], random: Seeded): T[] =>
  list
    .map((item) => ({ item, at: random.int(2 ** 40) }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)

test(
  'whatever dies at a failpoint, every kind of job reaches its end with whole books',
  oneTry,
  async () => {
    const random = seeded()
    await using lab = await journeyLab()
    await lab.start()
    const passes: Pass[] = []
    for (const kind of jobKinds) passes.push(...(await passesOf(lab, kind)))
    expect([...new Set(passes.map(({ point }) => point))].sort()).toEqual([...failpoints].sort())
    const first = passes.filter(({ count }) => count === 1)
    const later = shuffled(
      passes.filter(({ count }) => count > 1),
      random,
    )
    const singles = [...first, ...later.slice(0, sweepRounds(10, later.length))]
    const began = performance.now()
    const tally = await sweep(
      lab,
      singles.map((pass) => ({ pass })),
      1,
    )
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    say(`single deaths: TITHE_SEED=${random.seed}, ${JSON.stringify(tally)}, ${seconds} s`)
    expect(tally.missed).toBeLessThan(singles.length / 10)
  },
)

test(
  'a second death while the first is recovered from changes nothing either',
  oneTry,
  async () => {
    const random = seeded()
    await using lab = await journeyLab()
    await lab.start()
    const passes: Pass[] = []
    for (const kind of jobKinds) passes.push(...(await passesOf(lab, kind)))
    const pairs = passes.flatMap((pass) => {
      const points = passes.filter(({ kind }) => kind === pass.kind).map(({ point }) => point)
      return [...new Set(points)].map((second) => ({ pass, second }))
    })
    const runs = shuffled(pairs, random).slice(0, sweepRounds(30, pairs.length))
    const began = performance.now()
    const tally = await sweep(lab, runs, 2)
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    say(`double deaths: TITHE_SEED=${random.seed}, ${JSON.stringify(tally)}, ${seconds} s`)
    expect(tally.deaths).toBeGreaterThan(runs.length)
  },
)
