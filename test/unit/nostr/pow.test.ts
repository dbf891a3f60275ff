import * as theirs from 'nostr-tools/nip13'
import { describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../../src/clock.ts'
import { eventId, verifyEvent } from '../../../src/nostr/event.ts'
import { makeRumor, openGiftWrap } from '../../../src/nostr/giftwrap.ts'
import { createIdentity, generateSecretKey } from '../../../src/nostr/identity.ts'
import { committedPow, leadingZeroBits, minePow, wrapRumorMined } from '../../../src/nostr/pow.ts'
import { machineCurves } from '../../support/curves.ts'

const idOf = (start: string): string => start.padEnd(64, 'f')
const never = new AbortController().signal

describe('leadingZeroBits', () => {
  test.each([
    [idOf('f'), 0],
    [idOf('8'), 0],
    [idOf('7'), 1],
    [idOf('3'), 2],
    [idOf('1'), 3],
    [idOf('0'), 4],
    [idOf('000000000e9d97a1ab09'), 36],
    [`${'0'.repeat(63)}1`, 255],
    ['0'.repeat(64), 256],
    ['', 0],
    ['0'.repeat(63), 0],
    [`${'0'.repeat(63)}g`, 0],
  ])('of %s is %i', (id, bits) => {
    expect(leadingZeroBits(id)).toBe(bits)
    if (id.length === 64 && !id.includes('g')) expect(theirs.getPow(id)).toBe(bits)
  })
})

describe('committedPow', () => {
  test.each<[string, string[][], string, number]>([
    ['the target that the id reaches', [['nonce', '7', '20']], '00000f', 20],
    ['the target, not the luck above it', [['nonce', '7', '8']], '000000f', 8],
    ['nothing below the target', [['nonce', '7', '24']], '00000f', 0],
    ['nothing without a commitment', [['nonce', '7']], '00000f', 0],
    ['nothing without the tag', [], '00000f', 0],
    ['nothing for a target that is no number', [['nonce', '7', '1e1']], '00000f', 0],
    ['nothing for a negative target', [['nonce', '7', '-1']], '00000f', 0],
    [
      'what the first nonce tag says',
      [
        ['nonce', '7', '4'],
        ['nonce', '7', '20'],
      ],
      '00000f',
      4,
    ],
  ])('is %s', (_, tags, start, bits) => {
    expect(committedPow({ id: idOf(start), tags })).toBe(bits)
  })
})

describe('minePow', () => {
  const pubkey = 'ab'.repeat(32)
  const template = {
    kind: 1,
    created_at: 1_600_000_000,
    tags: [
      ['t', 'a "quoted" tag'],
      ['nonce', 'old', '1'],
    ],
    content: 'é "quoted" \\ \n 漢',
    pubkey,
  }

  test('finds a nonce for the bits asked and changes nothing else', async () => {
    const before = structuredClone(template)
    const mined = await minePow(template, 12, never, systemClock)
    const id = eventId({ pubkey, ...mined })
    expect(leadingZeroBits(id)).toBeGreaterThanOrEqual(12)
    expect(committedPow({ id, tags: mined.tags })).toBe(12)
    expect([mined.created_at, mined.kind, mined.content]).toEqual([
      template.created_at,
      template.kind,
      template.content,
    ])
    expect(mined.tags).toEqual([template.tags[0], ['nonce', expect.stringMatching(/^\d+$/), '12']])
    expect(template).toEqual(before)
  })

  test('finds one for an event without tags', async () => {
    const mined = await minePow({ ...template, tags: [] }, 8, never, systemClock)
    expect(mined.tags).toHaveLength(1)
    expect(leadingZeroBits(eventId({ pubkey, ...mined }))).toBeGreaterThanOrEqual(8)
  })

  test.each([21, 256, -1, 1.5, Number.NaN])('refuses to work for %d bits', async (bits) => {
    await expect(minePow(template, bits, never, systemClock)).rejects.toThrow(RangeError)
  })

  test('stops at once when its signal aborts', async () => {
    const stop = new AbortController()
    stop.abort(new Error('shutting down'))
    await expect(minePow(template, 20, stop.signal, systemClock)).rejects.toThrow('shutting down')
    const later = new AbortController()
    // 20 bits of this text take a million tries; the abort comes in the first of them.
    const mining = minePow(template, 20, later.signal, systemClock)
    later.abort(new Error('shutting down'))
    await expect(mining).rejects.toThrow('shutting down')
  })

  test('gives up when its time is over', async () => {
    const impatient: Clock = { now: () => 0, sleep: () => Promise.resolve() }
    await expect(minePow(template, 20, never, impatient)).rejects.toThrow('no proof of work found')
  })
})

test('a mined gift wrap carries its proof and opens as any other', async () => {
  const [curve] = await machineCurves()
  if (!curve) throw new Error('no curve on this machine')
  const [bot, customer] = [1, 2].map(() => createIdentity(curve, generateSecretKey()))
  if (!bot || !customer) throw new Error('no identities')
  const template = { kind: 14, created_at: 1_800_000_000, tags: [], content: 'hi' }
  const rumor = makeRumor(customer.pubkey, template)
  const wrap = await wrapRumorMined({
    identity: customer,
    rumor,
    to: bot.pubkey,
    nowSeconds: 1_800_000_000,
    bits: 8,
    signal: never,
    clock: systemClock,
  })
  expect(committedPow(wrap)).toBe(8)
  expect(verifyEvent(curve, wrap)).toBe(true)
  expect(openGiftWrap({ wrap, identity: bot, nowSeconds: 1_800_000_001 })).toMatchObject({
    ok: true,
    sender: customer.pubkey,
    rumor,
  })
})
