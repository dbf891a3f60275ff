import { eventId } from '../../src/nostr/event.ts'
import type { NostrEvent } from '../../src/nostr/types.ts'
import type { Forgery } from './forge.ts'
import { type Cast, flip, OFF_CURVE, type Shape, shape } from './forged-shape.ts'

/** Lies of the seal, inside a wrap that is right. */
export function sealShapes({ victim, forger, nowSeconds, bot }: Cast): Shape[] {
  const edit = (change: (seal: NostrEvent) => Record<string, unknown>): Forgery => ({
    seal: (seal) => ({ ...seal, ...change(seal) }),
  })
  const tags = (...list: string[][]): Forgery => ({ sealTemplate: { tags: list } })
  const direct = (kind: number) =>
    forger.sign({ kind, created_at: nowSeconds, tags: [['p', bot.pubkey]], content: '{}' })
  return [
    shape('a seal of kind 14', 'seal-shape', { sealTemplate: { kind: 14 } }),
    shape('a seal of kind 1059', 'seal-shape', { sealTemplate: { kind: 1_059 } }),
    shape(
      'a kind of 13 as text',
      'seal-shape',
      edit(() => ({ kind: '13' })),
    ),
    shape('a message without a seal', 'seal-shape', { seal: () => direct(14) }),
    shape('a tool call without a seal', 'seal-shape', { seal: () => direct(25_910) }),
    shape('an unsigned message without a seal', 'seal-shape', {
      seal: () => ({ ...direct(14), sig: undefined }),
    }),
    shape(
      'a seal without a signature',
      'seal-shape',
      edit(() => ({ sig: undefined })),
    ),
    shape(
      'a seal with an empty signature',
      'seal-shape',
      edit(() => ({ sig: '' })),
    ),
    shape(
      'a seal without an id',
      'seal-shape',
      edit(() => ({ id: undefined })),
    ),
    shape(
      'a seal with its author in upper case',
      'seal-shape',
      edit((s) => ({ pubkey: s.pubkey.toUpperCase() })),
    ),
    shape(
      'a seal with a fractional time',
      'seal-shape',
      edit(() => ({ created_at: 1.5 })),
    ),
    shape(
      'a seal with an empty tag',
      'seal-shape',
      edit(() => ({ tags: [[]] })),
    ),
    shape('a seal with a p tag', 'seal-tags', tags(['p', bot.pubkey])),
    shape('a seal with a key of its own', 'seal-tags', tags(['n', victim.pubkey])),
    shape(
      'a seal with an expiration and more',
      'seal-tags',
      tags(['expiration', String(nowSeconds + 9)], ['e', '1']),
    ),
    shape('an expired seal', 'expired', tags(['expiration', String(nowSeconds - 1)])),
    shape(
      'a seal under the name of the victim',
      'seal-sig',
      edit(() => ({ pubkey: victim.pubkey })),
    ),
    shape('a seal under the name of the victim, id recomputed', 'seal-sig', {
      seal: (seal) => {
        const other = { ...seal, pubkey: victim.pubkey }
        return { ...other, id: eventId(other) }
      },
    }),
    shape('a seal of the victim signed by the forger', 'seal-sig', {
      sealBy: victim,
      seal: (seal) => ({ ...seal, sig: forger.sign(seal).sig }),
    }),
    shape(
      'a seal with its content exchanged',
      'seal-sig',
      edit((s) => ({ content: `${s.content.slice(0, -4)}AAA=` })),
    ),
    shape(
      'a seal with its time changed',
      'seal-sig',
      edit((s) => ({ created_at: s.created_at - 1 })),
    ),
    shape(
      'a seal given an expiration later',
      'seal-sig',
      edit(() => ({ tags: [['expiration', String(nowSeconds + 99)]] })),
    ),
    shape(
      'a seal with a signature of zeros',
      'seal-sig',
      edit(() => ({ sig: '0'.repeat(128) })),
    ),
    shape(
      'a seal with one bit of its signature flipped',
      'seal-sig',
      edit((s) => ({ sig: flip(s.sig) })),
    ),
    shape(
      'a seal with one bit of its id flipped',
      'seal-sig',
      edit((s) => ({ id: flip(s.id) })),
    ),
    shape(
      'a seal by a key off the curve',
      'seal-sig',
      edit(() => ({ pubkey: OFF_CURVE })),
    ),
    shape('a seal encrypted for somebody else', 'seal-decrypt', { sealTo: victim.pubkey }),
    shape('a seal the victim made for the forger', 'seal-decrypt', {
      sealBy: victim,
      sealTo: forger.pubkey,
    }),
    shape('a seal around clear text', 'seal-decrypt', { sealContent: (_, text) => text }),
    shape('a seal around nothing', 'seal-decrypt', { sealContent: () => '' }),
    shape('a seal around a cut payload', 'seal-decrypt', { sealContent: (p) => p.slice(0, -4) }),
    shape('a seal around a payload of version 1', 'seal-decrypt', {
      sealContent: (p) => `AQ${p.slice(2)}`,
    }),
  ]
}
