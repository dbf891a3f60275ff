import { expect, test } from 'vitest'
import { journeyLab } from '../support/journey-lab.ts'
import { type JobKind, jobKinds } from '../support/job-kinds.ts'
import { oneTry, say, seeded, sweepRounds } from '../support/seeded.ts'
import { until } from '../support/until.ts'

/*
 * The commit has reached the server and its answer reaches nobody: whoever sent it cannot know whether it
 * happened. Everything that is asked again after it must find what there is, and nothing may happen twice.
 */

/** Customers at once: each cut costs those that it hits the rest of a lease. */
const TOGETHER = 12

test(
  'a commit whose answer is lost happened once or never, whatever it was for',
  oneTry,
  async () => {
    const random = seeded()
    const wanted = sweepRounds(150, 1_000)
    await using lab = await journeyLab({ gated: true, leaseSeconds: 1 })
    const { gate } = lab
    if (!gate) throw new Error('the lab has no gate')
    await lab.start()
    let played = 0
    const playOne = async (kind: JobKind) => {
      const customer = lab.customer()
      await kind.before?.(lab, customer)
      gate.cutCommits(1 + random.int(2))
      await kind.play(lab, customer)
      played += 1
    }
    while (gate.cuts() < wanted) {
      await Promise.all(Array.from({ length: TOGETHER }, () => playOne(random.pick(jobKinds))))
    }
    await until('everything has ended', async () => (await lab.unended()).length === 0)
    expect(await lab.broken()).toEqual([])
    say(`commits cut off: TITHE_SEED=${random.seed}, ${gate.cuts()} in ${played} jobs`)
  },
)
