import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type PoolStatusFigures,
  poolStates,
  poolStatusContent,
  poolStatusEvent,
  readPoolStatus,
} from '../../../src/operator/pool-status.ts'

const figures: PoolStatusFigures = {
  at: 1_795_348_800,
  seq: 48_211,
  state: 'open',
  balanceSats: 9_181,
  budgets: { new: 0, established: 50, trusted: 200, elite: 1_000 },
  outflow: { limitSats: 950, usedSats: 380 },
  today: {
    jobs: { free: 42, partial: 10, gate: 4 },
    absorbedSats: 380,
    creditedSats: 61,
    shortfallSats: 0,
  },
  version: '1.0.0',
  intervalSeconds: 300,
}
const coarse = { mode: 'coarse', seedSats: 10_000, typicalSats: 60 } as const

const contentOf = (...args: Parameters<typeof poolStatusEvent>) =>
  JSON.parse(poolStatusEvent(...args).content)

describe('the event', () => {
  test('the exact one has every figure in sats and is found by its tags', () => {
    const event = poolStatusEvent(figures)
    expect(event).toMatchObject({ kind: 30_078, created_at: 1_795_348_800 })
    expect(event.tags).toEqual([
      ['d', 'tithe/pool-status'],
      ['t', 'tithe-pool-status'],
      ['status', 'open', 'free, partial and paid jobs accepted'],
      ['interval', '300'],
      ['seq', '48211'],
      ['expiration', '1795349760'],
    ])
    expect(JSON.parse(event.content)).toEqual({
      schema: 'tithe.pool-status/1',
      at: 1_795_348_800,
      seq: 48_211,
      state: 'open',
      balance_sats: 9_181,
      daily_budgets_sats: { new: 0, established: 50, trusted: 200, elite: 1_000 },
      outflow: { limit_sats: 950, used_sats: 380 },
      resets_at: 1_795_392_000,
      today: {
        jobs: { free: 42, partial: 10, gate: 4 },
        absorbed_sats: 380,
        credited_sats: 61,
        shortfall_sats: 0,
      },
      version: '1.0.0',
    })
  })

  test('the coarse one has no sats, quarters of the seed and counts in fives', () => {
    expect(contentOf(figures, coarse)).toEqual({
      schema: 'tithe.pool-status/1',
      at: 1_795_348_800,
      seq: 48_211,
      state: 'open',
      pool_pct: 75,
      tiers: { new: 'gate', established: 'partial', trusted: 'free', elite: 'free' },
      resets_at: 1_795_392_000,
      today: { jobs: { free: 40, partial: 10, gate: 0 } },
      version: '1.0.0',
    })
    expect(poolStatusEvent(figures, coarse).tags).toEqual(poolStatusEvent(figures).tags)
  })

  test.each([
    [0, 10_000, 0],
    [2_499, 10_000, 0],
    [2_500, 10_000, 25],
    [9_999, 10_000, 75],
    [10_000, 10_000, 100],
    [99_999, 10_000, 100],
    [0, 0, 0],
    [1, 0, 100],
  ])('%i sats of a seed of %i are %i percent', (balanceSats, seedSats, pct) => {
    const content = contentOf({ ...figures, balanceSats }, { ...coarse, seedSats })
    expect(content.pool_pct).toBe(pct)
  })

  test('a used-up breaker gates every tier in the coarse status', () => {
    const outflow = { limitSats: 950, usedSats: 950 }
    expect(new Set(Object.values(contentOf({ ...figures, outflow }, coarse).tiers))).toEqual(
      new Set(['gate']),
    )
  })

  test('a status at midnight names the next midnight', () => {
    expect(contentOf({ ...figures, at: 1_795_392_000 }).resets_at).toBe(1_795_478_400)
    expect(contentOf({ ...figures, at: 1_795_391_999 }).resets_at).toBe(1_795_392_000)
  })

  test('whatever the figures are, the content keeps its schema and is read back', () => {
    const sats = fc.nat(1_000_000)
    const anyFigures = fc.record({
      at: fc.integer({ min: 1, max: 4e9 }),
      seq: fc.nat(),
      state: fc.constantFrom(...Object.keys(poolStates)).map((name) => name as 'open'),
      balanceSats: sats,
      budgets: fc.record({ new: sats, established: sats, trusted: sats, elite: sats }),
      outflow: fc.record({ limitSats: sats, usedSats: sats }),
      today: fc.record({
        jobs: fc.record({ free: sats, partial: sats, gate: sats }),
        absorbedSats: sats,
        creditedSats: sats,
        shortfallSats: sats,
      }),
      version: fc.string({ maxLength: 100 }),
      intervalSeconds: fc.integer({ min: 60, max: 86_400 }),
    })
    const detail = fc.oneof(
      fc.constant({ mode: 'exact' } as const),
      fc.record({ mode: fc.constant('coarse' as const), seedSats: sats, typicalSats: sats }),
    )
    fc.assert(
      fc.property(anyFigures, detail, (some, how) => {
        const event = poolStatusEvent(some, how)
        const reading = readPoolStatus(event)
        if (!reading.ok) throw new Error(reading.reason)
        expect(reading.status).toEqual(JSON.parse(event.content))
        expect(reading.staleAt).toBe(some.at + 3 * some.intervalSeconds)
      }),
      { numRuns: 300 },
    )
  })
})

describe('a reader', () => {
  const event = poolStatusEvent(figures)
  const edited = (change: object) => JSON.stringify({ ...JSON.parse(event.content), ...change })
  const tags = (name: string, value: string) =>
    event.tags.map((tag) => (tag[0] === name ? [name, value] : tag))

  test.each([
    ['another kind', { ...event, kind: 30_079 }, 'kind'],
    ['another d', { ...event, tags: tags('d', 'tithe/pool') }, 'd'],
    ['no tags', { ...event, tags: [] }, 'd'],
    ['no JSON', { ...event, content: '{' }, 'json'],
    ['a key twice', { ...event, content: '{"at":1,"at":1}' }, 'json'],
    ['another schema', { ...event, content: edited({ schema: 'tithe.pool-status/2' }) }, 'schema'],
    ['half a sat', { ...event, content: edited({ balance_sats: 0.5 }) }, 'schema'],
    ['a negative balance', { ...event, content: edited({ balance_sats: -1 }) }, 'schema'],
    ['an unknown state', { ...event, content: edited({ state: 'toString' }) }, 'schema'],
    ['a later date outside', { ...event, created_at: event.created_at + 1 }, 'time'],
    ['another sequence outside', { ...event, tags: tags('seq', '1') }, 'sequence'],
    ['no interval', { ...event, tags: tags('interval', 'x') }, 'time'],
  ])('refuses %s', (_, broken, reason) => {
    expect(readPoolStatus(broken)).toEqual({ ok: false, reason })
  })

  test('leaves alone what a later version added', () => {
    const reading = readPoolStatus({ ...event, content: edited({ mood: 'good' }) })
    expect(reading).toMatchObject({ ok: true, status: { balance_sats: 9_181 } })
  })

  test('holds a status for stale when it expires before three intervals are over', () => {
    const reading = readPoolStatus({ ...event, tags: tags('expiration', '1795348900') })
    expect(reading).toMatchObject({ ok: true, staleAt: 1_795_348_900 })
  })

  test('the schema tells the two ways apart', () => {
    expect(poolStatusContent.parse(contentOf(figures))).toHaveProperty('balance_sats')
    expect(poolStatusContent.parse(contentOf(figures, coarse))).not.toHaveProperty('balance_sats')
  })
})
