import { finalizeEvent, getEventHash } from 'nostr-tools/pure'
import { describe, expect, test } from 'vitest'
import {
  eventId,
  isExpired,
  isHex32,
  parseEvent,
  tagValue,
  verifyEvent,
} from '../../../src/nostr/event.ts'
import type { NostrEvent } from '../../../src/nostr/types.ts'
import { machineCurves } from '../../support/curves.ts'

const curves = await machineCurves()

/** A fresh event signed by another implementation, as it comes out of JSON.parse. */
function signed(change: Partial<NostrEvent> = {}): NostrEvent {
  const template = { kind: 1, created_at: 1_700_000_000, tags: [['t', 'x']], content: 'hello' }
  const event = finalizeEvent({ ...template, ...change }, Buffer.alloc(32, 5))
  return JSON.parse(JSON.stringify(event))
}

describe('eventId', () => {
  test.each([
    ['plain text', 'hello'],
    ['every escape of NIP-01', '"\\\b\f\n\r\t'],
    ['other control characters', '\u0001\u001f\u007f\u0080'],
    ['line separators', 'a\u2028b\u2029c'],
    ['emoji and scripts', '👩‍👩‍👧 שלום Grüße 漢字'],
    ['slashes and angle brackets', '</script> http://x/y'],
    ['nothing', ''],
  ])('is what nostr-tools computes for %s', (_, content) => {
    const event = signed({ content, tags: [['a', content], ['b']] })
    expect(eventId(event)).toBe(event.id)
    expect(eventId(event)).toBe(getEventHash(event))
  })
})

describe('parseEvent', () => {
  test('makes a fresh object of exactly the seven fields', () => {
    const raw = { ...signed(), relay: 'wss://x', verified: true }
    const event = parseEvent(raw)
    expect(event).toEqual(signedShape(raw))
    expect(event?.tags).not.toBe(raw.tags)
    expect(event?.tags[0]).not.toBe(raw.tags[0])
  })

  test.each<[string, (raw: Record<string, unknown>) => unknown]>([
    ['null', () => null],
    ['a string', () => 'event'],
    ['a list', () => []],
    ['an empty object', () => ({})],
    ['an empty id', (raw) => ({ ...raw, id: '' })],
    ['a cut id', (raw) => ({ ...raw, id: String(raw.id).slice(0, 8) })],
    ['an upper-case id', (raw) => ({ ...raw, id: 'AB'.repeat(32) })],
    ['an id with a line end', (raw) => ({ ...raw, id: `${raw.id}\n` })],
    ['an id as a list', (raw) => ({ ...raw, id: [raw.id] })],
    ['an upper-case key', (raw) => ({ ...raw, pubkey: 'AB'.repeat(32) })],
    ['a compressed key', (raw) => ({ ...raw, pubkey: `02${raw.pubkey}` })],
    ['an empty signature', (raw) => ({ ...raw, sig: '' })],
    ['a signature with bytes appended', (raw) => ({ ...raw, sig: `${raw.sig}${'00'.repeat(32)}` })],
    ['an upper-case signature', (raw) => ({ ...raw, sig: 'AB'.repeat(64) })],
    ['no signature', ({ sig: _, ...raw }) => raw],
    ['a time as text', (raw) => ({ ...raw, created_at: '1700000000' })],
    ['a fractional time', (raw) => ({ ...raw, created_at: 1.5 })],
    ['a negative time', (raw) => ({ ...raw, created_at: -5 })],
    ['the time 1e308', (raw) => ({ ...raw, created_at: 1e308 })],
    ['the time 2^53', (raw) => ({ ...raw, created_at: 2 ** 53 })],
    ['no time', (raw) => ({ ...raw, created_at: null })],
    ['a negative kind', (raw) => ({ ...raw, kind: -1 })],
    ['the kind 65536', (raw) => ({ ...raw, kind: 65_536 })],
    ['a fractional kind', (raw) => ({ ...raw, kind: 1.2 })],
    ['tags as an object', (raw) => ({ ...raw, tags: { length: 0 } })],
    ['a tag as a string', (raw) => ({ ...raw, tags: ['p'] })],
    ['an empty tag', (raw) => ({ ...raw, tags: [[]] })],
    ['a number in a tag', (raw) => ({ ...raw, tags: [['p', 1]] })],
    ['null in a tag', (raw) => ({ ...raw, tags: [['p', null]] })],
    ['a list in a tag', (raw) => ({ ...raw, tags: [['p', ['x']]] })],
    ['NUL in a tag', (raw) => ({ ...raw, tags: [['p', 'a\0']] })],
    ['more tags than a frame holds', (raw) => ({ ...raw, tags: Array(5_001).fill(['t']) })],
    ['content as a number', (raw) => ({ ...raw, content: 1 })],
    ['NUL in the content', (raw) => ({ ...raw, content: 'a\0b' })],
    ['a lone surrogate in the content', (raw) => ({ ...raw, content: 'a\ud800' })],
    ['more content than a frame holds', (raw) => ({ ...raw, content: 'x'.repeat(262_145) })],
  ])('refuses %s', (_, change) => {
    expect(parseEvent(change({ ...signed() }))).toBeUndefined()
  })

  test('reads minus zero as zero, as its id does', () => {
    const event = parseEvent({ ...signed(), kind: -0, created_at: -0 })
    expect([event?.kind, event?.created_at]).toEqual([0, 0])
  })
})

function signedShape({ id, pubkey, created_at, kind, tags, content, sig }: NostrEvent): NostrEvent {
  return { id, pubkey, created_at, kind, tags, content, sig }
}

describe.each(curves)('verifyEvent on curve $name', (curve) => {
  test('accepts what nostr-tools signs', () => {
    expect(verifyEvent(curve, signed())).toBe(true)
    expect(verifyEvent(curve, signed({ kind: 0, tags: [], content: '' }))).toBe(true)
  })

  // nostr-tools keeps its verdict on the object and a spread copies it; ours must not be asked once.
  test('refuses an edited copy of an event it has accepted', () => {
    const event = signed()
    expect(verifyEvent(curve, event)).toBe(true)
    expect(verifyEvent(curve, { ...event, content: 'other' })).toBe(false)
    event.tags.push(['p', 'x'])
    expect(verifyEvent(curve, event)).toBe(false)
  })

  test.each<[string, (e: NostrEvent) => Partial<NostrEvent>]>([
    ['content', () => ({ content: 'hellp' })],
    ['kind', () => ({ kind: 2 })],
    ['time', () => ({ created_at: 1_700_000_001 })],
    ['tags', () => ({ tags: [] })],
    ['author', () => ({ pubkey: signed({ kind: 2 }).id })],
    ['id', () => ({ id: '0'.repeat(64) })],
    ['id and content with the id recomputed', (e) => recomputed({ ...e, content: 'x' })],
    ['signature', (e) => ({ sig: `${e.sig.slice(0, -1)}${e.sig.endsWith('0') ? '1' : '0'}` })],
    ['signature, emptied', () => ({ sig: '' })],
    ['signature, with text appended that is no hex', (e) => ({ sig: `${e.sig}zz` })],
    ['signature, with 4,096 bytes appended', (e) => ({ sig: e.sig + '00'.repeat(4_096) })],
    ['signature, in upper case', (e) => ({ sig: e.sig.toUpperCase() })],
    ['id, in upper case', (e) => ({ id: e.id.toUpperCase() })],
    ['signature of another event', () => ({ sig: signed({ content: 'b' }).sig })],
  ])('refuses an event with a changed %s', (_, change) => {
    const event = signed()
    expect(verifyEvent(curve, { ...event, ...change(event) })).toBe(false)
  })
})

function recomputed(event: NostrEvent): NostrEvent {
  return { ...event, id: eventId(event) }
}

describe('small readers', () => {
  test.each([
    ['a'.repeat(64), true],
    ['0123456789abcdef'.repeat(4), true],
    ['A'.repeat(64), false],
    ['a'.repeat(63), false],
    ['a'.repeat(65), false],
    [`${'a'.repeat(64)}\n`, false],
    ['g'.repeat(64), false],
    [undefined, false],
    [['a'.repeat(64)], false],
  ])('isHex32(%j) is %s', (value, answer) => {
    expect(isHex32(value)).toBe(answer)
  })

  test('tagValue is the first value of the first tag of that name', () => {
    const tags = [['e'], ['p', 'one', 'relay'], ['p', 'two']]
    expect(tagValue({ tags }, 'p')).toBe('one')
    expect(tagValue({ tags }, 'e')).toBeUndefined()
    expect(tagValue({ tags }, 'q')).toBeUndefined()
  })

  test.each([
    [[['expiration', '1000']], true],
    [[['expiration', '999']], true],
    [[['expiration', '1001']], false],
    [
      [
        ['expiration', '1001'],
        ['expiration', '5'],
      ],
      true,
    ],
    [[['t', '5']], false],
    [[], false],
    [[['expiration']], false],
    [[['expiration', '']], false],
    [[['expiration', '-5']], false],
    [[['expiration', '0x1']], false],
    [[['expiration', '1e3']], false],
    [[['expiration', 'never']], false],
  ])('at second 1000, tags %j are expired: %s', (tags: string[][], answer) => {
    expect(isExpired(tags, 1_000)).toBe(answer)
  })
})
