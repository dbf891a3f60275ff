import type { FleetReport } from './fleet.ts'
import type { Failure } from './worker.ts'

/** Lines of a trace that are shown: what led to the end is there, and what began it is played again. */
const TRACE_LINES = 400

/** What a fleet came to, in one line. */
export function toldInShort({ worlds, replayed, counts }: FleetReport, seconds: number): string {
  const { jobs, paid, done, payouts, crashes, mishaps, statements, virtualMs } = counts
  const minutes = Math.round(virtualMs / 60_000)
  return (
    `${worlds} worlds in ${seconds.toFixed(0)} s (${(worlds / seconds).toFixed(1)} a second), ` +
    `${replayed} of them twice: ${minutes} minutes of their time, ${jobs} jobs, ${paid} of them paid by invoice, ` +
    `${done} done, ${payouts} payouts, ${mishaps} mishaps, ${crashes} deaths, ${statements} statements`
  )
}

/** A broken seed: what is wrong, how to play it again, and what happened in it. */
export function toldInFull({ seed, faults, lines }: Failure): string {
  return [
    `seed ${seed} is broken; npm run simulate -- --seed ${seed} --seeds 1 --trace plays it again`,
    ...faults.map((fault) => `  ${fault}`),
    ...lines.slice(-TRACE_LINES).map((line) => `    ${line}`),
  ].join('\n')
}
