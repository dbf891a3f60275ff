import { v2 as extended } from 'nostr-tools/nip44'
import { eventId } from '../../src/nostr/event.ts'
import type { NostrEvent } from '../../src/nostr/types.ts'
import type { Forgery } from './forge.ts'
import { type Cast, flip, OFF_CURVE, type Shape, shape } from './forged-shape.ts'

/** Lies of the outermost event. */
export function wrapShapes({ bot, victim, forger, nowSeconds }: Cast): Shape[] {
  const me = bot.pubkey
  const p = ['p', me]
  const tags = (...list: string[][]): Forgery => ({ wrapTemplate: { tags: list } })
  const edit = (change: (wrap: NostrEvent) => Record<string, unknown>): Forgery => ({
    wrap: (wrap) => ({ ...wrap, ...change(wrap) }),
  })
  return [
    shape('a wrap of kind 1058', 'kind', { wrapTemplate: { kind: 1_058 } }),
    shape('a wrap of kind 4', 'kind', { wrapTemplate: { kind: 4 } }),
    shape('a bare seal for a wrap', 'kind', { wrapTemplate: { kind: 13 } }),
    shape('a bare kind 14 for a wrap', 'kind', { wrapTemplate: { kind: 14 } }),
    shape('no p tag', 'p-tag', tags()),
    shape('a p tag without a value', 'p-tag', tags(['p'])),
    shape('an empty p tag', 'p-tag', tags(['p', ''])),
    shape('a p tag for somebody else', 'p-tag', tags(['p', victim.pubkey])),
    shape('p tags for us and somebody else', 'p-tag', tags(p, ['p', victim.pubkey])),
    shape('our p tag twice', 'p-tag', tags(p, p)),
    shape('our key in upper case', 'p-tag', tags(['p', me.toUpperCase()])),
    shape('our key as second value', 'p-tag', tags(['p', victim.pubkey, me])),
    shape('our key in an upper-case P tag', 'p-tag', tags(['P', me])),
    shape('our key with a blank', 'p-tag', tags(['p', `${me} `])),
    shape('an expired wrap', 'expired', tags(p, ['expiration', String(nowSeconds - 1)])),
    shape('a wrap that expires now', 'expired', tags(p, ['expiration', String(nowSeconds)])),
    shape('two expirations, one passed', 'expired', {
      wrapTemplate: { tags: [p, ['expiration', String(nowSeconds + 9)], ['expiration', '1']] },
    }),
    shape('content above the size read', 'too-big', {
      wrapTemplate: { content: 'A'.repeat(98_308) },
    }),
    shape(
      'a wrap edited in its content',
      'wrap-sig',
      edit(() => ({ content: 'AAAA' })),
    ),
    shape(
      'a wrap edited in its time',
      'wrap-sig',
      edit((w) => ({ created_at: w.created_at + 1 })),
    ),
    shape(
      'a wrap made ephemeral',
      'wrap-sig',
      edit(() => ({ kind: 21_059 })),
    ),
    shape(
      'a wrap given one tag more',
      'wrap-sig',
      edit(() => ({ tags: [p, ['t', 'x']] })),
    ),
    shape('a wrap of somebody else, addressed to us', 'wrap-sig', {
      wrapTemplate: { tags: [['p', victim.pubkey]] },
      wrap: (wrap) => ({ ...wrap, tags: [p] }),
    }),
    shape(
      'a wrap under another author',
      'wrap-sig',
      edit(() => ({ pubkey: victim.pubkey })),
    ),
    shape('a wrap under another author, id recomputed', 'wrap-sig', {
      wrap: (wrap) => {
        const other = { ...wrap, pubkey: victim.pubkey }
        return { ...other, id: eventId(other) }
      },
    }),
    shape('a wrap signed by somebody else', 'wrap-sig', {
      wrap: (wrap) => ({ ...wrap, sig: forger.sign(wrap).sig }),
    }),
    shape(
      'a signature of zeros',
      'wrap-sig',
      edit(() => ({ sig: '0'.repeat(128) })),
    ),
    shape(
      'one bit of the signature flipped',
      'wrap-sig',
      edit((w) => ({ sig: flip(w.sig) })),
    ),
    shape(
      'one bit of the id flipped',
      'wrap-sig',
      edit((w) => ({ id: flip(w.id) })),
    ),
    shape(
      'an author off the curve',
      'wrap-sig',
      edit(() => ({ pubkey: OFF_CURVE })),
    ),
    shape(
      'an empty signature',
      'wrap-shape',
      edit(() => ({ sig: '' })),
    ),
    shape(
      'a signature with bytes appended',
      'wrap-shape',
      edit((w) => ({ sig: `${w.sig}00` })),
    ),
    shape(
      'a signature in upper case',
      'wrap-shape',
      edit((w) => ({ sig: w.sig.toUpperCase() })),
    ),
    shape(
      'an id in upper case',
      'wrap-shape',
      edit((w) => ({ id: w.id.toUpperCase() })),
    ),
    shape(
      'an author in upper case',
      'wrap-shape',
      edit((w) => ({ pubkey: w.pubkey.toUpperCase() })),
    ),
    shape(
      'an id cut short',
      'wrap-shape',
      edit((w) => ({ id: w.id.slice(0, 8) })),
    ),
    shape(
      'no id',
      'wrap-shape',
      edit(() => ({ id: undefined })),
    ),
    shape(
      'a time as text',
      'wrap-shape',
      edit((w) => ({ created_at: `${w.created_at}` })),
    ),
    shape(
      'a time of 1e308',
      'wrap-shape',
      edit(() => ({ created_at: 1e308 })),
    ),
    shape(
      'a time before 1970',
      'wrap-shape',
      edit(() => ({ created_at: -5 })),
    ),
    shape(
      'a kind as text',
      'wrap-shape',
      edit(() => ({ kind: '1059' })),
    ),
    shape(
      'tags that are no list',
      'wrap-shape',
      edit(() => ({ tags: { 0: p, length: 1 } })),
    ),
    shape(
      'a tag that is no list',
      'wrap-shape',
      edit(() => ({ tags: [`p${me}`] })),
    ),
    shape(
      'a p tag with a list for a key',
      'wrap-shape',
      edit(() => ({ tags: [['p', [me]]] })),
    ),
    shape(
      'content that is no text',
      'wrap-shape',
      edit(() => ({ content: { length: 10 } })),
    ),
    shape('null for a wrap', 'wrap-shape', { wrap: () => null }),
    shape('a list for a wrap', 'wrap-shape', { wrap: (wrap) => [wrap] }),
    {
      ...shape(
        'an author off the curve, verified',
        'wrap-decrypt',
        edit(() => ({ pubkey: OFF_CURVE })),
      ),
      verified: true,
    },
    { ...shape('null for a wrap, verified', 'wrap-shape', { wrap: () => null }), verified: true },
  ]
}

/** What the wrap holds where its seal belongs. */
export function wrapContentShapes({ victim, forger, bot }: Cast): Shape[] {
  const content = (change: Forgery['wrapContent'] & {}): Forgery => ({ wrapContent: change })
  const seal = (text: (text: string) => string): Forgery => ({ sealText: text })
  return [
    shape(
      'empty content',
      'wrap-decrypt',
      content(() => ''),
    ),
    shape(
      'content that is no base64',
      'wrap-decrypt',
      content((p) => `!${p.slice(1)}`),
    ),
    shape(
      'content cut short',
      'wrap-decrypt',
      content((p) => p.slice(0, -4)),
    ),
    shape(
      'content of version 1',
      'wrap-decrypt',
      content((p) => `AQ${p.slice(2)}`),
    ),
    shape(
      'content of a version to come',
      'wrap-decrypt',
      content((p) => `#${p}`),
    ),
    shape(
      'content of NIP-04',
      'wrap-decrypt',
      content((p) => `${p.slice(0, 64)}?iv=${p.slice(0, 24)}`),
    ),
    shape(
      'the seal in the clear',
      'wrap-decrypt',
      content((_, text) => text),
    ),
    shape(
      'content whose MAC is wrong',
      'wrap-decrypt',
      content((p) => `${p.slice(0, 60)}${p[60] === 'A' ? 'B' : 'A'}${p.slice(61)}`),
    ),
    shape('content encrypted for somebody else', 'wrap-decrypt', { wrapTo: victim.pubkey }),
    shape(
      'content in the long form of 2026',
      'wrap-decrypt',
      content((_, text) =>
        extended.encrypt(text.padEnd(65_536), forger.conversationKey(bot.pubkey)),
      ),
    ),
    shape(
      'a seal that is no JSON',
      'seal-shape',
      seal((text) => text.slice(1)),
    ),
    shape(
      'a seal with text after it',
      'seal-shape',
      seal((text) => `${text}{}`),
    ),
    shape(
      'a list for a seal',
      'seal-shape',
      seal((text) => `[${text}]`),
    ),
    shape(
      'null for a seal',
      'seal-shape',
      seal(() => 'null'),
    ),
    shape(
      'a seal as a JSON string',
      'seal-shape',
      seal((text) => JSON.stringify(text)),
    ),
    shape(
      'an author twice in a seal',
      'poison',
      seal((text) => text.replace('{', `{"pubkey":"${victim.pubkey}",`)),
    ),
    shape(
      'an author twice in a seal, escaped',
      'poison',
      seal((text) => text.replace('{', `{"\\u0070ubkey":"${victim.pubkey}",`)),
    ),
    shape(
      'a prototype in a seal',
      'poison',
      seal((text) => text.replace('{', '{"__proto__":{"kind":13},')),
    ),
    shape(
      'a depth bomb in a seal',
      'poison',
      seal((text) => text.replace('{', `{"x":${'['.repeat(5_000)}${']'.repeat(5_000)},`)),
    ),
    shape(
      'NUL in a seal',
      'poison',
      seal((text) => text.replace('{', '{"x":"\\u0000",')),
    ),
    shape(
      'a lone surrogate in a seal',
      'poison',
      seal((text) => text.replace('{', '{"x":"\\udfff",')),
    ),
  ]
}
