import { systemClock } from '../../../src/clock.ts'
import { type StartingDaemon, startDaemonProcess } from '../../support/daemon-process.ts'
import type { Seeded } from '../../support/seeded.ts'

/** Daemons that are started again whenever they have died. */
export interface Fleet {
  /** Ends one without a word; answers whether there was one. */
  kill(): boolean
  /** Stops one for so long, then lets it go on; answers whether there was one. */
  freeze(ms: number): boolean
  readonly kills: number
  readonly freezes: number
  /** What all of them wrote so far. */
  logs(): string
  /** Those that have said that they are up. */
  upCount(): number
  /** Asks all to stop and waits until they have. Answers their exit codes. */
  stop(): Promise<(number | null)[]>
}

interface Slot {
  daemon: StartingDaemon
  /** Unix milliseconds; undefined while it starts. */
  upAt: number | undefined
  frozen: boolean
  killed: boolean
}

/** One in so many deaths comes to whoever it may, in the midst of its start as well. */
const ANY_SHARE = 8
/** The others have had this long to find what was left behind. */
const LIFE_MS = 700

export function createFleet({
  size,
  dir,
  settings,
  random,
}: {
  size: number
  dir: string
  settings: Record<string, string>
  random: Seeded
}): Fleet {
  let stopping = false
  let kills = 0
  let freezes = 0
  const endedLogs: string[] = []
  const slots = Array.from({ length: size }, () => begin())

  function begin(): Slot {
    const daemon = startDaemonProcess(dir, settings)
    const slot: Slot = { daemon, upAt: undefined, frozen: false, killed: false }
    daemon.up.then(
      () => {
        slot.upAt = systemClock.now()
      },
      () => {},
    )
    void daemon.gone.then(() => {
      endedLogs.push(daemon.log())
      if (!stopping) slots[slots.indexOf(slot)] = begin()
    })
    return slot
  }

  // Whoever was killed is gone in a moment, and dies once.
  const alive = () => slots.filter(({ daemon, killed }) => !killed && !daemon.isGone())

  function pick(): Slot | undefined {
    const latest = systemClock.now() - LIFE_MS
    const settled = alive().filter(({ upAt }) => upAt !== undefined && upAt < latest)
    const any = random.int(ANY_SHARE) === 0 ? alive() : settled
    return any.length === 0 ? undefined : random.pick(any)
  }

  return {
    kill() {
      const slot = pick()
      if (!slot) return false
      slot.daemon.send('SIGKILL')
      slot.killed = true
      kills += 1
      return true
    },
    freeze(ms) {
      const slot = pick()
      if (!slot || slot.frozen) return false
      slot.frozen = true
      freezes += 1
      slot.daemon.send('SIGSTOP')
      void systemClock.sleep(ms).then(() => {
        slot.daemon.send('SIGCONT')
        slot.frozen = false
      })
      return true
    },
    get kills() {
      return kills
    },
    get freezes() {
      return freezes
    },
    logs: () => [...endedLogs, ...slots.map(({ daemon }) => daemon.log())].join('\n'),
    upCount: () => alive().filter(({ upAt }) => upAt !== undefined).length,
    async stop() {
      stopping = true
      for (const { daemon } of slots) daemon.send('SIGCONT')
      return Promise.all(slots.map(({ daemon }) => daemon.kill('SIGTERM')))
    },
  }
}
