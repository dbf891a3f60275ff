import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../src/clock.ts'
import type { Opened, Refused } from '../../../src/nostr/giftwrap.ts'
import { createIdentity, generateSecretKey } from '../../../src/nostr/identity.ts'
import { createOpener } from '../../../src/nostr/opener.ts'
import type { NostrEvent } from '../../../src/nostr/types.ts'
import { machineCurves } from '../../support/curves.ts'
import { type Forgery, forgeWrap } from '../../support/forge.ts'

const NOW = 1_800_000_000
const clock: Clock = { now: () => NOW * 1000, sleep: () => Promise.resolve() }
const OVERLOAD = { ok: false, code: 'overload' }

describe.each(await machineCurves())('the opener on curve $name', (curve) => {
  const secret = generateSecretKey()
  const identity = createIdentity(curve, secret)
  const author = createIdentity(curve, generateSecretKey())
  const wrap = (text: string, forgery: Forgery = {}): NostrEvent =>
    forgeWrap(
      { author, to: identity.pubkey, nowSeconds: NOW },
      { rumor: ({ id: _, ...rumor }) => ({ ...rumor, content: text }), ...forgery },
    )
  const wraps = (count: number) => Array.from({ length: count }, (_, n) => wrap(`message ${n}`))
  const texts = (answers: (Opened | Refused)[]) =>
    answers.map((answer) => (answer.ok ? answer.rumor.content : answer.code))
  const opener = (more: Partial<Parameters<typeof createOpener>[0]> = {}) =>
    createOpener({ identity, secret, workers: 1, clock, crowd: 4, ...more })

  /** Comes back when threads have taken over, however long they take to start. */
  async function openUntilThreadsDo(on: ReturnType<typeof createOpener>): Promise<void> {
    const again = wraps(8)
    while (on.counts().inThreads === 0) await Promise.all(again.map((one) => on.open(one)))
  }

  test('a single wrap is opened in the main thread', async () => {
    await using on = opener()
    const honest = await on.open(wrap('hi'))
    expect(honest).toMatchObject({ ok: true, sender: author.pubkey, rumor: { content: 'hi' } })
    expect(await on.open(wrap('hi', { wrapTemplate: { kind: 1 } }))).toEqual({
      ok: false,
      code: 'kind',
    })
    expect(on.counts()).toMatchObject({ inline: 2, inThreads: 0, waiting: 0, dropped: 0 })
  })

  test('a crowd is opened in threads, and each caller gets the answer to its own wrap', async () => {
    await using on = opener()
    await openUntilThreadsDo(on)
    const forged = { wrapTemplate: { tags: [] } }
    const crowd = Array.from({ length: 90 }, (_, n) => wrap(`m${n}`, n % 3 === 0 ? forged : {}))
    const answers = await Promise.all(crowd.map((one) => on.open(one)))
    expect(texts(answers)).toEqual(crowd.map((_, n) => (n % 3 === 0 ? 'p-tag' : `m${n}`)))
    expect(on.counts()).toMatchObject({ waiting: 0, busy: 0, dropped: 0, faults: 0 })
    expect(on.counts().inThreads).toBeGreaterThanOrEqual(90)
  })

  test('less than a crowd starts no thread', async () => {
    await using on = opener({ crowd: 100 })
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(wraps(100).map((one) => on.open(one)))
    }
    expect(on.counts()).toMatchObject({ inline: 300, inThreads: 0 })
  })

  test('threads know the time and what the caller has verified', async () => {
    await using on = opener()
    await openUntilThreadsDo(on)
    const expired = wrap('x', {
      wrapTemplate: {
        tags: [
          ['p', identity.pubkey],
          ['expiration', `${NOW}`],
        ],
      },
    })
    const unsigned = wrap('x', { wrap: (one) => ({ ...one, sig: '0'.repeat(128) }) })
    const crowd = wraps(20)
    const [early, trusted, distrusted] = await Promise.all([
      on.open(expired),
      on.open(unsigned, { verified: true }),
      on.open(unsigned),
      ...crowd.map((one) => on.open(one)),
    ])
    expect(early).toEqual({ ok: false, code: 'expired' })
    expect(trusted).toMatchObject({ ok: true })
    expect(distrusted).toEqual({ ok: false, code: 'wrap-sig' })
  })

  // With one loop over all that waits, timers and sockets would stand still until the last is open.
  test('without threads the event loop turns at least once for every four wraps', async () => {
    await using on = opener({ workers: 0 })
    let turns = 0
    let counting = true
    const count = (): void => {
      turns++
      if (counting) setImmediate(count)
    }
    const crowd = wraps(80)
    setImmediate(count)
    const answers = await Promise.all(crowd.map((one) => on.open(one)))
    counting = false
    expect(texts(answers)).toEqual(crowd.map((_, n) => `message ${n}`))
    expect(turns).toBeGreaterThanOrEqual(20)
    expect(on.counts()).toMatchObject({ inline: 80, inThreads: 0 })
  })

  test('what the queue cannot hold is answered overload and counted', async () => {
    await using on = opener({ workers: 0, queueMost: 10 })
    const answers = await Promise.all(wraps(25).map((one) => on.open(one)))
    expect(texts(answers.slice(0, 10))).not.toContain('overload')
    expect(answers.slice(10)).toEqual(Array(15).fill(OVERLOAD))
    expect(on.counts()).toMatchObject({ dropped: 15, inline: 10 })
    expect(await on.open(wrap('later'))).toMatchObject({ ok: true })
  })

  test('the queue is bounded by size too', async () => {
    await using on = opener({ workers: 0 })
    const large = { ...wrap('x'), content: 'A'.repeat(98_304) }
    const answers = await Promise.all(Array.from({ length: 180 }, () => on.open(large)))
    const kept = Math.floor((16 * 1024 * 1024) / 98_304)
    expect(texts(answers).filter((code) => code === 'wrap-sig')).toHaveLength(kept)
    expect(on.counts().dropped).toBe(180 - kept)
  })

  test('hostile shapes are refused wherever they are opened', async () => {
    await using on = opener()
    await openUntilThreadsDo(on)
    const shapes: unknown[] = [null, 1, 'x', [], {}, { content: 5 }, { kind: 1059, tags: 'p' }]
    const crowd = [...shapes, ...shapes, ...shapes]
    const answers = await Promise.all(crowd.map((one) => on.open(one as NostrEvent)))
    expect(texts(answers)).toEqual(crowd.map(() => 'wrap-shape'))
    expect(on.counts().faults).toBe(0)
  })

  test.each([
    ['dies while it starts', 'throw new Error("gone")'],
    ['leaves while it starts', 'process.exit(3)'],
    [
      'dies with a batch',
      `import { parentPort } from 'node:worker_threads'
      parentPort.on('message', () => { throw new Error('gone') })
      parentPort.postMessage('ready')`,
    ],
  ])('a thread that %s loses no wrap', async (_, code) => {
    await using on = opener({
      threadFile: new URL(`data:text/javascript,${encodeURIComponent(code)}`),
    })
    const crowd = wraps(12)
    while (on.counts().faults < 3) {
      const answers = await Promise.all(crowd.map((one) => on.open(one)))
      expect(texts(answers)).toEqual(crowd.map((_, n) => `message ${n}`))
    }
    // A fourth is not started: threads that cannot live must not be born for ever.
    const answers = await Promise.all(crowd.map((one) => on.open(one)))
    expect(texts(answers)).toEqual(crowd.map((_, n) => `message ${n}`))
    expect(on.counts().faults).toBe(3)
  })

  test('stops before it starts, twice, and with wraps under way', async () => {
    const idle = opener()
    await idle.stop()
    await idle.stop()
    expect(await idle.open(wrap('late'))).toEqual(OVERLOAD)

    const on = opener()
    await openUntilThreadsDo(on)
    const answers = wraps(200).map((one) => on.open(one))
    await on.stop()
    await on.stop()
    for (const answer of await Promise.all(answers)) {
      expect(answer.ok || answer.code === 'overload').toBe(true)
    }
    expect(on.counts()).toMatchObject({ waiting: 0, busy: 0, faults: 0 })
  })
})
