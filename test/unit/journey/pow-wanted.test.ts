import { describe, expect, test } from 'vitest'
import { askedBits, wantedPow } from '../../../src/journey/pow-wanted.ts'
import { createPowBudget } from '../../../src/journey/pow-budget.ts'
import { POW_BITS, POW_MS, POW_SHARE } from '../../../src/limits.ts'
import { minePow } from '../../../src/nostr/pow.ts'
import { systemClock } from '../../../src/clock.ts'
import type { Publication, StoredEvent } from '../../../src/store/outbox.ts'
import { newIdentity, nowSeconds } from '../../support/relay-lab.ts'

const identity = newIdentity()

/** A stored event with the proof of work it says. */
async function stored(bits: number): Promise<StoredEvent> {
  const template = { kind: 4, created_at: nowSeconds(), tags: [], content: 'words' }
  const { signal } = new AbortController()
  const { pubkey } = identity
  const mined =
    bits === 0 ? template : await minePow({ ...template, pubkey }, bits, signal, systemClock)
  const event = identity.sign(mined)
  return { part: 0, eventId: event.id, eventJson: JSON.stringify(event) }
}

const at = (relay: string, rest: Partial<Publication>): Publication => ({
  ...{ part: 0, relay, acknowledged: false, refused: false, error: null },
  ...rest,
})

describe('the work that a refusal asks for', () => {
  test.each([
    ['refused: pow: pow: difficulty 26 is less than 30', 30],
    ['refused: pow: pow: required a difficulty >= 20', 20],
    ['refused: pow: pow: difficulty 5<12', 12],
    ['refused: pow: pow: 8 bits needed', 8],
    ['refused: pow: pow: think harder', 0],
    ['refused: blocked: blocked: 12 strikes', 0],
    ['timeout', 0],
    [null, 0],
  ])('%s', (error, bits) => {
    expect(askedBits(error)).toBe(bits)
  })
})

describe('a stored reply', () => {
  const asks = (bits: number) => ({ error: `refused: pow: pow: difficulty 0 is less than ${bits}` })

  test('is worked for when a relay wants that and none may have it', async () => {
    const events = [await stored(0)]
    const dead = at('wss://dead', { error: 'unreachable' })
    const blocks = at('wss://blocks', { error: 'refused: blocked', refused: true })
    expect(wantedPow({ events, publications: [dead, blocks, at('wss://a', asks(9))] })).toBe(9)
  })

  test('stays as it is when a relay has it, or may have it', async () => {
    const events = [await stored(0)]
    const wants = at('wss://a', asks(9))
    const has = at('wss://b', { acknowledged: true })
    const silent = at('wss://c', { error: 'timeout' })
    expect(wantedPow({ events, publications: [wants, has] })).toBe(0)
    expect(wantedPow({ events, publications: [wants, silent] })).toBe(0)
    expect(wantedPow({ events, publications: [at('wss://d', {})] })).toBe(0)
  })

  test('is worked for once, and not for more than is done for anybody', async () => {
    const events = [await stored(9)]
    const publications = (bits: number) => [at('wss://a', asks(bits))]
    expect(wantedPow({ events, publications: publications(9) })).toBe(0)
    expect(wantedPow({ events, publications: publications(10) })).toBe(10)
    expect(wantedPow({ events, publications: publications(POW_BITS + 1) })).toBe(0)
  })
})

/** Time that passes by sleeping alone. */
function slept() {
  let nowMs = 1_000
  const clock = {
    now: () => nowMs,
    async sleep(ms: number) {
      nowMs += ms
    },
  }
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { clock, pass }
}

test('work is done one at a time, and for a tenth of all time', async () => {
  const { clock, pass } = slept()
  const budget = createPowBudget(clock)
  let finish = () => {}
  const first = budget.spend(
    () => new Promise<string>((resolve) => (finish = () => resolve('one'))),
  )
  expect(await budget.spend(async () => 'meanwhile')).toBeUndefined()
  pass(8_000)
  finish()
  expect(await first).toBe('one')
  pass(72_000)
  expect(await budget.spend(async () => 'early')).toBeUndefined()
  pass(18_000)
  expect(await budget.spend(async () => 'two')).toBe('two')
  // Work that fails took its time too.
  await expect(budget.spend(async () => Promise.reject(new Error('no luck')))).rejects.toThrow()
  expect(await budget.spend(async () => 'three')).toBe('three')
})

// Their retries double in step, and one of them would have its turn at each.
test('replies that are due together have little work done one after the other, and at once', async () => {
  const budget = createPowBudget(systemClock)
  let busy = 0
  const replies = Array.from({ length: 12 }, () =>
    budget.spend(async () => {
      busy += 1
      await systemClock.sleep(1)
      busy -= 1
      return busy
    }),
  )
  expect(await Promise.all(replies)).toEqual(Array(12).fill(0))
})

test('a clock that is set does not put work off', async () => {
  let nowMs = 10_000_000
  const budget = createPowBudget({ ...systemClock, now: () => nowMs })
  await budget.spend(async () => (nowMs += 8_000))
  nowMs -= 3_600_000
  expect(await budget.spend(async () => 'set back')).toBe('set back')
  await budget.spend(async () => (nowMs += 86_400_000))
  nowMs += POW_MS / POW_SHARE
  expect(await budget.spend(async () => 'set forward')).toBe('set forward')
})
