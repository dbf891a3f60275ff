import type { Clock } from '../clock.ts'

export interface Deadlines {
  /** Calls `fn` once after `ms` (up to a sixteenth later); the returned function takes that back. */
  after(ms: number, fn: () => void): () => void
  /** Forgets all of them and ends every pause. */
  stop(): void
}

/**
 * Many time-outs on few pauses: those of one length that begin close together share one sleep, and
 * taking one back costs a Map entry. A publish a thousand times a second would otherwise abort as many
 * sleeps, which is dearer than the publish. Lengths are measured by sleeping, so that a clock that is
 * set forward ends nothing early.
 */
export function createDeadlines(clock: Clock): Deadlines {
  const ended = new AbortController()
  const open = new Map<number, { startedAt: number; due: Set<() => void> }>()

  const begin = (ms: number, slackMs: number): Set<() => void> => {
    const due = new Set<() => void>()
    open.set(ms, { startedAt: clock.now(), due })
    void clock.sleep(ms + slackMs, ended.signal).then(() => {
      if (open.get(ms)?.due === due) open.delete(ms)
      if (ended.signal.aborted) return
      for (const fn of due) fn()
    })
    return due
  }

  return {
    after(ms, fn) {
      if (ended.signal.aborted) return () => {}
      const slackMs = Math.floor(ms / 16)
      const group = open.get(ms)
      const ageMs = group === undefined ? 0 : clock.now() - group.startedAt
      const joins = group !== undefined && ageMs >= 0 && ageMs <= slackMs
      const due = joins ? group.due : begin(ms, slackMs)
      // A fresh function per call, so that the same `fn` twice is two entries.
      const entry = () => fn()
      due.add(entry)
      return () => due.delete(entry)
    },
    stop() {
      ended.abort()
      open.clear()
    },
  }
}
