import type { DatabaseTarget } from '../../src/store/database.ts'
import { changedTables, tableSums } from '../support/checkers.ts'
import { freshSession } from './lab.ts'
import type { SharedSession } from './database.ts'
import { type Counts, type Outcome, runUniverse } from './universe.ts'

/*
 * One process of a fleet: it has a database of its own, plays the seeds that it is told to, and says what came of
 * them. It ends with its parent.
 */

/** What the parent says first, and then with each portion. */
export type Word = { target: DatabaseTarget } | Portion

export interface Portion {
  seed: number
  count: number
  /** Every so many-th seed is played twice, and both must be alike to the byte. */
  replayEvery: number
}

export interface Report {
  worlds: number
  replayed: number
  counts: Counts
  /** What each world hashed to, by its seed. */
  hashes: Record<string, string>
  failures: Failure[]
}

export interface Failure {
  seed: string
  faults: string[]
  lines: readonly string[]
}

let opened: Promise<SharedSession> | undefined

process.on('message', (word: Word) => {
  if ('target' in word) {
    opened = freshSession(word.target).then(({ session }) => session)
    opened.then(
      () => process.send?.('ready'),
      (error: unknown) => {
        throw error
      },
    )
  } else void play(word)
})
// The database is dropped with the server, or by who made it.
process.on('disconnect', () => process.exit())

async function play({ seed, count, replayEvery }: Portion): Promise<void> {
  const session = await opened
  if (!session) throw new Error('no database was named')
  const report: Report = {
    ...{ worlds: 0, replayed: 0, counts: noCounts(), hashes: {}, failures: [] },
  }
  for (let number = seed; number < seed + count; number += 1) {
    const outcome = await runUniverse(session, String(number))
    report.worlds += 1
    report.hashes[outcome.seed] = outcome.hash
    add(report.counts, outcome.counts)
    const faults = [...outcome.faults]
    if (number % replayEvery === 0) {
      report.replayed += 1
      faults.push(...(await replay(session, outcome)))
    }
    if (faults.length > 0) report.failures.push({ ...outcome, faults })
  }
  process.send?.(report)
}

/** The same seed once more: the same bytes, and the same rows. */
async function replay(session: SharedSession, first: Outcome): Promise<string[]> {
  const before = await tableSums(session.sql)
  const second = await runUniverse(session, first.seed)
  const after = await tableSums(session.sql)
  const at = first.lines.findIndex((line, place) => line !== second.lines[place])
  return [
    ...(first.hash === second.hash
      ? []
      : [`played again it differs: "${first.lines[at]}" was "${second.lines[at]}"`]),
    ...changedTables(before, after).map((name) => `played again it leaves other rows in ${name}`),
  ]
}

const noCounts = (): Counts => ({
  ...{ messages: 0, jobs: 0, paid: 0, done: 0, failed: 0, payouts: 0 },
  ...{ crashes: 0, mishaps: 0, replies: 0, statements: 0, virtualMs: 0 },
})

function add(sum: Counts, counts: Counts): void {
  for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] += counts[name]
}
