import type { Clock } from '../clock.ts'
import { failpoint } from '../failpoint.ts'
import { SERVED_AT_ONCE } from '../limits.ts'
import type { Log } from '../log.ts'
import type { NostrEvent } from '../nostr/types.ts'
import type { Sql } from '../store/database.ts'
import type { Taken } from './intake.ts'
import { createQuarantine } from './quarantine.ts'

export interface ReceiveOptions {
  sql: Sql
  clock: Clock
  log: Log
  take(event: NostrEvent, relay: string): Promise<Taken>
  /** `leave` is called before waiting for LNbits: from then on another message is served. */
  serve(taken: Exclude<Taken, { kind: 'dropped' }>, leave: () => void): Promise<void>
  dropped(why: string): void
}

/** There was no room to open the wrap: it was not looked at. */
export class OverloadError extends Error {
  override name = 'OverloadError'
}

/**
 * One event of a relay, from intake to what commits it. Answers whether it is done with for good. Rejects when
 * it is to be handed on again: it could not be stored, or there was no room to open it, and forgetting it now
 * would lose it.
 */
export function createReceive(options: ReceiveOptions) {
  const quarantine = createQuarantine(options)
  const slots = createSlots(SERVED_AT_ONCE)
  const warnOfClock = createClockWarning(options)

  async function receiveOnce(event: NostrEvent, relay: string): Promise<boolean> {
    const taken = await options.take(event, relay)
    await failpoint('intake:opened')
    if (taken.kind !== 'dropped') {
      await slots.run((leave) => options.serve(taken, leave))
      return true
    }
    options.dropped(taken.why)
    if (taken.why === 'overload') throw new OverloadError('too many wraps wait to be opened')
    if (taken.why === 'poison') await quarantine.note(event.id, taken.why)
    if (taken.why !== 'future') return true
    // It may be our clock that is wrong: once that is set the next connection brings it again.
    warnOfClock()
    return false
  }

  return async function receive(event: NostrEvent, relay: string): Promise<boolean> {
    try {
      return await receiveOnce(event, relay)
    } catch (error) {
      if (!(await quarantine.givesUp(event.id, error))) throw error
      return true
    }
  }
}

/**
 * Room for so many messages at once. After a day away a day's messages arrive within seconds: served all at once they
 * would stand in line for the database before every reply and payment.
 */
function createSlots(most: number) {
  const waiting: (() => void)[] = []
  let busy = 0
  return {
    async run(work: (leave: () => void) => Promise<void>): Promise<void> {
      if (busy >= most) await new Promise<void>((resolve) => waiting.push(resolve))
      else busy += 1
      let left = false
      const leave = () => {
        if (left) return
        left = true
        const next = waiting.shift()
        if (next) next()
        else busy -= 1
      }
      try {
        await work(leave)
      } finally {
        leave()
      }
    },
  }
}

const CLOCK_WARNING_MS = 600_000

/** One stranger with a wrong clock is no news, so it is said rarely; a wrong clock here is silence to all. */
function createClockWarning({ clock, log }: Pick<ReceiveOptions, 'clock' | 'log'>): () => void {
  let messages = 0
  let warnedAt = Number.NEGATIVE_INFINITY
  return () => {
    messages += 1
    // Away from the last time in either direction: a clock that is set back must not silence this.
    if (Math.abs(clock.now() - warnedAt) < CLOCK_WARNING_MS) return
    warnedAt = clock.now()
    const text = 'messages are dated in the future and wait; is the clock of this machine right?'
    log.warn({ messages }, text)
    messages = 0
  }
}
