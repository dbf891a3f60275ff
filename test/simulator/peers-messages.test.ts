import { expect, test } from 'vitest'
import { stages } from './scenarios.ts'
import { calm } from './world.ts'

/*
 * Bugs that other bots and gateways had, or have, with messages: dropped because they are late, answered twice
 * because they came twice, lost because a relay did not take them.
 */

const stage = stages()

const HOUR_MS = 3_600_000

// Whatever is older than ten minutes is dropped, so a longer downtime loses messages.
test('btcrecharge: a message of a downtime of 47 hours is answered', async () => {
  using play = await stage('btcrecharge old')
  const customers = play.customers(5)
  for (const customer of customers) {
    customer.asksFor(30)
    await play.later(9 * HOUR_MS)
  }
  await play.later(2 * HOUR_MS)
  play.world.start()
  for (const customer of customers) await play.hears(customer, 'invoice')
  expect(await play.faults()).toEqual([])
})

// Seen ids are kept in memory: what is younger than ten minutes is read again after a restart.
test('btcrecharge: a message is not answered again after a restart', async () => {
  using play = await stage('btcrecharge again')
  const bot = play.world.start()
  const customer = await play.customer()
  customer.writes('/balance')
  customer.asksFor(30)
  await play.until('two answers', () => customer.heard.length === 2)
  bot.die('and is back at once')
  play.world.start()
  await play.later(30_000)
  expect(customer.heard).toHaveLength(2)
})

// The result is given to relays once, and the order is forgotten whether one took it or not.
test('btcrecharge: a result that no relay takes at first arrives', async () => {
  const dials = { ...calm, relays: { ...calm.relays, unreachable: 1 } }
  using play = await stage('btcrecharge relays', { dials })
  play.world.start()
  const customer = await play.customer({ tier: 'elite' })
  customer.asksFor(20, { model: 'flat' })
  await play.later(10 * 60_000)
  expect(customer.heard).toEqual([])
  play.world.heal()
  await play.hears(customer, 'result')
  expect(await play.faults()).toEqual([])
})

// A few failures and the message is gone.
test('Mostro: a reply whose relays refuse, hang and answer nothing is sent once in the end', async () => {
  const relays = { ...calm.relays, refused: 0.4, unreachable: 0.3, ackLost: 0.8 }
  using play = await stage('mostro messages', { dials: { ...calm, relays } })
  play.world.start()
  const customer = await play.customer()
  for (let left = 5; left > 0; left -= 1) customer.writes('/pool')
  await play.later(3 * 60_000)
  play.world.heal()
  expect(await play.faults()).toEqual([])
  expect(customer.heard).toHaveLength(5)
})

// A rumor dated before "now" is dropped: practically everything that took a second to arrive.
test('nostrdvm: a message that took minutes to arrive is answered', async () => {
  using play = await stage('nostrdvm minutes')
  play.world.start()
  const customer = await play.customer()
  customer.writes('/balance', { ageSeconds: 300 })
  await play.hears(customer, 'balance')
  expect(await play.faults()).toEqual([])
})

// Work is awaited where messages are read: one slow job delays everybody.
test('nostrdvm: a backend that hangs delays nobody else', async () => {
  const dials = { ...calm, backend: { ...calm.backend, hangs: 1 } }
  using play = await stage('nostrdvm hangs', { dials, settings: { workSlots: 1 } })
  play.world.start()
  const [slow, quick] = [await play.customer({ tier: 'elite' }), await play.customer()]
  slow.asksFor(20)
  await play.hears(slow, 'working')
  const askedAt = play.world.time.now()
  quick.asksFor(20)
  quick.writes('/balance')
  await play.hears(quick, 'invoice')
  await play.hears(quick, 'balance')
  expect(play.world.time.now() - askedAt).toBeLessThan(1_000)
  play.world.heal()
  expect(await play.faults()).toEqual([])
})

// A subscription since "now": what came in between is never read.
test('ContextVM: what relays withheld is answered when they show it', async () => {
  const dials = { ...calm, feed: { ...calm.feed, withheld: 1 } }
  using play = await stage('contextvm withheld', { dials })
  play.world.start()
  const customer = await play.customer()
  customer.asksFor(30)
  await play.later(60_000)
  expect(customer.heard).toEqual([])
  play.world.feed.again('everything')
  await play.hears(customer, 'invoice')
  expect(await play.faults()).toEqual([])
})

// One message by two doors is two jobs, and two invoices.
test('btcrecharge: one text by NIP-04 and by NIP-17 is one job', async () => {
  using play = await stage('btcrecharge doors')
  play.world.start()
  const customer = await play.customer()
  customer.writes('zebra twin', { via: 'nip17' })
  customer.writes('zebra twin', { via: 'nip04' })
  await play.hears(customer, 'invoice')
  await play.later(10_000)
  expect(await play.jobs()).toHaveLength(1)
  expect(customer.heard).toHaveLength(1)
})

// The webhook is tried once, and not at all when either side is down.
test('LNbits: a payment that nobody announces is found', async () => {
  using play = await stage('lnbits silent')
  const bot = play.world.start()
  const customer = await play.customer()
  customer.asksFor(30)
  await play.hears(customer, 'invoice')
  bot.die('so that nobody hears of it')
  customer.pays()
  play.world.start()
  await play.hears(customer, 'result')
  expect(await play.faults()).toEqual([])
})
