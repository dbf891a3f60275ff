import { eventId } from '../../src/nostr/event.ts'
import type { RefusedCode } from '../../src/nostr/giftwrap.ts'
import type { Forgery } from './forge.ts'
import { type Cast, OFF_CURVE, type Shape, shape } from './forged-shape.ts'

/** Lies of the message, inside a seal that is right. */
export function rumorShapes({ victim, forger }: Cast): Shape[] {
  const text = (change: (text: string) => string): Forgery => ({ rumorText: change })
  return [
    shape(
      'a rumor that is no JSON',
      'rumor-shape',
      text((t) => t.slice(1)),
    ),
    shape(
      'a rumor of plain words',
      'rumor-shape',
      text(() => 'hello'),
    ),
    shape(
      'a list for a rumor',
      'rumor-shape',
      text((t) => `[${t}]`),
    ),
    shape(
      'null for a rumor',
      'rumor-shape',
      text(() => 'null'),
    ),
    shape(
      'a number for a rumor',
      'rumor-shape',
      text(() => '14'),
    ),
    shape(
      'a rumor as a JSON string',
      'rumor-shape',
      text((t) => JSON.stringify(t)),
    ),
    shape(
      'an author twice in a rumor',
      'poison',
      text((t) => t.replace('{', `{"pubkey":"${victim.pubkey}",`)),
    ),
    shape(
      'content twice in a rumor',
      'poison',
      text((t) => t.replace(/}$/, ',"content":"pay me"}')),
    ),
    shape(
      'content twice in a rumor, escaped',
      'poison',
      text((t) => t.replace(/}$/, ',"c\\u006fntent":"pay me"}')),
    ),
    shape(
      'a prototype in a rumor',
      'poison',
      text((t) => t.replace('{', '{"__proto__":{"sig":""},')),
    ),
    shape(
      'a depth bomb in a rumor',
      'poison',
      text((t) => t.replace('{', `{"x":${'{"a":'.repeat(50)}1${'}'.repeat(50)},`)),
    ),
    shape(
      'NUL in the content',
      'poison',
      text((t) => t.replace('satoshi', 'sat\\u0000shi')),
    ),
    shape(
      'NUL in a tag',
      'poison',
      text((t) => t.replace('"p"', '"p\\u0000"')),
    ),
    shape(
      'NUL in a key nobody reads',
      'poison',
      text((t) => t.replace('{', '{"\\u0000":1,')),
    ),
    shape(
      'a lone surrogate in the content',
      'poison',
      text((t) => t.replace('satoshi', '\\ud83d')),
    ),
    shape('a message of the victim, sealed by the forger', 'impersonation', {
      rumor: (r) => ({ ...r, pubkey: victim.pubkey }),
    }),
    shape('the same with its id recomputed', 'impersonation', {
      rumor: (r) => ({ ...r, pubkey: victim.pubkey, id: eventId({ ...r, pubkey: victim.pubkey }) }),
    }),
    shape('a message of a key off the curve', 'impersonation', {
      rumor: (r) => ({ ...r, pubkey: OFF_CURVE }),
    }),
    shape('a signed rumor', 'signed-rumor', { rumor: (r) => forger.sign(r) }),
    shape('a rumor with a made-up signature', 'signed-rumor', {
      rumor: (r) => ({ ...r, sig: '0'.repeat(128) }),
    }),
    shape('a rumor with a blank signature', 'signed-rumor', { rumor: (r) => ({ ...r, sig: ' ' }) }),
    shape('a rumor with a list for a signature', 'signed-rumor', {
      rumor: (r) => ({ ...r, sig: [] }),
    }),
    shape('a rumor signed with false', 'signed-rumor', { rumor: (r) => ({ ...r, sig: false }) }),
    shape('a forged id', 'rumor-id', { rumor: (r) => ({ ...r, id: '0'.repeat(64) }) }),
    shape('the id of another message', 'rumor-id', {
      rumor: (r) => ({ ...r, id: eventId({ ...r, content: 'b' }) }),
    }),
    shape('an id kept while the content changed', 'rumor-id', {
      rumor: (r) => ({ ...r, content: 'pay me' }),
    }),
    shape('an id in upper case in a rumor', 'rumor-id', {
      rumor: (r) => ({ ...r, id: r.id.toUpperCase() }),
    }),
    shape('an empty id', 'rumor-id', { rumor: (r) => ({ ...r, id: '' }) }),
    shape('null for an id', 'rumor-id', { rumor: (r) => ({ ...r, id: null }) }),
    shape('a number for an id', 'rumor-id', { rumor: (r) => ({ ...r, id: 1 }) }),
    shape('a list with the id for an id', 'rumor-id', { rumor: (r) => ({ ...r, id: [r.id] }) }),
  ]
}

/** Fields of a wrong type, under an id that is right for them. */
export function rumorFieldShapes({ nowSeconds, bot }: Cast): Shape[] {
  /** A rumor with fields changed and its id right for them, so that the id is not what refuses it. */
  const fields = (name: string, code: RefusedCode, change: Record<string, unknown>): Shape =>
    shape(name, code, {
      rumor: (rumor) => {
        const changed = { ...rumor, ...change }
        return { ...changed, id: eventId(changed) }
      },
    })
  return [
    fields('no author in a rumor', 'rumor-shape', { pubkey: undefined }),
    fields('an author in upper case in a rumor', 'rumor-shape', { pubkey: 'AB'.repeat(32) }),
    fields('an author cut short in a rumor', 'rumor-shape', { pubkey: 'ab'.repeat(31) }),
    fields('an author as a list in a rumor', 'rumor-shape', { pubkey: ['ab'.repeat(32)] }),
    fields('no content in a rumor', 'rumor-shape', { content: undefined }),
    fields('content as a number in a rumor', 'rumor-shape', { content: 5 }),
    fields('content as an object in a rumor', 'rumor-shape', { content: { text: 'hi' } }),
    fields('no tags in a rumor', 'rumor-shape', { tags: undefined }),
    fields('tags as an object in a rumor', 'rumor-shape', { tags: { p: bot.pubkey } }),
    fields('a tag as text in a rumor', 'rumor-shape', { tags: ['p'] }),
    fields('an empty tag in a rumor', 'rumor-shape', { tags: [[]] }),
    fields('a number in a tag of a rumor', 'rumor-shape', { tags: [['p', 1]] }),
    fields('no time in a rumor', 'rumor-shape', { created_at: undefined }),
    fields('a time as text in a rumor', 'rumor-shape', { created_at: String(nowSeconds) }),
    fields('no kind in a rumor', 'rumor-shape', { kind: undefined }),
    fields('a kind as text in a rumor', 'rumor-shape', { kind: '14' }),
    fields('a fractional time in a rumor', 'rumor-ints', { created_at: nowSeconds + 0.5 }),
    fields('a time before 1970 in a rumor', 'rumor-ints', { created_at: -5 }),
    fields('a time of 1e308 in a rumor', 'rumor-ints', { created_at: 1e308 }),
    fields('a time of 2^53 in a rumor', 'rumor-ints', { created_at: 2 ** 53 }),
    fields('a fractional kind in a rumor', 'rumor-ints', { kind: 14.5 }),
    fields('a negative kind in a rumor', 'rumor-ints', { kind: -14 }),
    fields('a kind of 65536 in a rumor', 'rumor-ints', { kind: 65_536 }),
    fields('an expired rumor', 'expired', {
      tags: [
        ['p', bot.pubkey],
        ['expiration', String(nowSeconds - 1)],
      ],
    }),
    fields('a rumor that expires now', 'expired', { tags: [['expiration', String(nowSeconds)]] }),
  ]
}
