import type { Clock } from '../../src/clock.ts'
import type { Chance } from './chance.ts'

/**
 * One process of the simulated machine room, as far as time knows it: whatever a dead one waits for never comes,
 * and what a suspended one waits for comes when it goes on.
 */
export interface Running {
  readonly name: string
  state: 'alive' | 'suspended' | 'dead'
  /** What came while it was suspended, in order. */
  missed: (() => void)[]
  /** How far its wall clock is from the true time, milliseconds. */
  skewMs: number
}

export interface VirtualTime {
  /** True milliseconds since the Unix epoch. */
  now(): number
  /** The process whose turn it is; undefined while the world outside acts. */
  current(): Running | undefined
  /** Does something later; the answer takes it back. What belongs to a process dies with it. */
  after(ms: number, whose: Running | undefined, act: () => void): () => void
  clockOf(whose: Running): Clock
  /**
   * A word from the database is to come; call the answer when it has. Words are handed on in the order in which
   * they were expected, whichever of them this machine has first.
   */
  expect(whose: Running): (act: () => void) => void
  /**
   * Runs what is to happen, one thing after another, for `ms`, or until `done` says so. Then nobody waits for the
   * database, so that the world can be looked at.
   */
  run(ms: number, done?: () => boolean): Promise<void>
  /** Things that have happened. */
  count(): number
  /** Looks at the world from outside, once, when the database has answered everything. */
  atRest(look: () => Promise<void>): void
  /** The same, each time, before time goes on. */
  onRest(look: () => Promise<void>): void
}

interface Alarm {
  atMs: number
  tie: number
  whose: Running | undefined
  act(): void
}

/** What happens within this time may happen before the database answers. */
const MOMENT_MS = 40

/** So many things in one run mean that something turns in a circle. */
const MOST = 60_000

/**
 * A clock that only moves when nothing else can happen, and a single line in which everything that is waited for
 * is handed on: one alarm or one answer of the database, then all that follows from it in memory, then the next.
 * So the order of things depends on the seed and on the code, and not on how fast this machine is.
 */
export function createTime(startMs: number, chance: Chance): VirtualTime {
  let nowMs = startMs
  let current: Running | undefined
  let happened = 0
  let heard: (() => void) | undefined
  let always: (() => Promise<void>) | undefined
  let once: (() => Promise<void>)[] = []
  let restless = false
  let running = false
  const answers: { whose: Running; act: (() => void) | undefined }[] = []
  /** Latest first, so that the next one is taken from the end. */
  const alarms: Alarm[] = []

  const time: VirtualTime = {
    now: () => nowMs,
    current: () => current,
    count: () => happened,
    after(ms, whose, act) {
      // What falls on the same instant comes in an order of its own: no code may count on it.
      const alarm = { atMs: nowMs + Math.max(0, ms || 0), tie: chance.int(1 << 30), whose, act }
      insert(alarm)
      return () => {
        const at = alarms.indexOf(alarm)
        if (at >= 0) alarms.splice(at, 1)
      }
    },
    clockOf: (whose) => ({
      now: () => Math.floor(nowMs) + whose.skewMs,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve()
          const wake = () => {
            signal?.removeEventListener('abort', stop)
            resolve()
          }
          const cancel = time.after(ms, whose, wake)
          const stop = () => {
            cancel()
            resolve()
          }
          signal?.addEventListener('abort', stop, { once: true })
        }),
    }),
    expect(whose) {
      const answer: (typeof answers)[number] = { whose, act: undefined }
      answers.push(answer)
      return (act) => {
        answer.act = act
        heard?.()
      }
    },
    atRest(look) {
      once.push(look)
    },
    onRest(look) {
      always = look
    },
    async run(ms, done) {
      if (running) throw new Error('time runs already')
      running = true
      try {
        await runUntil(nowMs + ms, done)
      } finally {
        running = false
      }
    },
  }
  return time

  async function runUntil(untilMs: number, done: (() => boolean) | undefined): Promise<void> {
    let over = false
    for (;;) {
      await settle()
      over ||= done?.() === true
      if (answers.length === 0) {
        await rest()
        if (over) return
      }
      if (answers.length > 0) {
        if (over || !overtakes() || !ring(untilMs)) await answer()
      } else if (!ring(untilMs)) break
      happened += 1
      if (happened > MOST) throw new Error('it never comes to rest')
    }
    nowMs = untilMs
  }

  async function rest(): Promise<void> {
    if (once.length > 0) {
      const looks = once
      once = []
      for (const look of looks) await look()
    }
    if (!restless || !always) return
    restless = false
    await always()
  }

  function insert(alarm: Alarm): void {
    let low = 0
    let high = alarms.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (isBefore(alarm, alarms[middle] as Alarm)) low = middle + 1
      else high = middle
    }
    alarms.splice(low, 0, alarm)
  }

  /** A database takes a moment, and things happen in it: batches grow, and one process meets another. */
  function overtakes(): boolean {
    const next = alarms.at(-1)
    return next !== undefined && next.atMs - nowMs < MOMENT_MS && chance.happens(0.5)
  }

  async function answer(): Promise<void> {
    const [next] = answers
    while (next && !next.act) {
      await new Promise<void>((resolve) => {
        heard = resolve
      })
    }
    heard = undefined
    answers.shift()
    restless = true
    if (next?.act) hand(next.whose, next.act)
  }

  /** The next alarm, and the time with it. False: nothing is due before `untilMs`. */
  function ring(untilMs: number): boolean {
    const next = alarms.at(-1)
    if (!next || next.atMs > untilMs) return false
    alarms.pop()
    nowMs = Math.max(nowMs, next.atMs)
    hand(next.whose, next.act)
    return true
  }

  function hand(whose: Running | undefined, act: () => void): void {
    if (whose?.state === 'dead') return
    if (whose?.state === 'suspended') {
      whose.missed.push(act)
      return
    }
    current = whose
    act()
  }

  /**
   * Everything that follows in memory: promises, and the turns of the event loop that a batcher gives to others and
   * the driver to what it writes. Were one left, the next answer would find it done or not, as fast as it came.
   */
  async function settle(): Promise<void> {
    do await turn()
    while (process.getActiveResourcesInfo().includes('Immediate'))
    current = undefined
  }
}

const isBefore = (a: Alarm, b: Alarm): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.tie < b.tie)

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
