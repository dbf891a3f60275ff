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
  serve(taken: Exclude<Taken, { kind: 'dropped' }>): Promise<void>
  dropped(why: string): void
}

/**
 * A day's messages arrive within seconds. All at once they would stand in line for the database before every
 * reply and payment, which is how a resume became slower than its parts.
 */
function createSlots(most: number) {
  const waiting: (() => void)[] = []
  let busy = 0
  return {
    async run(work: () => Promise<void>): Promise<void> {
      if (busy >= most) await new Promise<void>((resolve) => waiting.push(resolve))
      else busy += 1
      try {
        await work()
      } finally {
        const next = waiting.shift()
        if (next) next()
        else busy -= 1
      }
    },
  }
}

/** There was no room to open the wrap: it was not looked at. */
export class OverloadError extends Error {
  override name = 'OverloadError'
}

/**
 * One event of a relay, from intake to what commits it. Rejects when it is to be handed on again: it could not
 * be stored, or there was no room to open it, and forgetting it now would lose it.
 */
export function createReceive(options: ReceiveOptions) {
  const quarantine = createQuarantine(options)
  const slots = createSlots(SERVED_AT_ONCE)

  async function receiveOnce(event: NostrEvent, relay: string): Promise<void> {
    const taken = await options.take(event, relay)
    await failpoint('intake:opened')
    if (taken.kind !== 'dropped') return slots.run(() => options.serve(taken))
    options.dropped(taken.why)
    if (taken.why === 'overload') throw new OverloadError('too many wraps wait to be opened')
    if (taken.why === 'poison') await quarantine.note(event.id, taken.why)
  }

  return async function receive(event: NostrEvent, relay: string): Promise<void> {
    try {
      await receiveOnce(event, relay)
    } catch (error) {
      if (!(await quarantine.givesUp(event.id, error))) throw error
    }
  }
}
