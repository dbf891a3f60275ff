import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StoredEvent } from '../../../src/sandbox/relay-store.ts'
import { createTimeline } from '../../../src/sandbox/relay-timeline.ts'

const stored = (createdAt: number, number: number): StoredEvent => {
  const id = number.toString(16).padStart(64, '0')
  const event = { id, pubkey: '', created_at: createdAt, kind: 1, tags: [], content: '', sig: '' }
  return { event, json: '' }
}

/** The order of NIP-01, said plainly. */
const inOrder = (events: Iterable<StoredEvent>) =>
  [...events].sort(
    (a, b) => b.event.created_at - a.event.created_at || (a.event.id < b.event.id ? -1 : 1),
  )

const act = fc.record({
  removes: fc.boolean(),
  at: fc.integer({ min: 0, max: 60 }),
  number: fc.integer({ min: 0, max: 40 }),
})
const bound = fc.option(fc.integer({ min: -1, max: 61 }), { nil: undefined })

describe('a timeline', () => {
  test('is the sorted list of what is in it, whatever came and went', () => {
    const acts = fc.array(act, { minLength: 0, maxLength: 3_000, size: 'max' })
    fc.assert(
      fc.property(
        acts,
        bound,
        bound,
        fc.integer({ min: 0, max: 2_000 }),
        (all, since, until, most) => {
          const line = createTimeline()
          const held = new Map<string, StoredEvent>()
          for (const { removes, at, number } of all) {
            const key = `${at} ${number}`
            const known = held.get(key)
            if (!known) {
              const fresh = stored(at, number)
              held.set(key, fresh)
              line.insert(fresh)
            } else if (removes) {
              held.delete(key)
              line.remove(known)
              // Once more, and one that was never there: nothing happens.
              line.remove(known)
              line.remove(stored(at, number))
            }
          }
          expect(line.size).toBe(held.size)
          const filter = {
            ...(since === undefined ? {} : { since }),
            ...(until === undefined ? {} : { until }),
          }
          const wanted = ({ event }: StoredEvent) => event.id.endsWith('0') === false
          const expected = inOrder(held.values())
            .filter(
              ({ event }) => event.created_at >= (since ?? -9) && event.created_at <= (until ?? 99),
            )
            .filter(wanted)
            .slice(0, most)
          expect(line.walk(filter, most, wanted)).toEqual(expected)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('holds more than one run of events', () => {
    const line = createTimeline()
    const events = Array.from({ length: 5_000 }, (_, at) => stored((at * 7_919) % 3_001, at))
    for (const event of events) line.insert(event)
    const everything = () => line.walk({}, 10_000, () => true)
    expect(everything()).toEqual(inOrder(events))
    for (const event of events.slice(0, 4_990)) line.remove(event)
    expect(everything()).toEqual(inOrder(events.slice(4_990)))
    for (const event of events) line.remove(event)
    expect([line.size, everything()]).toEqual([0, []])
  })
})
