import { describe, expect, test } from 'vitest'
import { createEcho } from '../../../src/backends/echo.ts'
import { plainText } from '../../../src/backends/plain-text.ts'
import type { Clock } from '../../../src/clock.ts'

/** A clock whose pauses end only when they are stopped, and which says how long they would be. */
function stillClock() {
  const pauses: number[] = []
  const clock: Clock = {
    now: () => 0,
    sleep: (ms, signal) => {
      pauses.push(ms)
      return new Promise((resolve) => signal?.addEventListener('abort', () => resolve()))
    },
  }
  return { clock, pauses }
}

const work = (request: string, signal = new AbortController().signal) => ({
  jobId: 'k3',
  request,
  model: 'echo',
  signal,
})

describe('echo', () => {
  test('gives the request back, with no usage unless it can count', async () => {
    const { clock, pauses } = stillClock()
    expect(await createEcho({ clock }).run(work(' a\0b '))).toEqual({ result: 'ab', usage: null })
    const counting = createEcho({ clock, countTokens: (text) => text.length })
    expect(await counting.run(work('abc'))).toMatchObject({ usage: { input: 3, output: 3 } })
    expect(pauses).toEqual([])
  })

  test('stays below the cap when it counts', async () => {
    const counting = createEcho({ ...stillClock(), countTokens: (text) => text.length })
    const { result, usage } = await counting.run({ ...work('x'.repeat(900)), maxOutputTokens: 50 })
    expect(result.length).toBeLessThanOrEqual(50)
    expect(usage?.output).toBe(result.length)
  })

  test('takes its time and stops when it is told to', async () => {
    const { clock, pauses } = stillClock()
    const stop = new AbortController()
    const running = createEcho({ clock, delayMs: 700 }).run(work('a', stop.signal))
    expect(pauses).toEqual([700])
    stop.abort()
    await expect(running).rejects.toMatchObject({ code: 'backend_failed', retryable: true })
  })

  test('fails on a request of controls alone', async () => {
    const running = createEcho(stillClock()).run(work('\u0007\n'))
    await expect(running).rejects.toMatchObject({ code: 'backend_failed', retryable: false })
  })
})

describe('plainText', () => {
  test.each([
    ['line\r\nbreaks\rand\ttabs', 'line\nbreaksand\ttabs'],
    ['\u001b[2J\u009b1mbold\u0007\u0000\u007f', '[2J1mbold'],
    ['  \n kept  inside \n ', 'kept  inside'],
    ['lone \ud800 \udc00 surrogates 😀', 'lone \ufffd \ufffd surrogates 😀'],
    ['עברית \u200f‏ and \u200djoiners', 'עברית \u200f‏ and \u200djoiners'],
  ])('%j becomes %j', (text, plain) => {
    expect(plainText(text)).toBe(plain)
  })
})
