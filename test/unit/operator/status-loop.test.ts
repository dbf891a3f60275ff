import { expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { addToPool, pausePool, setBudget } from '../../../src/operator/commands/pool.ts'
import { readPoolStatus } from '../../../src/operator/pool-status.ts'
import { gapMs } from '../../../src/operator/status-loop.ts'
import type { NostrEvent } from '../../../src/nostr/types.ts'
import { setConfig } from '../../../src/store/pool.ts'
import { commandOn } from '../../support/command.ts'
import { statusLab } from '../../support/status-lab.ts'

function read(event: NostrEvent) {
  const reading = readPoolStatus(event)
  if (!reading.ok) throw new Error(`no status: ${reading.reason}`)
  return reading.status
}

const inState = (state: string) => (event: NostrEvent) => read(event).state === state
/** The figures of an exact status. */
const shown = (event: NostrEvent) => {
  const status = read(event)
  return 'balance_sats' in status ? status : undefined
}
const dates = (events: readonly NostrEvent[]) => events.map((event) => event.created_at)

function expectGrowing(events: readonly NostrEvent[]) {
  const all = dates(events)
  expect(all).toEqual([...new Set(all)].toSorted((a, b) => a - b))
}

test('a start publishes at once, and the event expires after three missed intervals', async () => {
  await using lab = await statusLab()
  const loop = await lab.replica('one')
  loop.start()
  const event = await lab.status()
  expect(read(event)).toMatchObject({ state: 'open', balance_sats: 10_000, seq: 1 })
  expect(event.tags).toContainEqual(['expiration', String(event.created_at + 3 * 300 + 60)])
  expect(Math.abs(event.created_at - systemClock.now() / 1000)).toBeLessThan(60)
})

test('changes that come together are one event, which shows all of them', async () => {
  await using lab = await statusLab()
  const loop = await lab.replica('one')
  loop.start()
  await lab.status()
  for (let count = 0; count < 20; count += 1) loop.touch()
  await setConfig(lab.db.sql, 'pool_paused', true)
  await lab.status(inState('paid-only'))
  expect(lab.heard).toHaveLength(2)
})

test('what an operator changes by command is published at once, by whoever has the turn', async () => {
  await using lab = await statusLab()
  const [one, two] = [await lab.replica('one'), await lab.replica('two')]
  one.start()
  await lab.status()
  two.start()
  const context = commandOn(lab.db.url)
  await pausePool(context, { paused: true })
  await lab.status(inState('paid-only'))
  await pausePool(context, { paused: false })
  await lab.status(inState('open'), 2)
  await addToPool(context, { amount: '500' })
  await lab.status((event) => shown(event)?.balance_sats === 10_500)
  await setBudget(context, { tier: 'elite', amount: '7' })
  const last = await lab.status((event) => shown(event)?.daily_budgets_sats.elite === 7)
  expect(read(last)).toMatchObject({ state: 'open', balance_sats: 10_500 })
})

test('without any change it is published on the interval', async () => {
  await using lab = await statusLab()
  const loop = await lab.replica('one', { intervalSeconds: 1 })
  loop.start()
  await lab.status(() => true, 2)
  expectGrowing(lab.heard)
})

test('dates grow across restarts, replicas and within one second', async () => {
  await using lab = await statusLab()
  for (let round = 0; round < 4; round += 1) {
    const loop = await lab.replica(`holder-${round}`)
    for (let count = 0; count < 3; count += 1) expect(await loop.runOnce()).toBe(true)
    await loop.stop()
  }
  await lab.status(() => true, 12)
  expectGrowing(lab.heard)
})

test('two replicas at once never give the same date, and the later date shows the later books', async () => {
  await using lab = await statusLab()
  const two = [await lab.replica('one'), await lab.replica('two')]
  for (let round = 0; round < 5; round += 1) {
    await lab.db.sql`delete from outbox_turns`
    await Promise.all(two.map((loop) => loop.runOnce()))
    await lab.db.sql`
      insert into transfers (kind, debit, credit, sats, ref, day)
      values ('pool_add', 'operator', 'pool', 1, ${`round:${round}`}, current_date)`
  }
  await lab.status(() => true, 5)
  const byDate = lab.heard.toSorted((a, b) => a.created_at - b.created_at)
  expect(new Set(dates(byDate)).size).toBe(byDate.length)
  const seqs = byDate.map((event) => read(event).seq)
  expect(seqs).toEqual(seqs.toSorted((a, b) => a - b))
})

test('of two replicas one publishes, and hears of changes that the other makes', async () => {
  await using lab = await statusLab()
  const one = await lab.replica('one')
  one.start()
  await lab.status()
  const two = await lab.replica('two')
  two.start()
  expect(await two.runOnce()).toBe(false)
  await setConfig(lab.db.sql, 'pool_paused', true)
  two.touch()
  await lab.status(inState('paid-only'))
  expect(lab.heard).toHaveLength(2)
})

// Otherwise every deployment of a new version would tell the world that the bot takes no jobs.
test('a replica that stops hands over without a pause; the last one says paused', async () => {
  await using lab = await statusLab()
  const one = await lab.replica('one')
  one.start()
  await lab.status()
  const two = await lab.replica('two')
  two.start()
  await one.stop()
  const handedOver = await lab.status(() => true, 2)
  expect(read(handedOver)).toMatchObject({ state: 'open' })
  await two.stop()
  const last = await lab.status(inState('paused'))
  expect(last.tags).toContainEqual(['status', 'paused', 'not accepting jobs'])
  expect(lab.heard.at(-1)).toEqual(last)
  expectGrowing(lab.heard)
})

test('a replica that died loses the turn when its time is over', async () => {
  await using lab = await statusLab()
  const dead = await lab.replica('dead')
  await dead.runOnce()
  const alive = await lab.replica('alive')
  expect(await alive.runOnce()).toBe(false)
  await lab.db.sql`update outbox_turns set until = now() - interval '1 second'`
  expect(await alive.runOnce()).toBe(true)
})

test('a state that was put back shows as a falling sequence with a growing date', async () => {
  await using lab = await statusLab()
  const loop = await lab.replica('one')
  await lab.db.sql`update outbox_status set sequence = 900`
  await loop.runOnce()
  await lab.db.sql`update outbox_status set sequence = 0`
  await loop.runOnce()
  await lab.status(() => true, 2)
  expect(lab.heard.map((event) => read(event).seq)).toEqual([900, 1])
  expectGrowing(lab.heard)
})

test('what is degraded says so, and a mode of off says nothing', async () => {
  await using lab = await statusLab()
  const loop = await lab.replica('one', { degraded: () => true })
  await loop.runOnce()
  expect(read(await lab.status())).toMatchObject({ state: 'degraded' })
  const off = await lab.replica('two', { mode: 'off' })
  off.start()
  await off.stop()
  expect(lab.heard).toHaveLength(1)
})

test('coarse tells no sats', async () => {
  await using lab = await statusLab()
  const loop = await lab.replica('one', { mode: 'coarse' })
  await loop.runOnce()
  const { content } = await lab.status()
  expect(content).not.toContain('sats')
  expect(JSON.parse(content)).toMatchObject({
    pool_pct: 100,
    tiers: { new: 'gate', elite: 'free' },
  })
})

test('a relay that is down does not stop the loop', async () => {
  await using lab = await statusLab()
  let fails = 2
  const published: number[] = []
  const loop = await lab.replica('one', {
    intervalSeconds: 1,
    async publish(event) {
      fails -= 1
      if (fails >= 0) throw new Error('no relay')
      published.push(event.created_at)
    },
  })
  loop.start()
  await expect.poll(() => published.length, { timeout: 10_000 }).toBeGreaterThan(0)
})

test.each([
  [[], 100_000, 2_000],
  [[99_000], 100_000, 2_000],
  [[50_000, 60_000, 70_000, 80_000, 90_000, 99_000], 100_000, 10_000],
  [[30_000, 60_000, 70_000, 80_000, 90_000, 99_000], 100_000, 2_000],
  [[1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000], 8_000, 54_000],
])('after events at %j a change at %i ms waits %i ms', (lately, now, waits) => {
  expect(gapMs([...lately], now)).toBe(waits)
})
