import { expect, test } from 'vitest'
import { oneTry, say, seeded, sweepRounds } from '../../support/seeded.ts'
import { runSoak } from './run.ts'

test(
  'after sixty kills, and whatever else went wrong, nothing was lost, doubled or invented',
  oneTry,
  async () => {
    const random = seeded()
    say(`soak: seed ${random.seed}`)
    const killsMin = sweepRounds(60, 500)
    const { verdict, broken } = await runSoak({ random, ms: 20_000, killsMin, say })
    say(JSON.stringify(verdict))
    expect(broken).toEqual([])
    expect(verdict).toMatchObject({ lost: 0, doubled: 0, driftSats: 0 })
    expect(verdict.kills).toBeGreaterThanOrEqual(killsMin)
    expect(verdict.delivered).toBeGreaterThan(0)
  },
)
