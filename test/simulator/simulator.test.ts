import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { SWEEP_MS, sweepRounds } from '../support/seeded.ts'
import { changedTables, tableSums } from '../support/checkers.ts'
import { digestOf, playFleet } from './fleet.ts'
import { freshSession } from './lab.ts'
import { toldInFull, toldInShort } from './told.ts'
import { runUniverse } from './universe.ts'

/** The same worlds in every run; `npm run simulate` begins somewhere else each time. */
const FIRST_SEED = 1

test('in every world each sat is where it belongs, and every paid job is done or given back', {
  timeout: SWEEP_MS,
}, async () => {
  const beganMs = systemClock.now()
  const seeds = sweepRounds(500, 20_000)
  const report = await playFleet({
    ...{ target: inject('postgres').target, seed: FIRST_SEED, processes: 2 },
    ...{ seeds, replayEvery: 50 },
  })
  const seconds = (systemClock.now() - beganMs) / 1000
  process.stdout.write(`from seed ${FIRST_SEED}: ${toldInShort(report, seconds)}\n`)
  expect(report.failures.map(toldInFull).join('\n')).toBe('')
  expect(report.replayed).toBeGreaterThan(0)
  // A world in which nothing happens breaks nothing.
  const { jobs, done, crashes } = report.counts
  expect(Math.min(jobs / report.worlds, done / report.worlds)).toBeGreaterThan(1)
  expect(crashes).toBeGreaterThan(report.worlds / 5)
  expect(report.worlds).toBe(seeds)
})

describe('a world', () => {
  let [first, second]: Awaited<ReturnType<typeof freshSession>>[] = []
  beforeAll(async () => {
    const { target } = inject('postgres')
    ;[first, second] = await Promise.all([freshSession(target), freshSession(target)])
  })
  afterAll(async () => {
    await Promise.all([first, second].map((one) => one?.[Symbol.asyncDispose]()))
  })

  // Two databases, of which one has another past: nothing of this machine's doing may come into it.
  test('is played again byte for byte from its seed, rows and all', async () => {
    if (!first || !second) throw new Error('no database')
    await runUniverse(first.session, 'another past')
    for (const seed of ['1', '2', '3', '5', '8', '13']) {
      const [one, other] = [
        await runUniverse(first.session, seed),
        await runUniverse(second.session, seed),
      ]
      expect(other.lines).toEqual(one.lines)
      expect(other.hash).toBe(one.hash)
      const sums = [
        await tableSums(first.session.sql),
        await tableSums(second.session.sql),
      ] as const
      expect(changedTables(...sums).filter((name) => name !== 'schema_migrations')).toEqual([])
    }
  })

  test('is the same in whichever process it is played, and after whatever', async () => {
    const { target } = inject('postgres')
    const fleet = { target, seed: 101, seeds: 60, replayEvery: 1_000 }
    const [one, other] = [
      await playFleet({ ...fleet, processes: 1 }),
      await playFleet({ ...fleet, processes: 2 }),
    ]
    expect(Object.keys(one.hashes)).toHaveLength(60)
    expect(digestOf(other)).toBe(digestOf(one))
  })

  test('is another one with another seed', async () => {
    if (!first) throw new Error('no database')
    const hashes = new Set<string>()
    for (const seed of ['1', '2', '3']) hashes.add((await runUniverse(first.session, seed)).hash)
    expect(hashes.size).toBe(3)
  })
})
