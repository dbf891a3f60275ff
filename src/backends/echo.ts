import type { Clock } from '../clock.ts'
import { aborted, type Backend, BackendError } from './backend.ts'
import { plainText } from './plain-text.ts'

export interface EchoOptions {
  clock: Clock
  /** How long the work takes. */
  delayMs?: number
  /** With it, real usage is reported; without it, none. */
  countTokens?: (text: string) => number
}

/** Gives every request back as its result: for the sandbox, for tests, to measure tithe alone. */
export function createEcho({ clock, delayMs = 0, countTokens }: EchoOptions): Backend {
  return {
    name: 'echo',
    async run({ request, maxOutputTokens, signal }) {
      if (delayMs > 0) await clock.sleep(delayMs, signal)
      if (signal.aborted) throw aborted()
      const text = plainText(request)
      if (text === '') throw new BackendError('backend_failed', 'no text', { retryable: false })
      if (!countTokens) return { result: text, usage: null }
      const result = withinTokens(text, maxOutputTokens ?? Number.POSITIVE_INFINITY, countTokens)
      return { result, usage: { input: countTokens(request), output: countTokens(result) } }
    },
  }
}

/** A real model stops at its cap; an echo of a long request has to be cut to it. */
function withinTokens(text: string, tokens: number, countTokens: (text: string) => number): string {
  let kept = text
  while (kept.length > 1 && countTokens(kept) > tokens) {
    kept = kept.slice(0, Math.floor(kept.length * 0.8)).toWellFormed()
  }
  return kept
}
