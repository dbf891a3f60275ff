import { systemClock } from './clock.ts'
import type { ExitStatus } from './command.ts'
import { startDaemon } from './daemon.ts'
import { createLog } from './log.ts'
import type { NostrEvent } from './nostr/types.ts'
import { readPoolStatus } from './operator/pool-status.ts'
import { demo } from './sandbox/demo.ts'
import type { Terminal } from './terminal.ts'

/** Gives the demo the real daemon and the reader that subscribers of the pool status have. */
export function playDemo(
  terminal: Terminal,
  options: { json?: boolean; isDebug: boolean; signal: AbortSignal },
): Promise<ExitStatus> {
  const { json = false, isDebug, signal } = options
  const log = createLog(isDebug ? 'debug' : 'error')
  return demo({ startDaemon, readStatus, clock: systemClock, log, terminal, json, signal })
}

function readStatus(event: NostrEvent) {
  const reading = readPoolStatus(event)
  if (!reading.ok || !('balance_sats' in reading.status)) return undefined
  const { seq, balance_sats: balanceSats, state } = reading.status
  return { seq, balanceSats, state }
}
