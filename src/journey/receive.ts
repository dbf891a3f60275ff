import type { Clock } from '../clock.ts'
import { failpoint } from '../failpoint.ts'
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

  async function receiveOnce(event: NostrEvent, relay: string): Promise<void> {
    const taken = await options.take(event, relay)
    await failpoint('intake:opened')
    if (taken.kind !== 'dropped') return options.serve(taken)
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
