import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { daemonLab, type LabCustomer } from '../support/daemon-lab.ts'
import { startFlood } from '../support/flood.ts'
import { newIdentity } from '../support/relay-lab.ts'
import { until } from '../support/until.ts'

const FLOOD_MS = 6_000
const EVERY_MS = 250

/** Asks on a beat as long as the flood lasts; answers how often. */
async function askOnABeat(customer: LabCustomer): Promise<number> {
  const ids: string[] = []
  const end = performance.now() + FLOOD_MS
  while (performance.now() < end) {
    ids.push(await customer.ask({ type: 'job', request: `question ${ids.length}` }))
    await systemClock.sleep(EVERY_MS)
  }
  for (const id of ids) expect(await customer.reply(id)).toMatchObject({ type: 'invoice' })
  return ids.length
}

/** Speed is the bench's: here nothing honest may be lost, and what is shed must be counted. */
test('no honest request is lost beside a flood, and all junk is counted', async () => {
  const secret = Buffer.alloc(32, 9)
  await using lab = await daemonLab({ secret })
  const { pubkey: bot } = newIdentity(secret)
  await using flood = await startFlood({ bot, relay: lab.relay.url })
  const daemon = await lab.start({ RELAYS: `${lab.relay.url},${flood.url}` })
  const customers = [await lab.customer(), await lab.customer()]
  flood.set(1)
  const asked = await Promise.all(customers.map(askOnABeat))
  flood.set(0)
  const total = asked.reduce((sum, count) => sum + count, 0)
  expect(await lab.db.sql`select id from jobs`).toHaveLength(total)
  await until('all junk is counted', async () => {
    const text = await (await fetch(new URL('/metrics', daemon.statusUrl))).text()
    const dropped = /^tithe_intake_dropped_total\{reason="wrap-decrypt"\} (\d+)/m.exec(text)?.[1]
    return Number(dropped) >= flood.sent().junk
  })
  expect(flood.sent().useless).toBeGreaterThan(1_000)
})
