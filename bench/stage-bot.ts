import { monitorEventLoopDelay } from 'node:perf_hooks'
import { systemClock } from '../src/clock.ts'
import { readConfig } from '../src/config.ts'
import { startDaemon } from '../src/daemon.ts'
import { armFailpoints } from '../src/failpoint.ts'
import { createLog } from '../src/log.ts'

/*
 * A process of a bench: the daemon as `tithe start` runs it, with a clock at each of its failpoints. Answers
 * `usage` with what it needed since the last time it was asked.
 */

export interface Usage {
  cpuMs: number
  residentBytes: number
  loopDelayP99Ms: number
  /** Passes of failpoints since `marks` were switched on: name and milliseconds since the epoch. */
  marks: [string, number][]
}

const answer = readConfig(process.env)
if (!answer.ok) throw new Error(JSON.stringify(answer.problems))
const log = createLog(process.env.LOG_LEVEL ?? 'warn')
const daemon = await startDaemon({ config: answer.config, clock: systemClock, log })
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
let marks: [string, number][] = []
let cpu = process.cpuUsage()

process.on('message', (order) => {
  if (order === 'marks') {
    armFailpoints((name) => void marks.push([name, performance.timeOrigin + performance.now()]))
  }
  if (order === 'usage') process.send?.(usage())
  if (order === 'stop') void daemon.stop().then(() => process.exit())
})
process.on('disconnect', () => process.exit())
process.send?.({ pubkey: daemon.pubkey, statusUrl: daemon.http.url, curve: daemon.stack.curve })

function usage(): Usage {
  const spent = process.cpuUsage(cpu)
  const used = {
    cpuMs: (spent.user + spent.system) / 1000,
    residentBytes: process.memoryUsage.rss(),
    // The histogram counts its own resolution of a millisecond in.
    loopDelayP99Ms: delay.percentile(99) / 1e6 - 1,
    marks,
  }
  cpu = process.cpuUsage()
  marks = []
  delay.reset()
  return used
}
