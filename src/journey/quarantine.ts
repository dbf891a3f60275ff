import { type Clock, unixSeconds } from '../clock.ts'
import { POISON_TRIES, QUARANTINE_PER_HOUR, SENDERS_KEPT } from '../limits.ts'
import type { Log } from '../log.ts'
import { type Sql, sqlState } from '../store/database.ts'
import { quarantine } from '../store/inbox.ts'

/** Keeps a note of messages that no program should send, and lets go of those that always fail. */
export interface Quarantine {
  /** Notes a message that was refused for what it is built of. Never rejects. */
  note(eventId: string, reason: string): Promise<void>
  /** Whether a message that failed to be committed is to be given up; it is noted then. Never rejects. */
  givesUp(eventId: string, error: unknown): Promise<boolean>
}

/**
 * A message that fails for a reason of its own would be handed on again for ever, and its relay's cursor would
 * never move past it. After `POISON_TRIES` it is given up with one row that names it; a database or an LNbits
 * that is away is no such reason.
 */
export function createQuarantine(options: { sql: Sql; clock: Clock; log: Log }): Quarantine {
  const { sql, clock, log } = options
  const failures = new Map<string, number>()
  let hour = 0
  let noted = 0

  async function note(eventId: string, reason: string): Promise<void> {
    const present = Math.floor(unixSeconds(clock) / HOUR_SECONDS)
    if (present !== hour) [hour, noted] = [present, 0]
    if (noted >= QUARANTINE_PER_HOUR) return
    noted += 1
    try {
      await quarantine(sql, eventId, reason)
    } catch (error) {
      log.debug({ eventId, err: error }, 'a message could not be put into quarantine')
    }
  }

  return {
    note,
    async givesUp(eventId, error) {
      if (!isItsOwnFault(error)) return false
      const tries = (failures.get(eventId) ?? 0) + 1
      failures.set(eventId, tries)
      if (failures.size > SENDERS_KEPT) failures.delete(failures.keys().next().value ?? '')
      if (tries < POISON_TRIES) return false
      failures.delete(eventId)
      log.error({ eventId, err: error }, 'a message that always fails was put into quarantine')
      await note(eventId, sqlState(error) ?? 'fault')
      return true
    },
  }
}

const HOUR_SECONDS = 3_600

/** Values the database refuses whenever it is asked (classes 22, 23 and 54), and bugs of ours. */
function isItsOwnFault(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== undefined) return /^(22|23|54)/.test(state)
  return error instanceof TypeError || error instanceof RangeError
}
