import { parseArgs } from 'node:util'
import { describeFound, searchAttacks } from '../test/property/money/adversary/search.ts'

/** Searches attackers' strategies against the money rules; deeper than the test does. */
export function adversaryBench({ seed, strategies }: { seed: number; strategies: number }) {
  const startedAt = performance.now()
  const found = searchAttacks({ seed, strategies, books: 'careful' })
  const seconds = (performance.now() - startedAt) / 1000
  return { seed, seconds, perSecond: Math.round(strategies / seconds), ...found }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      strategies: { type: 'string', default: '200000' },
      json: { type: 'boolean', default: false },
    },
  })
  const ran = adversaryBench({
    seed: Number(values.seed),
    strategies: Number(values.strategies),
  })
  console.log(describeFound('careful', ran.seed, ran))
  console.log(`${ran.perSecond} strategies a second, ${ran.seconds.toFixed(1)} s`)
  if (values.json) console.log(JSON.stringify({ adversary: ran }))
  const broken = Object.values(ran.violations).some((count) => count > 0)
  if (broken || ran.profitable > 0) process.exitCode = 1
}
