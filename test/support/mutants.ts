import type { NostrEvent } from '../../src/nostr/types.ts'
import { type Forgery, forgeWrap } from './forge.ts'
import type { Cast } from './forged-shape.ts'
import type { Seeded } from './seeded.ts'

const NASTY = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '0',
  '-',
  'e',
  'A',
  ' ',
  '\\u0000',
  '\ud800',
]
const FIELDS = ['id', 'pubkey', 'created_at', 'kind', 'tags', 'content', 'sig'] as const
const VALUES: unknown[] = [
  null,
  true,
  '',
  0,
  -1,
  1.5,
  1e308,
  [],
  {},
  [[]],
  'x',
  '0'.repeat(64),
  'F'.repeat(128),
  [['p']],
]

/** One small damage somewhere in `text`: flip, cut, double, insert. */
function damage(text: string, random: Seeded): string {
  const at = random.int(text.length)
  const [before, after] = [text.slice(0, at), text.slice(at + 1)]
  return random.pick([
    () => before + String.fromCharCode(text.charCodeAt(at) ^ (1 << random.int(7))) + after,
    () => before + after,
    () => before + text.slice(at, at + 1 + random.int(40)) + text.slice(at),
    () => before + random.pick(NASTY) + text.slice(at),
    () => before + random.pick(NASTY) + after,
    () => text.slice(0, at),
  ])()
}

/** One field of an event exchanged, in JSON. */
function exchange(json: string, random: Seeded): string {
  return JSON.stringify({ ...JSON.parse(json), [random.pick(FIELDS)]: random.pick(VALUES) })
}

const mutate = (json: string, random: Seeded): string =>
  (random.int(4) === 0 ? exchange : damage)(json, random)

/** What a reader of JSON would see, an empty `sig` being none; or a mark that it sees nothing. */
function meaning(json: string): string {
  try {
    const { id, pubkey, created_at, kind, tags, content, sig } = JSON.parse(json)
    return JSON.stringify([id, pubkey, created_at, kind, tags, content, sig || null])
  } catch {
    return 'none'
  }
}

/** Mutates until a reader of JSON would see something else; blanks and equal escapes change nothing. */
function mutant(json: string, random: Seeded, wanted: (json: string) => boolean): string {
  while (true) {
    const text = mutate(json, random)
    if (text.length > 0 && text.isWellFormed() && meaning(text) !== meaning(json) && wanted(text))
      return text
  }
}

const anything = (): boolean => true

/** A rumor without an id is no lie: it is its author's, under the id that we compute. */
function lies(json: string): boolean {
  try {
    const parsed = JSON.parse(json)
    return parsed === null || typeof parsed !== 'object' || Object.hasOwn(parsed, 'id')
  } catch {
    return true
  }
}

/** A rumor's JSON that says something else than the one given, and still claims an id if it is an object. */
export const mutantRumor = (json: string, random: Seeded): string => mutant(json, random, lies)

export interface Mutant {
  /** JSON of the wrap as it would come from a relay. */
  text: string
  layer: 'wrap' | 'payload' | 'seal' | 'rumor'
}

/**
 * A wrap of the victim's, damaged in one of four places: the outer event; its payload, signed again;
 * the seal, wrapped again; the rumor, sealed and wrapped again. The last three are what only a forger
 * with a right key can build, which is where a mutation that never passes a signature would not get.
 */
export function mutantWrap({ bot, victim, nowSeconds }: Cast, random: Seeded): Mutant {
  const make = (forgery: Forgery): NostrEvent =>
    forgeWrap({ author: victim, to: bot.pubkey, nowSeconds }, forgery)
  const layer = random.pick(['wrap', 'payload', 'seal', 'rumor'] as const)
  if (layer === 'wrap') {
    return { layer, text: mutant(JSON.stringify(make({})), random, anything) }
  }
  const changes: Record<Exclude<Mutant['layer'], 'wrap'>, Forgery> = {
    payload: { wrapContent: (payload) => damageUntilOther(payload, random) },
    seal: { sealText: (text) => mutant(text, random, anything) },
    rumor: { rumorText: (text) => mutant(text, random, lies) },
  }
  return { layer, text: JSON.stringify(make(changes[layer])) }
}

function damageUntilOther(payload: string, random: Seeded): string {
  while (true) {
    const text = damage(payload, random)
    if (text !== payload && text.isWellFormed()) return text
  }
}
