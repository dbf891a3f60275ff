import { parseArgs } from 'node:util'
import { seeded } from '../../support/seeded.ts'
import { runSoak } from './run.ts'

/*
 * npm run soak -- --minutes 10 [--seed 1] [--replicas 3] [--customers 12] [--json]
 * Ends with status 1 when anything was lost, doubled or invented; the last line is the verdict.
 */

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    replicas: { type: 'string', default: '3' },
    customers: { type: 'string', default: '12' },
    json: { type: 'boolean', default: false },
  },
})

const print = (line: string): void => void process.stdout.write(`${line}\n`)
const random = seeded(values.seed)
if (!values.json) print(`seed ${random.seed}`)
const { verdict, broken } = await runSoak({
  random,
  ms: Number(values.minutes) * 60_000,
  killsMin: 0,
  replicas: Number(values.replicas),
  customers: Number(values.customers),
  say: values.json ? (line) => void process.stderr.write(`${line}\n`) : print,
})
for (const what of broken) process.stderr.write(`${what}\n`)
print(JSON.stringify(verdict))
process.exit(broken.length > 0 ? 1 : 0)
