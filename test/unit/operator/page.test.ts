import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import jsqr from 'jsqr'
import { describe, expect, test } from 'vitest'
import { bundle, BUNDLE } from '../../../scripts/page/build.ts'
import { npub } from '../../../src/nostr/identity.ts'
import type { NostrEvent } from '../../../src/nostr/types.ts'
import { readPage } from '../../../src/operator/page-files.ts'
import { poolStates, poolStatusEvent } from '../../../src/operator/pool-status.ts'
import { newIdentity, nowSeconds, signed } from '../../support/relay-lab.ts'

/** The page's own files, which have no types of their own here. */
const load = <T>(name: string): Promise<T> => import(join(PAGE, name))
const PAGE = join(import.meta.dirname, '../../../src/operator/page')

const { encodeQr } = await load<{ encodeQr(text: string): boolean[][] }>('qr.js')
const { decodeNpub } = await load<{ decodeNpub(text: string): string | undefined }>('npub.js')
const { stepPath, roundUp, grouped, ago } = await load<{
  stepPath(
    points: { at: number; sats: number }[],
    box: { width: number; height: number; until: number },
  ): { line: string; low: number; high: number }
  roundUp(value: number): number
  grouped(count: number): string
  ago(seconds: number): string
}>('chart.js')

interface Follower {
  take(value: unknown): string
  status(): { seq: number; staleAt: number; exact?: { balance: number } } | undefined
  isStale(): boolean
  hasFallen(): boolean
  name(): string | undefined
  seen: { forged: number }
}
const { createFollower, isSigned } = await load<{
  createFollower(options: {
    bot: string
    verify(event: NostrEvent): boolean
    now(): number
  }): Follower
  isSigned(event: NostrEvent, curve: object): boolean
}>('status.js')
const { schnorr, sha256 } = await load<{ schnorr: { verify: unknown }; sha256: unknown }>(
  'signatures.js',
)
const verify = (event: NostrEvent) => isSigned(event, { sha256, verify: schnorr.verify })

/** Draws the code large, with its quiet zone, and reads it as a camera would. */
function scan(code: boolean[][]): string | undefined {
  const [module, quiet] = [4, 4]
  const size = (code.length + 2 * quiet) * module
  const pixels = new Uint8ClampedArray(size * size * 4).fill(255)
  code.forEach((line, row) => {
    line.forEach((dark, column) => {
      if (!dark) return
      for (let y = 0; y < module; y += 1) {
        for (let x = 0; x < module; x += 1) {
          const at = ((row + quiet) * module + y) * size + (column + quiet) * module + x
          pixels.fill(0, at * 4, at * 4 + 3)
        }
      }
    })
  })
  return jsqr.default(pixels, size, size)?.data
}

describe('the QR code', () => {
  test("of a bot's address is read back by a scanner", () => {
    const text = `nostr:${npub(newIdentity().pubkey)}`
    const code = encodeQr(text)
    expect(code).toHaveLength(37)
    expect(scan(code)).toBe(text)
  })

  // Every version has other blocks and patterns; from 7 on also its own number, from 10 on a longer length.
  test.each([1, 14, 15, 26, 42, 62, 84, 106, 122, 152, 180, 213])(
    'of %i characters is read back',
    (length) => {
      const text = 'Zap the pool! 0123456789 '.repeat(9).slice(0, length)
      expect(scan(encodeQr(text))).toBe(text)
    },
  )

  test('of any text that fits is read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (text) => {
        fc.pre(new TextEncoder().encode(text).length <= 213)
        expect(scan(encodeQr(text))).toBe(text)
      }),
      { numRuns: 30 },
    )
  })

  test('of more than fits is refused', () => {
    expect(() => encodeQr('x'.repeat(214))).toThrow(RangeError)
  })
})

test('an npub is read as the bot writes it, and refused with a wrong letter', () => {
  const { pubkey } = newIdentity()
  const name = npub(pubkey)
  expect(decodeNpub(name)).toBe(pubkey)
  const wrong = name.replace(/.$/, (last) => (last === 'q' ? 'p' : 'q'))
  for (const text of [wrong, name.toUpperCase(), name.slice(0, -1), '', pubkey]) {
    expect(decodeNpub(text), text).toBeUndefined()
  }
})

describe('what the page believes', () => {
  const bot = newIdentity()
  const now = nowSeconds()
  let clock = now
  const follower = () => createFollower({ bot: bot.pubkey, verify, now: () => clock })
  const status = (at: number, balanceSats: number, seq = 10) =>
    bot.sign(
      poolStatusEvent({
        ...{ at, seq, balanceSats, state: 'open', version: '1.0.0', intervalSeconds: 300 },
        budgets: { new: 0, established: 50, trusted: 200, elite: 1_000 },
        outflow: { limitSats: 950, usedSats: 380 },
        today: {
          jobs: { free: 1, partial: 2, gate: 3 },
          ...{ absorbedSats: 4, creditedSats: 5, shortfallSats: 6 },
        },
      }),
    )

  test('is the newest status, once, in whatever order relays send', () => {
    const page = follower()
    expect(page.take(status(now - 20, 100))).toBe('news')
    expect(page.take(status(now - 10, 200))).toBe('news')
    expect(page.take(status(now - 20, 100))).toBe('old')
    expect(page.take(status(now - 10, 200))).toBe('old')
    expect(page.status()?.exact?.balance).toBe(200)
  })

  test('is nothing forged, foreign or misshapen', () => {
    const page = follower()
    const real = status(now - 10, 100)
    expect(page.take({ ...real, content: real.content.replace('"open"', '"paused"') })).toBe(
      'forged',
    )
    expect(
      page.take({ ...real, sig: real.sig.replace(/^./, (x) => (x === '0' ? '1' : '0')) }),
    ).toBe('forged')
    expect(page.take({ ...real, sig: 'f'.repeat(128) })).toBe('forged')
    expect(page.take(signed(newIdentity(), real))).toBe('foreign')
    expect(page.take(signed(bot, { kind: 30_078, tags: [['d', 'else']] }))).toBe('foreign')
    expect(page.take(signed(bot, { ...real, content: '{"schema":"tithe.pool-status/2"}' }))).toBe(
      'unreadable',
    )
    expect(page.take(bot.sign({ ...real, created_at: real.created_at + 1 }))).toBe('unreadable')
    for (const junk of [null, 7, 'x', [], {}, { ...real, tags: [[1]] }, { ...real, id: 'AB' }]) {
      expect(page.take(junk)).toBe('unreadable')
    }
    expect(page.status()).toBeUndefined()
    expect(page.seen).toEqual({ forged: 3 })
  })

  // One date in the year 2100 would shut out every true status until then.
  test('is nothing from the future', () => {
    const page = follower()
    expect(page.take(status(now + 100_000, 1))).toBe('old')
    expect(page.take(status(now, 2))).toBe('news')
  })

  test('grows stale after three intervals and complains about a falling sequence', () => {
    const page = follower()
    page.take(status(now - 10, 100, 50))
    expect(page.isStale()).toBe(false)
    clock = now + 890
    expect(page.isStale()).toBe(true)
    page.take(status(now + 880, 100, 49))
    expect(page.isStale()).toBe(false)
    expect(page.hasFallen()).toBe(true)
    clock = now
  })

  test("is the bot's own name for itself", () => {
    const page = follower()
    expect(page.take(signed(bot, { kind: 0, content: '{"name":" Timmy "}' }))).toBe('profile')
    expect(page.name()).toBe('Timmy')
  })
})

describe('figures as shapes', () => {
  test('a balance is steps from the first point to now', () => {
    const box = { width: 100, height: 10, until: 100 }
    const points = [
      { at: 0, sats: 10 },
      { at: 50, sats: 20 },
    ]
    expect(stepPath(points, box)).toMatchObject({ line: 'M0 9.2H50V0.8H100', low: 10, high: 20 })
    expect(stepPath([], box).line).toBe('')
    expect(stepPath([{ at: 100, sats: 5 }], box).line).not.toContain('NaN')
  })

  test.each([
    [0, 10],
    [13, 15],
    [10_000, 10_000],
    [10_001, 12_500],
    [51_000, 60_000],
  ])('the gauge of %i goes up to %i', (value, top) => {
    expect(roundUp(value)).toBe(top)
  })

  test('numbers and times are short', () => {
    expect([0, 999, 1_000, 1_234_567].map(grouped)).toEqual(['0', '999', '1 000', '1 234 567'])
    expect([0, 59, 60, 3_600, 200_000].map(ago)).toEqual(['0 s', '59 s', '1 min', '1 h', '2 days'])
  })
})

describe('the files', () => {
  const identity = newIdentity()
  const relays = ['wss://relay.example', 'wss://other.example/secret-token']
  const files = readPage({ identity, relays })

  test('are served with the type a browser wants, and say whose page it is', () => {
    expect(files.get('/')?.contentType).toBe('text/html; charset=utf-8')
    expect(files.get('/boot.js')?.contentType).toBe('text/javascript; charset=utf-8')
    expect(files.get('/page.css')?.contentType).toBe('text/css; charset=utf-8')
    expect(JSON.parse(String(files.get('/bot.json')?.body))).toEqual({
      npub: npub(identity.pubkey),
      relays: ['wss://relay.example'],
    })
    for (const path of files.keys()) expect(path).not.toMatch(/\.(ts|json)$(?<!bot\.json)/)
  })

  test('load nothing from elsewhere and run nothing inline', () => {
    for (const name of readdirSync(PAGE).filter((file) => /\.(html|js|css)$/.test(file))) {
      const text = readFileSync(join(PAGE, name), 'utf8')
      expect(text.replaceAll('wss://relay.example', ''), name).not.toMatch(
        /(src|href|url\(|import\()\s*=?\s*["'(]?\s*(https?:)?\/\/|\son\w+=|<style|style=|javascript:/,
      )
    }
    const html = readFileSync(join(PAGE, 'index.html'), 'utf8')
    expect(html).not.toMatch(/<script(?![^>]*src=)/)
  })

  test('know every state that the bot may be in', () => {
    const text = readFileSync(join(PAGE, 'page.js'), 'utf8')
    for (const state of Object.keys(poolStates))
      expect(text).toMatch(new RegExp(`['" ]${state}'?:`))
  })

  test('the bundle is what its packages make', async () => {
    expect(readFileSync(BUNDLE, 'utf8')).toBe(await bundle())
  })
})
