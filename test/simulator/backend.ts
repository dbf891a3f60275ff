import { type Backend, BackendError, type Finished } from '../../src/backends/backend.ts'
import type { Chance } from './chance.ts'
import type { Running, VirtualTime } from './time.ts'
import type { Trace } from './trace.ts'

/** How badly the backend works, each a part of all runs from 0 to 1. */
export interface BackendDials {
  slow: number
  /** Fails, and may well not fail the next time. */
  fails: number
  /** Fails for good. */
  rejects: number
  /** Uses more than it was allowed to. */
  overruns: number
  /** Counts nothing, or below zero. */
  uncounted: number
  negative: number
  /** Never answers, until it is stopped or everything is well again. */
  hangs: number
}

export interface BackendModel {
  of(owner: Running): Backend
  /** How often the work of each job began. */
  runs(): ReadonlyMap<string, number>
  /** Whoever still waits is let go, as by a backend's own time-out. */
  heal(): void
}

export interface BackendParts {
  time: VirtualTime
  chance: Chance
  trace: Trace
  dials: BackendDials
  /** Told before each run. */
  begins(jobId: string): void
}

export function createBackend(parts: BackendParts): BackendModel {
  const { time, chance, trace, dials } = parts
  const runs = new Map<string, number>()
  const hanging = new Set<() => void>()

  return {
    runs: () => runs,
    heal() {
      for (const letGo of hanging) letGo()
      hanging.clear()
    },
    of: (owner) => ({
      name: 'simulated',
      run: ({ jobId, request, maxOutputTokens = 10, signal }) =>
        new Promise<Finished>((resolve, reject) => {
          if (owner.state === 'dead') return
          runs.set(jobId, (runs.get(jobId) ?? 0) + 1)
          trace.note(`${owner.name} works on ${jobId}`)
          parts.begins(jobId)
          const stop = () => fail(reject, 'backend_failed', true)
          signal.addEventListener('abort', stop, { once: true })
          if (chance.happens(dials.hangs)) {
            hanging.add(() => time.after(0, owner, () => fail(reject, 'backend_timeout', false)))
            return
          }
          const ms = chance.happens(dials.slow) ? chance.between(5, 45) * 1000 : chance.int(900)
          const outcome = outcomeOf(request, maxOutputTokens)
          time.after(ms, owner, () => {
            signal.removeEventListener('abort', stop)
            if ('code' in outcome) fail(reject, outcome.code, outcome.retryable === true)
            else resolve(outcome)
          })
        }),
    }),
  }

  function outcomeOf(request: string, cap: number) {
    if (chance.happens(dials.fails)) return { code: 'backend_failed' as const, retryable: true }
    if (chance.happens(dials.rejects)) return { code: 'rejected' as const, retryable: false }
    const result = `done: ${request}`
    if (chance.happens(dials.uncounted)) return { result, usage: null }
    if (chance.happens(dials.negative)) return { result, usage: { input: -900, output: -900 } }
    const output = chance.happens(dials.overruns) ? cap * 3 : chance.between(1, cap)
    return { result, usage: { input: request.length, output } }
  }
}

function fail(
  reject: (error: Error) => void,
  code: 'backend_failed' | 'backend_timeout' | 'rejected',
  retryable: boolean,
): void {
  reject(new BackendError(code, 'simulated', { retryable }))
}
