import { wrapEvent as wrapMessage, unwrapEvent as unwrapMessage } from 'nostr-tools/nip17'
import { createRumor, createSeal, createWrap, unwrapEvent, wrapEvent } from 'nostr-tools/nip59'
import { getEventHash, verifyEvent as theirVerify } from 'nostr-tools/pure'
import { describe, expect, test } from 'vitest'
import { parseJson } from '../../../src/json.ts'
import { eventId, verifyEvent } from '../../../src/nostr/event.ts'
import {
  makeRumor,
  openGiftWrap,
  type Opened,
  type Refused,
  wrapRumor,
} from '../../../src/nostr/giftwrap.ts'
import { createIdentity, generateSecretKey } from '../../../src/nostr/identity.ts'
import { Nip44Error } from '../../../src/nostr/nip44.ts'
import type { NostrEvent } from '../../../src/nostr/types.ts'
import { machineCurves } from '../../support/curves.ts'
import { type Forgery, forgeWrap, honestTemplate } from '../../support/forge.ts'
import { rumorFieldShapes, rumorShapes } from '../../support/forged-rumors.ts'
import { sealShapes } from '../../support/forged-seals.ts'
import type { Cast } from '../../support/forged-shape.ts'
import { wrapContentShapes, wrapShapes } from '../../support/forged-wraps.ts'
import { mutantWrap } from '../../support/mutants.ts'
import { seeded, SWEEP_MS, sweepRounds } from '../../support/seeded.ts'

const NOW = 1_800_000_000
const curves = await machineCurves()

describe.each(curves)('gift wraps on curve $name', (curve) => {
  const secrets = { bot: generateSecretKey(), victim: generateSecretKey() }
  const bot = createIdentity(curve, secrets.bot)
  const victim = createIdentity(curve, secrets.victim)
  const forger = createIdentity(curve, generateSecretKey())
  const cast: Cast = { bot, victim, forger, nowSeconds: NOW }
  const forge = (forgery: Forgery = {}, author = forger) =>
    forgeWrap({ author, to: bot.pubkey, nowSeconds: NOW }, forgery)
  const open = (wrap: NostrEvent, verified?: boolean): Opened | Refused =>
    openGiftWrap({
      wrap,
      identity: bot,
      nowSeconds: NOW,
      ...(verified === undefined ? {} : { verified }),
    })
  const opened = (wrap: NostrEvent): Opened => {
    const answer = open(wrap)
    if (!answer.ok) throw new Error(`refused: ${answer.code}`)
    return answer
  }

  test('an honest wrap opens to its message, its author and a seal that proves it', () => {
    const answer = opened(forge())
    expect(answer.sender).toBe(forger.pubkey)
    expect(answer.rumor).toEqual(makeRumor(forger.pubkey, honestTemplate(bot.pubkey, NOW)))
    const seal = JSON.parse(answer.seal)
    expect(theirVerify(seal)).toBe(true)
    expect([seal.kind, seal.pubkey]).toEqual([13, forger.pubkey])
  })

  test.each<[string, Forgery]>([
    ['of the ephemeral kind', { wrapTemplate: { kind: 21_059 } }],
    ['with a relay behind the p tag', { wrapTemplate: { tags: [['p', bot.pubkey, 'wss://r']] } }],
    ['with other tags beside the p tag', { wrapTemplate: { tags: [['x'], ['p', bot.pubkey]] } }],
    ['that expires later', { sealTemplate: { tags: [['expiration', String(NOW + 1)]] } }],
    ['dated far in the past', { wrapTemplate: { created_at: 0 }, sealTemplate: { created_at: 0 } }],
    ['whose rumor has no id', { rumor: ({ id: _, ...rumor }) => rumor }],
    ['whose rumor has null for a signature', { rumor: (rumor) => ({ ...rumor, sig: null }) }],
    ['whose rumor has an empty signature', { rumor: (rumor) => ({ ...rumor, sig: '' }) }],
    ['whose rumor has fields nobody knows', { rumor: (rumor) => ({ ...rumor, relay: 'wss://r' }) }],
    ['whose rumor is spread over lines', { rumorText: (t) => t.replaceAll(',', ' ,\n\t') }],
    ['whose rumor is all escapes', { rumorText: (t) => t.replaceAll('p', '\\u0070') }],
  ])('a wrap %s opens to the same message', (_, forgery) => {
    expect(opened(forge(forgery)).rumor).toEqual(opened(forge()).rumor)
  })

  test('a rumor of any kind opens; the doors choose among them', () => {
    const wrap = forge({ rumor: (r) => makeRumor(r.pubkey, { ...r, kind: 5, tags: [['e', 'x']] }) })
    expect(opened(wrap).rumor.kind).toBe(5)
  })

  test('a seal wrapped again, by anybody, opens to the same message and id', () => {
    const first = forge({}, victim)
    const { seal, rumor } = opened(first)
    const again = opened(forge({ seal: () => JSON.parse(seal) }))
    expect([again.sender, again.rumor]).toEqual([victim.pubkey, rumor])
  })

  const shapes = [
    ...wrapShapes(cast),
    ...wrapContentShapes(cast),
    ...sealShapes(cast),
    ...rumorShapes(cast),
    ...rumorFieldShapes(cast),
  ]

  test('the forgeries have names of their own', () => {
    expect(new Set(shapes.map((shape) => shape.name)).size).toBe(shapes.length)
    expect(shapes.length).toBeGreaterThanOrEqual(60)
  })

  test.each(shapes)('refused as $code: $name', ({ code, forgery, verified }) => {
    expect(open(forge(forgery), verified)).toEqual({ ok: false, code })
  })

  test('a wrap of the victim, verified elsewhere, is opened without a look at its signature', () => {
    const wrap = forge({ wrap: (w) => ({ ...w, sig: '0'.repeat(128) }) })
    expect(open(wrap)).toEqual({ ok: false, code: 'wrap-sig' })
    expect(open(wrap, true).ok).toBe(true)
  })

  test('a wrap for somebody else that was re-addressed does not open even when trusted', () => {
    const wrap = forgeWrap({ author: forger, to: victim.pubkey, nowSeconds: NOW })
    const moved = { ...wrap, tags: [['p', bot.pubkey]] }
    expect(open(moved, true)).toEqual({ ok: false, code: 'wrap-decrypt' })
  })

  const random = seeded()
  const rounds = sweepRounds(750, 20_000)
  test(`none of ${rounds} mutated wraps is accepted or throws, seed ${random.seed}`, {
    timeout: SWEEP_MS,
  }, () => {
    const met = new Map<string, number>()
    for (let round = 0; round < rounds; round++) {
      const { text, layer } = mutantWrap(cast, random)
      const parsed = parseJson(text)
      const answer = parsed.ok ? open(parsed.value as NostrEvent) : { ok: false, code: 'frame' }
      expect(answer.ok, `${layer}: ${text}`).toBe(false)
      const code = `${layer} ${'code' in answer ? answer.code : ''}`
      met.set(code, (met.get(code) ?? 0) + 1)
    }
    // A sweep that stops at one check says nothing about the others.
    for (const code of [
      'wrap wrap-sig',
      'payload wrap-decrypt',
      'seal seal-sig',
      'rumor rumor-id',
    ]) {
      expect(met.get(code)).toBeGreaterThan(0)
    }
  })

  describe('wrapRumor', () => {
    const template = { ...honestTemplate(bot.pubkey, NOW), kind: 14 }
    const rumor = makeRumor(victim.pubkey, template)
    const wrap = (more: Partial<Parameters<typeof wrapRumor>[0]> = {}) =>
      wrapRumor({ identity: victim, rumor, to: bot.pubkey, nowSeconds: NOW, ...more })

    test('makes a wrap that opens to the rumor', () => {
      const answer = opened(wrap())
      expect([answer.sender, answer.rumor]).toEqual([victim.pubkey, rumor])
      expect(rumor.id).toBe(getEventHash(rumor))
    })

    test('signs each wrap with a key of its own and hides the author', () => {
      const wraps = Array.from({ length: 5 }, () => wrap())
      expect(new Set(wraps.map((w) => w.pubkey)).size).toBe(5)
      for (const one of wraps) {
        expect(verifyEvent(curve, one)).toBe(true)
        expect(JSON.stringify(one)).not.toContain(victim.pubkey)
        expect(one.tags).toEqual([['p', bot.pubkey]])
      }
    })

    test('dates seal and wrap by draws of their own, up to two days back', () => {
      const draws = [5, 172_800]
      const one = wrap({ randomSeconds: () => draws.shift() ?? 0 })
      expect(JSON.parse(opened(one).seal).created_at).toBe(NOW - 5)
      expect(one.created_at).toBe(NOW - 172_800)
      const days = Array.from({ length: 20 }, () => NOW - wrap().created_at)
      expect(Math.min(...days)).toBeGreaterThanOrEqual(0)
      expect(Math.max(...days)).toBeLessThanOrEqual(172_800)
      expect(new Set(days).size).toBeGreaterThan(1)
    })

    test('puts an expiration on seal and wrap, and a relay behind the p tag', () => {
      const one = wrap({ expiration: NOW + 600, relayHint: 'wss://relay.example' })
      const expires = ['expiration', String(NOW + 600)]
      expect(one.tags).toEqual([['p', bot.pubkey, 'wss://relay.example'], expires])
      expect(JSON.parse(opened(one).seal).tags).toEqual([expires])
      expect(opened(one).rumor).toEqual(rumor)
    })

    test('carries 28,295 ASCII characters in a published frame of 64 KiB', () => {
      const large = makeRumor(victim.pubkey, { ...template, content: 'x'.repeat(28_295) })
      const one = wrap({ rumor: large })
      expect(JSON.stringify(['EVENT', one]).length).toBeLessThanOrEqual(65_536)
      expect(opened(one).rumor).toEqual(large)
    })

    test('throws when the rumor does not fit, and for an addressee off the curve', () => {
      const huge = makeRumor(victim.pubkey, { ...template, content: 'x'.repeat(50_000) })
      expect(() => wrap({ rumor: huge })).toThrow(Nip44Error)
      expect(() => wrap({ to: 'ef'.repeat(31) })).toThrow()
    })

    test('throws for a rumor of somebody else or one whose id is wrong', () => {
      expect(() => wrap({ rumor: makeRumor(forger.pubkey, template) })).toThrow('foreign rumor')
      expect(() => wrap({ rumor: { ...rumor, content: 'changed' } })).toThrow('foreign rumor')
    })

    test('leaves a signature on the object given out of the seal', () => {
      expect(opened(wrap({ rumor: victim.sign(template) })).rumor).toEqual(rumor)
    })
  })

  describe('with nostr-tools', () => {
    const to = { publicKey: bot.pubkey }

    test('its NIP-17 message opens here', () => {
      const wrap: NostrEvent = JSON.parse(
        JSON.stringify(
          wrapMessage(secrets.victim, to, 'hi', undefined, { eventId: 'ab'.repeat(32) }),
        ),
      )
      const answer = opened(wrap)
      expect([answer.sender, answer.rumor.kind, answer.rumor.content]).toEqual([
        victim.pubkey,
        14,
        'hi',
      ])
    })

    test('its NIP-59 wrap of any rumor opens here', () => {
      const event = {
        kind: 5050,
        content: 'é 漢 👩‍👧',
        tags: [['i', 'x', 'text']],
        created_at: NOW,
      }
      const wrap = wrapEvent(event, secrets.victim, bot.pubkey)
      const { rumor } = opened(JSON.parse(JSON.stringify(wrap)))
      expect(rumor).toEqual(makeRumor(victim.pubkey, event))
    })

    test('its seal around an impostor is refused here', () => {
      const rumor = createRumor({ kind: 14, content: 'x', created_at: NOW }, generateSecretKey())
      const seal = createSeal(rumor, secrets.victim, bot.pubkey)
      const wrap = JSON.parse(JSON.stringify(createWrap(seal, bot.pubkey)))
      expect(open(wrap)).toEqual({ ok: false, code: 'impersonation' })
    })

    test('our wrap opens there, with the id that we gave it', () => {
      const rumor = makeRumor(victim.pubkey, honestTemplate(bot.pubkey, NOW))
      const wrap = wrapRumor({ identity: victim, rumor, to: bot.pubkey, nowSeconds: NOW })
      expect(theirVerify(structuredClone(wrap))).toBe(true)
      expect(unwrapEvent(wrap, secrets.bot)).toEqual(rumor)
      expect(unwrapMessage(wrap, secrets.bot)).toEqual(rumor)
      expect(rumor.id).toBe(eventId(rumor))
    })
  })
})
