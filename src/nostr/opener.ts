import { availableParallelism } from 'node:os'
import { type Clock, systemClock, unixSeconds } from '../clock.ts'
import { OPEN_BATCH, OPEN_CROWD, OPEN_QUEUE, OPEN_QUEUE_CHARS, OPEN_THREADS } from '../limits.ts'
import { type Log, silentLog } from '../log.ts'
import { type Opened, openGiftWrap, type Refused } from './giftwrap.ts'
import { createCrew, type Sealed } from './opener-crew.ts'
import type { Identity, NostrEvent } from './types.ts'

export interface OpenerCounts {
  /** Wraps that wait now. */
  waiting: number
  /** Wraps that lie with threads now. */
  busy: number
  /** Opened so far, in the main thread and by others. */
  inline: number
  inThreads: number
  /** Refused unopened because the queue was full. */
  dropped: number
  /** Threads that died. */
  faults: number
}

export interface Opener extends AsyncDisposable {
  /**
   * Opens a wrap as `openGiftWrap` does. `overload` when the queue is full or the opener stopped: that
   * wrap was not looked at, its id is not to be remembered, and the next resume brings it again.
   */
  open(wrap: NostrEvent, options?: { verified?: boolean }): Promise<Opened | Refused>
  counts(): OpenerCounts
  /** Ends the threads; what still waits is answered `overload`. May be called twice, or first. */
  stop(): Promise<void>
}

/** Opened in one turn of the event loop: about a millisecond. */
const INLINE_MOST = OPEN_BATCH / 4

/**
 * Opens wraps without holding up the main thread: it opens four, lets everything else run, and goes on. A
 * message to a thread and back costs more than a third of the opening, and each thread its memory, so threads
 * start only when `crowd` wraps wait, and then get them in batches until none is left.
 *
 * `secret` is the key of `identity`, copied into each thread. `workers` is how many threads may run,
 * `auto` one for each core up to four.
 */
export function createOpener({
  identity,
  secret,
  workers,
  clock = systemClock,
  log = silentLog,
  queueMost = OPEN_QUEUE,
  crowd = OPEN_CROWD,
  threadFile,
}: {
  identity: Identity
  secret: Uint8Array
  workers: number | 'auto'
  clock?: Clock
  log?: Log
  queueMost?: number
  /** Wraps that wait before threads take over. */
  crowd?: number
  threadFile?: URL
}): Opener {
  const queue = createQueue(queueMost)
  const counts = { inline: 0, inThreads: 0, dropped: 0, faults: 0 }
  let turnComes = false
  let stopped = false
  const crew = createCrew({
    size: workers === 'auto' ? Math.min(availableParallelism(), OPEN_THREADS) : workers,
    data: { secret: Uint8Array.from(secret), prefer: identity.curve.name },
    onFree: () => comeTurn(),
    onLost(sealed, error) {
      counts.faults++
      log.warn({ err: error, wraps: sealed.length }, 'a thread that opens wraps died')
      queue.putBack(sealed)
      comeTurn()
    },
    ...(threadFile === undefined ? {} : { file: threadFile }),
  })

  const comeTurn = (): void => {
    if (turnComes || stopped) return
    turnComes = true
    setImmediate(turn)
  }

  const turn = (): void => {
    turnComes = false
    const crowded = queue.length() > crowd
    if (crowded) crew.start()
    // Threads at work go on until the queue is empty: falling back earlier would swing to and fro.
    if (crew.ready() && (crowded || crew.busy() > 0)) giveToThreads()
    else openInline()
  }

  const giveToThreads = (): void => {
    while (queue.length() > 0 && crew.free()) {
      const batch = queue.take(OPEN_BATCH)
      crew.submit(batch, unixSeconds(clock))
      counts.inThreads += batch.length
    }
  }

  const openInline = (): void => {
    for (const { wrap, verified, answer, fail } of queue.take(INLINE_MOST)) {
      counts.inline++
      try {
        answer(openGiftWrap({ wrap, identity, verified, nowSeconds: unixSeconds(clock) }))
      } catch (error) {
        fail(error)
      }
    }
    if (queue.length() > 0) comeTurn()
  }

  const stop = async (): Promise<void> => {
    stopped = true
    const unopened = [...queue.take(queue.length()), ...(await crew.stop())]
    for (const { answer } of unopened) answer(OVERLOAD)
  }

  return {
    open(wrap, { verified = false } = {}) {
      if (stopped) return Promise.resolve(OVERLOAD)
      return new Promise((answer, fail) => {
        if (queue.put({ wrap, verified, answer, fail })) return comeTurn()
        counts.dropped++
        answer(OVERLOAD)
      })
    },
    counts: () => ({ ...counts, waiting: queue.length(), busy: crew.busy() }),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

const OVERLOAD: Refused = { ok: false, code: 'overload' }

/** First in, first out, bounded by number and by size. */
function createQueue(most: number) {
  let waiting: Sealed[] = []
  let chars = 0
  const size = (sealed: Sealed[]): number =>
    sealed.reduce((sum, { wrap }) => sum + (wrap?.content?.length ?? 0), 0)
  return {
    length: () => waiting.length,
    put(sealed: Sealed): boolean {
      const more = size([sealed])
      if (waiting.length >= most || chars + more > OPEN_QUEUE_CHARS) return false
      waiting.push(sealed)
      chars += more
      return true
    },
    take(most: number): Sealed[] {
      const taken = waiting.splice(0, most)
      chars -= size(taken)
      return taken
    },
    /** What was taken and not opened goes in front again, also above the bounds. */
    putBack(sealed: Sealed[]): void {
      waiting = [...sealed, ...waiting]
      chars += size(sealed)
    },
  }
}
