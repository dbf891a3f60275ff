import { randomInt } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { systemClock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { startEmbedded } from '../../src/store/embedded.ts'
import { memoryDir, preferPath } from '../support/memory-dir.ts'
import { digestOf, playFleet } from './fleet.ts'
import { freshSession } from './lab.ts'
import { toldInFull, toldInShort } from './told.ts'
import { runUniverse } from './universe.ts'

/*
 * `npm run simulate -- --seeds N --seed S`: plays worlds from their seeds and prints what came of them; ends with 1
 * when one is broken. Without --seed it begins anywhere, and says where.
 */

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5000' },
    seed: { type: 'string', default: String(randomInt(1_000_000_000)) },
    processes: { type: 'string', default: String(Math.min(4, availableParallelism())) },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

const print = (text: string): void => void process.stdout.write(`${text}\n`)

const home = memoryDir()
const server = await startEmbedded({
  ...{ dataDir: home.dir, log: silentLog, clock: systemClock, preferPath },
  durable: false,
})
try {
  process.exitCode = values.trace ? await trace() : await play()
} finally {
  await server.stop()
  home[Symbol.dispose]()
}

/** One seed, with everything that happens in it. */
async function trace(): Promise<number> {
  await using database = await freshSession(server.connection)
  const { faults, lines, hash } = await runUniverse(database.session, values.seed)
  for (const line of lines) print(line)
  for (const fault of faults) print(`broken: ${fault}`)
  print(`seed ${values.seed}: ${hash}`)
  return faults.length === 0 ? 0 : 1
}

async function play(): Promise<number> {
  const beganMs = systemClock.now()
  const seconds = () => (systemClock.now() - beganMs) / 1000
  let toldMs = beganMs
  print(`${values.seeds} worlds from seed ${values.seed} on`)
  const report = await playFleet({
    ...{ target: server.connection, replayEvery: 50 },
    seed: Number(values.seed),
    seeds: Number(values.seeds),
    processes: Number(values.processes),
    progress(sum) {
      if (systemClock.now() - toldMs < 10_000) return
      toldMs = systemClock.now()
      print(toldInShort(sum, seconds()))
    },
  })
  for (const failure of report.failures) print(toldInFull(failure))
  print(toldInShort(report, seconds()))
  print(`digest ${digestOf(report)}`)
  if (values.json) {
    const { worlds, replayed, counts, failures } = report
    const digest = digestOf(report)
    const broken = failures.map(({ seed }) => seed)
    print(JSON.stringify({ seed: values.seed, worlds, replayed, ...counts, digest, broken }))
  }
  return report.failures.length === 0 ? 0 : 1
}
