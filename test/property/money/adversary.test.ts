import { expect, test } from 'vitest'
import { sweepFactor, sweepName, sweepSeed } from '../../support/money-sweep.ts'
import { say } from '../../support/seeded.ts'
import { describeFound, type Found } from './adversary/search.ts'
import { noViolations } from './adversary/tally.ts'
import { searchInThread } from './adversary/worker.ts'

const ratioOf = (found: Found) => found.best.plan.earnedGrantRatio

// Many keys, aged keys, money in circles, refund loops, inflated estimates, quote floods, emptied
// rooms between promise and payment, work and promises across midnight: half of the plans are drawn
// at random, half are bent from those that paid best.
test('no strategy gets more than ratio × what it paid, from pool and operator together', {
  timeout: 60_000 * sweepFactor,
}, async () => {
  say(`strategies: ${sweepName}`)
  const found = await searchInThread({
    seed: sweepSeed,
    strategies: 30_000 * sweepFactor,
    books: 'careful',
  })
  say(describeFound('careful', sweepSeed, found))
  expect(found.violations).toEqual(noViolations())
  expect(found.profitable).toBe(0)
  expect(found.outflowPctMax).toBeLessThanOrEqual(10)
  expect(found.best.fullYield).toBeLessThanOrEqual(ratioOf(found))
  // A search that finds nothing near the cap would prove nothing about it.
  expect(found.best.reach).toBeGreaterThan(0.99)
})

// The same plans against a caller who forgets shortfalls and binds promises by the pool alone:
// every bound on the pool holds, and the operator is robbed all the same. It shows that the search
// finds what there is to find, and why `room` and `boundPromise` ask for what they ask.
test('forgetting shortfalls lets strategies rob the operator of more than they paid', async () => {
  const found = await searchInThread({ seed: sweepSeed, strategies: 2_500, books: 'loose' })
  say(describeFound('loose', sweepSeed, found))
  expect(found.violations).toEqual(noViolations())
  expect(found.best.poolYield).toBeLessThanOrEqual(ratioOf(found))
  expect(found.best.fullYield).toBeGreaterThan(1)
  expect(found.profitable).toBeGreaterThan(0)
})
