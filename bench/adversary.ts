import { parseArgs } from 'node:util'
import { describeFound, searchAttacks } from '../test/property/money/adversary/search.ts'
import { tell } from './figures.ts'

/** Searches attackers' strategies against the money rules, deeper than the test does. Status 1 when one pays. */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      strategies: { type: 'string', default: '200000' },
    },
  })
  const [seed, strategies] = [Number(values.seed), Number(values.strategies)]
  const startedAt = performance.now()
  const found = searchAttacks({ seed, strategies, books: 'careful' })
  const seconds = (performance.now() - startedAt) / 1000
  const perSecond = Math.round(strategies / seconds)
  tell(describeFound('careful', seed, found))
  tell(`${perSecond} strategies a second, ${seconds.toFixed(1)} s`)
  const adversary = { seed, seconds, perSecond, ...found }
  if (values.json) console.log(JSON.stringify({ adversary }))
  const broken = Object.values(found.violations).some((count) => count > 0)
  if (broken || found.profitable > 0) process.exitCode = 1
}
