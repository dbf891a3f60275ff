import { expect, test } from 'vitest'
import { silentLog } from '../../../src/log.ts'
import { createSurroundings } from '../../../src/operator/surroundings.ts'
import { readReplicas } from '../../../src/store/replicas.ts'
import { freshDatabase } from '../../support/database.ts'
import { fastClock } from '../../support/fast-clock.ts'
import type { Sql } from '../../../src/store/database.ts'

function surroundings(sql: Sql) {
  const clock = fastClock()
  const world = { up: true, asked: 0, liveSince: undefined as number | undefined }
  const loop = createSurroundings({
    ...{ sql, clock, log: silentLog, holder: 'one', version: '1.0.0', backend: 'echo' },
    relays: () => [{ url: 'ws://a.example', state: 'open', liveSince: world.liveSince }],
    lnbits: {
      async balanceMsat() {
        world.asked += 1
        if (!world.up) throw new Error('no answer')
        return 41_999n
      },
    },
    eventsUp: () => world.up,
    http: () => 'http://127.0.0.1:1',
  })
  return { clock, world, loop }
}

test('what a replica knows is a row with durations, gone when it stops', async () => {
  await using db = await freshDatabase()
  const { clock, world, loop } = surroundings(db.sql)
  world.liveSince = clock.now() - 5_000
  clock.step(60_000)
  await loop.runOnce()
  const [row] = await readReplicas(db.sql)
  expect(row).toMatchObject({
    ...{ holder: 'one', version: '1.0.0' },
    facts: {
      lnbits: { up: true, events: true, balanceSats: 41, downMs: null },
      ...{ backend: 'echo', http: 'http://127.0.0.1:1' },
    },
  })
  expect(row?.facts.relays[0]?.liveMs).toBeGreaterThanOrEqual(65_000)
  await loop.stop()
  expect(await readReplicas(db.sql)).toEqual([])
})

test('silence of a relay and of LNbits is timed from when it began', async () => {
  await using db = await freshDatabase()
  const { clock, world, loop } = surroundings(db.sql)
  world.up = false
  await loop.runOnce()
  clock.step(50_000)
  const facts = await loop.runOnce()
  expect(facts.lnbits).toMatchObject({ up: false, balanceSats: null })
  for (const ms of [facts.lnbits.downMs, facts.relays[0]?.deafMs]) {
    expect(ms).toBeGreaterThanOrEqual(50_000)
    expect(ms).toBeLessThan(60_000)
  }
  expect(loop.isDegraded()).toBe(false)
  clock.step(20_000)
  expect(loop.isDegraded()).toBe(true)
  world.up = true
  world.liveSince = clock.now()
  expect(await loop.runOnce()).toMatchObject({ relays: [{ deafMs: null }], lnbits: { up: true } })
  expect(loop.isDegraded()).toBe(false)
})

test('LNbits is asked in every third look while it answers', async () => {
  await using db = await freshDatabase()
  const { world, loop } = surroundings(db.sql)
  for (let look = 0; look < 7; look += 1) await loop.runOnce()
  expect(world.asked).toBe(3)
})
