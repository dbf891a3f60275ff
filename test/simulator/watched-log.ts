import { pino } from 'pino'
import type { Log } from '../../src/log.ts'
import type { Trace } from './trace.ts'

/** Stands in every request, and may stand in no log (C12). */
export const CANARY = 'zebra'

/** A log whose lines are part of the trace, and which finds what must not be in it. */
export function createWatchedLog(trace: Trace, faults: string[]): Log {
  const write = (line: string) => {
    if (line.includes(CANARY) || /lnbc\d/.test(line)) faults.push(`C12: a log line says ${line}`)
    const { level, msg } = JSON.parse(line)
    if (level >= 40) trace.note(`log: ${msg}`)
  }
  return pino({ level: 'trace', base: null, timestamp: false }, { write })
}
