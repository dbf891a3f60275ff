import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { OPEN_THREAD_YOUNG_MIB } from '../limits.ts'
import type { Opened, Refused } from './giftwrap.ts'
import type { Curve, NostrEvent } from './types.ts'

/** One wrap on its way through the opener. */
export interface Sealed {
  wrap: NostrEvent
  verified: boolean
  answer(answer: Opened | Refused): void
  fail(error: unknown): void
}

export interface OpenerWorkerData {
  secret: Uint8Array
  prefer: Curve['name']
}

export interface Batch {
  id: number
  nowSeconds: number
  wraps: { wrap: NostrEvent; verified: boolean }[]
}

export interface BatchAnswer {
  id: number
  answers: (Opened | Refused)[]
}

export interface Crew {
  /** Starts the threads that are missing; they take batches as soon as they say so. */
  start(): void
  /** Whether a thread can take a batch now. */
  free(): boolean
  /** Gives a batch to the least busy thread; one must be free. */
  submit(sealed: Sealed[], nowSeconds: number): void
  /** Wraps that lie with threads now. */
  busy(): number
  /** Whether a thread is ready: without one, the caller opens by itself. */
  ready(): boolean
  /** Ends the threads and hands back what they had not answered. */
  stop(): Promise<Sealed[]>
}

interface Hand {
  worker: Worker
  ready: boolean
  batches: Map<number, Sealed[]>
}

/** Two, so that a thread finds the next batch waiting when it has answered one. */
const BATCHES_PER_THREAD = 2

/** Threads that die more often than this are not started again: something is wrong with the machine. */
const FAULTS_MAX = 3

/**
 * The threads that open wraps when a queue builds. A thread that dies gives back its wraps through
 * `onLost`, and they are opened elsewhere; no wrap is lost with a thread.
 */
export function createCrew({
  size,
  data,
  onFree,
  onLost,
  file = new URL(`./opener-worker${extname(import.meta.url)}`, import.meta.url),
}: {
  size: number
  data: OpenerWorkerData
  /** A thread became ready or answered a batch. */
  onFree: () => void
  onLost: (sealed: Sealed[], error: Error) => void
  file?: URL
}): Crew {
  const hands = new Set<Hand>()
  let nextBatch = 0
  let faults = 0
  let stopped = false

  const lose = (hand: Hand, error: Error): void => {
    if (!hands.delete(hand) || stopped) return
    faults++
    onLost([...hand.batches.values()].flat(), error)
    void hand.worker.terminate()
  }

  const receive = (hand: Hand, message: 'ready' | BatchAnswer): void => {
    if (message === 'ready') hand.ready = true
    else {
      const batch = hand.batches.get(message.id) ?? []
      hand.batches.delete(message.id)
      batch.forEach((sealed, at) => {
        const answer = message.answers[at]
        if (answer) sealed.answer(answer)
        else sealed.fail(new Error('a thread gave no answer'))
      })
    }
    onFree()
  }

  const spawn = (): void => {
    const workerData: OpenerWorkerData = { ...data, secret: Uint8Array.from(data.secret) }
    const hand: Hand = {
      worker: new Worker(file, {
        workerData,
        resourceLimits: { maxYoungGenerationSizeMb: OPEN_THREAD_YOUNG_MIB },
      }),
      ready: false,
      batches: new Map(),
    }
    hands.add(hand)
    hand.worker.on('message', (message: 'ready' | BatchAnswer) => receive(hand, message))
    hand.worker.on('error', (error) => lose(hand, error))
    hand.worker.on('exit', (code) => lose(hand, new Error(`a thread ended with ${code}`)))
  }

  const freest = (): Hand | undefined =>
    [...hands]
      .filter((hand) => hand.ready && hand.batches.size < BATCHES_PER_THREAD)
      .sort((one, two) => one.batches.size - two.batches.size)[0]

  return {
    start() {
      while (!stopped && faults < FAULTS_MAX && hands.size < size) spawn()
    },
    free: () => freest() !== undefined,
    submit(sealed, nowSeconds) {
      const hand = freest()
      if (!hand) throw new Error('no thread is free')
      const id = nextBatch++
      hand.batches.set(id, sealed)
      const wraps = sealed.map(({ wrap, verified }) => ({ wrap, verified }))
      hand.worker.postMessage({ id, nowSeconds, wraps } satisfies Batch)
    },
    busy: () => [...hands].reduce((sum, hand) => sum + [...hand.batches.values()].flat().length, 0),
    ready: () => [...hands].some((hand) => hand.ready),
    async stop() {
      stopped = true
      const ending = [...hands]
      hands.clear()
      await Promise.all(ending.map((hand) => hand.worker.terminate()))
      return ending.flatMap((hand) => [...hand.batches.values()].flat())
    },
  }
}
