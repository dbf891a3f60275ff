import { expect, test } from 'vitest'
import type { Failpoint } from '../../src/failpoint.ts'
import { stages } from './scenarios.ts'
import { calm } from './world.ts'

/*
 * Bugs that other bots and gateways had, or have, between the payment and the delivery: a process that dies there,
 * an outcome that nobody hears of. Each is played here by the same hands, and must end otherwise.
 */

const stage = stages()

// Twenty paid calls, killed when the twentieth payment landed: twenty paid, none delivered, none refunded.
test('ContextVM: twenty paid jobs of a bot that is killed are all delivered', async () => {
  using play = await stage('contextvm')
  const { world } = play
  const bot = world.start()
  const customers = play.customers(20)
  for (const customer of customers) customer.asksFor(30)
  for (const customer of customers) await play.hears(customer, 'invoice')
  for (const customer of customers) expect(customer.pays()).toBe(true)
  bot.die('when the last payment landed')
  await play.later(1_000)
  world.start()
  for (const customer of customers) await play.hears(customer, 'result')
  expect(await play.faults()).toEqual([])
  expect((await play.jobs()).map(({ state }) => state)).toEqual(new Array(20).fill('done'))
})

const roadToTheResult: Failpoint[] = [
  'payment:seen',
  'payment:before-commit',
  'payment:committed',
  'work:start',
  'work:end',
  'settle:before-commit',
  'settle:committed',
  'deliver:signed',
  'deliver:stored',
  'deliver:published',
]

// A deposit taken, a gate that fails, and no session: "paid but not served" is their longest list of reports.
test.each(roadToTheResult)(
  'OpenTollGate: a bot that dies at %s serves what was paid',
  async (place) => {
    using play = await stage(`tollgate ${place}`)
    const { world } = play
    const bot = world.start()
    const customer = await play.customer()
    customer.asksFor(30)
    await play.hears(customer, 'invoice')
    bot.crashAt(place)
    customer.pays()
    await play.until('its death', () => bot.state === 'dead')
    world.start()
    await play.hears(customer, 'result')
    expect(await play.faults()).toEqual([])
  },
)

// A list in memory of who owes a result: jobs and top-ups that are paid while nobody runs are forgotten.
test('nostrdvm: what is paid while the bot is off is served and credited when it is back', async () => {
  using play = await stage('nostrdvm off')
  const { world } = play
  const bot = world.start()
  const [worker, saver] = [await play.customer(), await play.customer()]
  worker.asksFor(20)
  saver.writes('/topup 500')
  await play.hears(worker, 'invoice')
  await play.hears(saver, 'invoice')
  bot.die('for the night')
  worker.pays()
  saver.pays()
  await play.later(8 * 3_600_000)
  world.start()
  await play.until('the credit', () => saver.last('balance') !== undefined)
  await play.until('an end', () => worker.heard.length > 1)
  expect(await play.faults()).toEqual([])
  expect(await play.balance(saver)).toBe(500)
})

// The session is closed in the database, the refund paid by a goroutine, and its outcome kept in memory.
test.each(['settle:before-commit', 'settle:committed'] as const)(
  'Aperture: a refund outlives a death at %s',
  async (place) => {
    using play = await stage(`aperture ${place}`)
    const { world } = play
    const bot = world.start()
    const customer = await play.customer()
    customer.asksFor(30, { model: 'token' })
    const { chargeSats } = await play.hears(customer, 'invoice')
    bot.crashAt(place)
    customer.pays()
    await play.until('its death', () => bot.state === 'dead')
    world.start()
    const result = await play.hears(customer, 'result')
    expect(result.refundSats).toBeGreaterThan(0)
    expect(await play.faults()).toEqual([])
    expect(await play.balance(customer)).toBe(Number(chargeSats) - Number(result.chargeSats))
  },
)

// The request is marked as seen before anything is done: after a crash it counts as answered, and never is.
test.each([
  'accept:before-commit',
  'accept:committed',
  'answer:before-commit',
  'answer:committed',
] as const)(
  'Alby Hub: a message that was being read at a death at %s is answered once',
  async (place) => {
    using play = await stage(`hub ${place}`)
    const { world } = play
    const bot = world.start()
    const customer = await play.customer()
    bot.crashAt(place)
    if (place.startsWith('accept')) customer.asksFor(30)
    else customer.writes('/balance')
    await play.until('its death', () => bot.state === 'dead')
    world.start()
    await play.hears(customer, place.startsWith('accept') ? 'invoice' : 'balance')
    await play.later(20_000)
    expect(customer.heard).toHaveLength(1)
  },
)

// The invoice is completed before, and outside, the transaction that admits who paid it.
test('nostream: a payment and what it buys are one commit', async () => {
  using play = await stage('nostream commit')
  const { world } = play
  const bot = world.start()
  const customer = await play.customer()
  customer.writes('/topup 300')
  await play.hears(customer, 'invoice')
  bot.crashAt('payment:before-commit')
  customer.pays()
  await play.until('its death', () => bot.state === 'dead')
  const rows = await world.session.sql`select 1 from invoices where state = 'paid'`
  expect(rows).toHaveLength(0)
  expect(await play.balance(customer)).toBe(0)
  world.start()
  await play.hears(customer, 'balance')
  expect(await play.balance(customer)).toBe(300)
  expect(await play.faults()).toEqual([])
})

// A reservation that a restart leaves behind blocks every later refund.
test('Routstr: what a dead process had reserved is settled or released', async () => {
  using play = await stage('routstr stuck', { rules: { poolDailyOutflowPct: 100 } })
  const { world } = play
  const bot = world.start()
  const customer = await play.customer({ tier: 'elite' })
  customer.asksFor(40, { model: 'token' })
  bot.crashAt('work:start')
  await play.until('its death', () => bot.state === 'dead')
  world.start()
  await play.hears(customer, 'result')
  expect(await play.faults()).toEqual([])
  const [pool] = await world.session.sql<{ away: number }[]>`
    select sum(reserved_sats - absorbed_sats) as away from jobs where finished_at is null`
  expect(pool?.away ?? null).toBeNull()
})

// Work runs in a channel of the process; the refund is tried once, in the process.
test('LightningTipBot: work that kills its process every time ends in a refund', async () => {
  using play = await stage('tipbot poison', { settings: { workLeaseSeconds: 10 } })
  const { world } = play
  const customer = await play.customer()
  let bot = world.start()
  world.onDeath(() => {
    bot = world.start()
    if (deaths++ < 20) bot.crashAt('work:start')
  })
  let deaths = 0
  customer.asksFor(20)
  await play.hears(customer, 'invoice')
  bot.crashAt('work:start')
  customer.pays()
  await play.until('an end', () => deaths > 3)
  // The poison is in the work itself; whoever ends it in the fifth claim passes the same place once more.
  bot.calmDown()
  const failed = await play.hears(customer, 'failed')
  expect(failed.refundSats).toBe((await play.jobs())[0]?.paidSats)
  expect(await play.faults()).toEqual([])
})

// Verify, work, then settle: a crash before the settlement is free work; a retry of the customer charges twice.
test('x402: a customer who sends its message again after a crash is charged once', async () => {
  using play = await stage('x402')
  const { world } = play
  const bot = world.start()
  const customer = await play.customer()
  await play.topUp(customer, 1_000)
  customer.asksFor(30, { model: 'flat' })
  bot.crashAt('work:end')
  await play.until('its death', () => bot.state === 'dead')
  world.start()
  world.feed.again('everything')
  await play.hears(customer, 'result')
  world.feed.again('everything')
  expect(await play.faults()).toEqual([])
  expect(await play.balance(customer)).toBe(1_000 - 21)
})

// Two processes on one identity, as a blue-green start makes them: the queue's consumer is started twice.
test('ezdvm: two replicas do a job once and answer it once', async () => {
  using play = await stage('ezdvm', { dials: { ...calm, feed: { ...calm.feed, doubled: 1 } } })
  const { world } = play
  world.start()
  world.start()
  const customer = await play.customer()
  customer.asksFor(30)
  await play.hears(customer, 'invoice')
  customer.pays()
  await play.hears(customer, 'result')
  await play.later(60_000)
  expect([...world.backend.runs().values()]).toEqual([1])
  expect(await play.faults()).toEqual([])
})

// Every trade in flight across a restart was mishandled, and outgoing messages were an in-memory queue.
test('Mostro: one restart after another loses no step of a job', async () => {
  using play = await stage('mostro restarts')
  const { world } = play
  let bot = world.start()
  const customer = await play.customer()
  const restart = () => {
    bot.die('to be started again')
    bot = world.start()
  }
  customer.asksFor(30)
  for (const ms of [3, 40, 60, 90, 130]) {
    await play.later(ms)
    restart()
  }
  await play.hears(customer, 'invoice')
  customer.pays()
  for (const ms of [30, 60, 90, 400, 900]) {
    await play.later(ms)
    restart()
  }
  await play.hears(customer, 'result')
  expect(await play.faults()).toEqual([])
})

// After thirty seconds the customer is told to retry, and the late success is dropped.
test('OpenTollGate: work that outlasts its lease and its process is delivered once', async () => {
  using play = await stage('tollgate late', {
    settings: { workLeaseSeconds: 10 },
    dials: { ...calm, backend: { ...calm.backend, slow: 1 } },
  })
  const { world } = play
  const bot = world.start()
  const customer = await play.customer()
  customer.asksFor(30)
  await play.hears(customer, 'invoice')
  customer.pays()
  await play.hears(customer, 'working')
  bot.suspend(40_000)
  world.start()
  await play.hears(customer, 'result')
  await play.later(120_000)
  expect(customer.heard.filter(({ reply }) => reply.type === 'result')).toHaveLength(1)
  expect(await play.faults()).toEqual([])
})

// An error after the work was reported, and nothing given back; orders that were paid were left where they stood.
test.each(Array.from({ length: 24 }, (_, at) => at + 1))(
  'nostrdvm, Mostro: whatever statement fails after the payment (the %i.), it is served or given back',
  async (count) => {
    using play = await stage(`nostrdvm fails ${count}`)
    const bot = play.world.start()
    const customer = await play.customer()
    customer.asksFor(30)
    const { chargeSats } = await play.hears(customer, 'invoice')
    await play.later(2_000)
    customer.pays()
    bot.fuse(count, count % 2 === 0 ? 'lost-after' : 'lost-before')
    await play.until('an end', () =>
      /^(result|failed)$/.test(`${customer.heard.at(-1)?.reply.type}`),
    )
    expect(await play.faults()).toEqual([])
    const { chargeSats: cost } = customer.last('result')?.reply ?? { chargeSats: 0 }
    expect(await play.balance(customer)).toBe(Number(chargeSats) - Number(cost))
  },
)

// A start released every reservation it found, also those of work that another process was at.
test('Routstr: a second process that starts leaves what is at work alone', async () => {
  using play = await stage('routstr start', {
    dials: { ...calm, backend: { ...calm.backend, slow: 1 } },
  })
  const { world } = play
  world.start()
  const customer = await play.customer({ tier: 'elite' })
  customer.asksFor(20, { model: 'flat' })
  await play.hears(customer, 'working')
  world.start()
  world.start().die('and is started again')
  world.start()
  await play.later(0)
  const [held] = await world.session.sql<{ sats: number }[]>`select held_sats as sats from jobs`
  expect(held?.sats).toBe(21)
  await play.hears(customer, 'result')
  expect([...world.backend.runs().values()]).toEqual([1])
  expect(await play.faults()).toEqual([])
})

// Sixty-four paid calls at a time: six timed out, without any crash, and got nothing for their sats.
test('ContextVM: sixty-four paid jobs of one moment are all delivered', async () => {
  using play = await stage('contextvm many', { strict: false })
  const { world } = play
  world.start()
  const customers = play.customers(64)
  for (const customer of customers) customer.asksFor(30, { model: 'flat' })
  for (const customer of customers) await play.hears(customer, 'invoice')
  for (const customer of customers) expect(customer.pays()).toBe(true)
  for (const customer of customers) await play.hears(customer, 'result')
  expect(await play.faults()).toEqual([])
})
