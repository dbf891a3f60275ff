import type { Deadlines } from './deadlines.ts'
import type { PublishOutcome } from './relay.ts'
import type { RelayCounters } from './relay-counters.ts'
import type { Meter } from './relay-meter.ts'
import { type Connection, wantsAuth } from './relay-subscriptions.ts'

/** Events sent to one relay whose answer is awaited. One entry per event id, however many wait for it. */
export interface Publishes {
  add(id: string, json: string, timeoutMs: number): Promise<PublishOutcome>
  opened(connection: Connection): void
  /** What could not be sent because the relay read too slowly can be. */
  room(): void
  lost(): void
  /** An attempt to connect failed: nobody waits out a deadline for a relay that is not there. */
  unreachable(message: string): void
  onOk(answer: { id: string; accepted: boolean; prefix: string; message: string }): void
}

interface Waiting {
  frame: string
  /** On any connection, and on the present one. */
  sent: boolean
  sentHere: boolean
  sentAfterAuth: boolean
  /** Sent anew after AUTH; a second refusal for want of AUTH is final. */
  repeated: boolean
  waiters: Set<(outcome: PublishOutcome) => void>
}

export function createPublishes(options: {
  counters: RelayCounters
  deadlines: Deadlines
  meter: Meter
}): Publishes {
  const { counters, deadlines, meter } = options
  const waiting = new Map<string, Waiting>()
  let connection: Connection | undefined

  const send = (entry: Waiting): boolean => {
    if (connection === undefined || !connection.send(entry.frame)) return false
    entry.sent = true
    entry.sentHere = true
    entry.sentAfterAuth =
      connection.auth.state === 'accepted' || connection.auth.state === 'unanswered'
    return true
  }

  const finish = (id: string, outcome: PublishOutcome): void => {
    const entry = waiting.get(id)
    if (entry === undefined) return
    waiting.delete(id)
    counters[outcome.outcome] += entry.waiters.size
    for (const resolve of entry.waiters) resolve(outcome)
  }

  return {
    add(id, json, timeoutMs) {
      const entry = waiting.get(id) ?? {
        frame: `["EVENT",${json}]`,
        sent: false,
        sentHere: false,
        sentAfterAuth: false,
        repeated: false,
        waiters: new Set(),
      }
      if (!waiting.has(id)) {
        waiting.set(id, entry)
        send(entry)
      }
      return new Promise((resolve) => {
        const cancel = deadlines.after(timeoutMs, () => {
          if (!entry.waiters.delete(waiter)) return
          if (entry.waiters.size === 0 && waiting.get(id) === entry) waiting.delete(id)
          const outcome = entry.sent ? 'timeout' : 'unreachable'
          counters[outcome] += 1
          resolve({ outcome })
        })
        const waiter = (outcome: PublishOutcome) => {
          cancel()
          resolve(outcome)
        }
        entry.waiters.add(waiter)
      })
    },
    opened(next) {
      connection = next
      for (const entry of waiting.values()) send(entry)
    },
    room() {
      for (const entry of waiting.values()) if (!entry.sentHere && !send(entry)) return
    },
    lost() {
      connection = undefined
      for (const entry of waiting.values()) entry.sentHere = false
    },
    unreachable(message) {
      // One that was sent before may have been taken, and must not pass for one that nobody has.
      for (const [id, { sent }] of [...waiting]) {
        finish(id, { outcome: sent ? 'timeout' : 'unreachable', message })
      }
    },
    onOk({ id, accepted, prefix, message }) {
      const entry = waiting.get(id)
      if (entry === undefined || connection === undefined) return
      meter.useful()
      if (accepted || prefix === 'duplicate')
        return finish(id, { outcome: 'acknowledged', message })
      const refused: PublishOutcome = { outcome: 'refused', prefix, message }
      const wants = wantsAuth(prefix, entry.sentAfterAuth, connection.auth)
      if (entry.repeated || !wants) return finish(id, refused)
      entry.repeated = true
      const asked = connection
      void connection.auth.ensure(entry.sentAfterAuth).then((again) => {
        if (asked !== connection || waiting.get(id) !== entry) return
        if (again) send(entry)
        else finish(id, refused)
      })
    },
  }
}
