import { type ChildProcess, fork } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import type { DatabaseTarget } from '../../src/store/database.ts'
import type { Counts } from './universe.ts'
import type { Failure, Portion, Report, Word } from './worker.ts'

export interface FleetOptions {
  target: DatabaseTarget
  /** The first seed, and how many. */
  seed: number
  seeds: number
  processes: number
  replayEvery: number
  /** Told after each portion. */
  progress?(sum: FleetReport): void
}

export interface FleetReport {
  worlds: number
  replayed: number
  counts: Counts
  hashes: Record<string, string>
  failures: Failure[]
}

/** One hash over all worlds: the same for the same seeds, whichever processes played them, in whichever order. */
export const digestOf = ({ hashes }: FleetReport): string =>
  hash('sha256', JSON.stringify(Object.entries(hashes).sort(([a], [b]) => Number(a) - Number(b))))

/** So many worlds a portion: a process that is slower than the other gets fewer of them. */
const PORTION = 25
/** More broken seeds say nothing new. */
const FAILURES = 5

/** Plays many seeds in several processes, each with a database of its own on one server. */
export async function playFleet(options: FleetOptions): Promise<FleetReport> {
  const end = options.seed + options.seeds
  let next = options.seed
  let sum: FleetReport | undefined
  const children: ChildProcess[] = []

  const portion = (): Portion | undefined => {
    if (next >= end || (sum?.failures.length ?? 0) >= FAILURES) return undefined
    const count = Math.min(PORTION, end - next)
    const seed = next
    next += count
    return { seed, count, replayEvery: options.replayEvery }
  }

  async function work(): Promise<void> {
    const child = fork(join(import.meta.dirname, 'worker.ts'), {
      // Worlds are short-lived rubbish; a larger nursery is collected less often.
      execArgv: ['--max-semi-space-size=16', '--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    children.push(child)
    await ask(child, { target: options.target })
    for (let seeds = portion(); seeds; seeds = portion()) {
      const report = (await ask(child, seeds)) as Report
      sum = added(sum, report)
      options.progress?.(sum)
    }
  }

  try {
    await Promise.all(Array.from({ length: options.processes }, () => work()))
  } finally {
    for (const child of children) child.kill()
  }
  if (!sum) throw new Error('no seed was played')
  return sum
}

/** The child's next word, or its death as an error. */
async function ask(child: ChildProcess, word: Word): Promise<unknown> {
  const dead = new AbortController()
  const answer = once(child, 'message', { signal: dead.signal })
  const gone = once(child, 'exit', { signal: dead.signal }).then(([code]) => {
    throw new Error(`a process of the simulator ended by itself (${code})`)
  })
  child.send(word)
  try {
    const [said]: unknown[] = await Promise.race([answer, gone])
    return said
  } finally {
    gone.catch(() => {})
    answer.catch(() => {})
    dead.abort()
  }
}

function added(sum: FleetReport | undefined, report: Report): FleetReport {
  if (!sum) return report
  const counts = { ...sum.counts }
  for (const name of Object.keys(counts) as (keyof Counts)[]) counts[name] += report.counts[name]
  return {
    worlds: sum.worlds + report.worlds,
    replayed: sum.replayed + report.replayed,
    counts,
    hashes: { ...sum.hashes, ...report.hashes },
    failures: [...sum.failures, ...report.failures],
  }
}
