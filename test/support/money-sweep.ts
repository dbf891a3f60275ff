import fc from 'fast-check'
import { seeded, sweepRounds } from './seeded.ts'

const run = seeded()

/** What a random run prints, and by what it is repeated. */
export const sweepName = `TITHE_SEED=${run.seed}`
export const sweepSeed = 1 + run.int(0x7fff_fffe)
/** How many times as long a run is. */
export const sweepFactor = sweepRounds(1, 10)

/** Checks a property `runs` times (times the factor) from the run's seed. */
export function holds<T>(property: fc.IRawProperty<T>, runs = 2_000): void {
  fc.assert(property, { seed: sweepSeed, numRuns: runs * sweepFactor })
}
