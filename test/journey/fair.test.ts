import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { DELIVERY_SLOTS } from '../../src/limits.ts'
import type { Sql } from '../../src/store/database.ts'
import { takeDueLooks } from '../../src/store/invoices.ts'
import { withdrawalLane } from '../../src/store/lanes.ts'
import { setGrantedTier } from '../../src/store/customers.ts'
import { botLab, someKey } from '../support/bot.ts'
import { freshDatabase } from '../support/database.ts'
import { createJumpingClock } from '../support/jumping-clock.ts'
import { until } from '../support/until.ts'

interface DueLook {
  customer: string
  /** Seconds since its look is due. */
  due: number
  /** Seconds until it expires; negative when it has. */
  life: number
}

async function dueLooks(sql: Sql, looks: readonly DueLook[]): Promise<void> {
  for (const customer of new Set(looks.map((look) => look.customer))) {
    await sql`insert into customers (pubkey) values (${customer})`
  }
  await sql`
    insert into invoices (payment_hash, purpose, customer, via, form, rumor_at, rumor_id,
      amount_sats, bolt11, expires_at, look_at)
    select encode(sha256(n::text::bytea), 'hex'), 'topup', customer, 'nip17', 'json', n, 'r' || n,
      n, 'lnbc' || n, now() + make_interval(secs => life), now() - make_interval(secs => due)
    from unnest(${looks.map((look) => look.customer)}::text[], ${looks.map((look) => look.due)}::float8[],
      ${looks.map((look) => look.life)}::float8[]) with ordinality l (customer, due, life, n)`
}

const amounts = (looks: readonly { amountSats: number }[]) =>
  looks.map(({ amountSats }) => amountSats).sort((a, b) => a - b)

test('a customer with one invoice is looked at before the second of one with a hundred', async () => {
  await using db = await freshDatabase()
  const [many, one] = [someKey(), someKey()]
  const hundred = Array.from({ length: 100 }, (_, at) => ({
    ...{ customer: many, due: 160 - at, life: -60 },
  }))
  await dueLooks(db.sql, [...hundred, { customer: one, due: 1, life: -60 }])
  expect(amounts(await takeDueLooks(db.sql, 2))).toEqual([1, 101])
})

// Trap 11: after expiry LNbits does not ask its node any more.
test('what can still be looked at in time goes before all that has expired', async () => {
  await using db = await freshDatabase()
  const expired = Array.from({ length: 50 }, () => ({ customer: someKey(), due: 600, life: -900 }))
  await dueLooks(db.sql, [...expired, { customer: someKey(), due: 1, life: 4 }])
  expect(amounts(await takeDueLooks(db.sql, 1))).toEqual([51])
})

test('due withdrawals are claimed in turn, one of each customer first', async () => {
  await using lab = await botLab()
  const bot = await lab.bot()
  const [many, one] = [someKey(), someKey()]
  for (const customer of [many, one]) await lab.topUp(bot, customer, 3_000)
  lab.play.node.behaviour = { kind: 'inflight' }
  for (let count = 0; count < 3; count += 1) {
    await bot.dm(many, `/withdraw ${lab.outside(300).bolt11}`)
  }
  await bot.dm(one, `/withdraw ${lab.outside(300).bolt11}`)
  await until('all are on their way', async () => {
    const states = await lab.withdrawalStates()
    return states.length === 4 && states.every((state) => state === 'sent')
  })
  await bot.stop()
  await lab.sql`
    update withdrawals set lease = null, due_at = now() - interval '1 second' * (100 - id)`
  const { rows } = await withdrawalLane.claim(lab.sql, 2, 'another', 30)
  expect(new Set(rows.map(({ customer }) => customer))).toEqual(new Set([many, one]))
})

test('a customer with many top-ups does not keep another from its first invoice', async () => {
  await using lab = await botLab()
  const bot = await lab.bot()
  const [many, one] = [someKey(), someKey()]
  lab.play.faults.add('create', { kind: 'hang', ms: 40 }, { times: 10_000 })
  const asked = Array.from({ length: 30 }, (_, at) => bot.dm(many, `/topup ${100 + at}`))
  await bot.dm(one, '/topup 500')
  expect((await lab.told(many, 'invoice')).length).toBeLessThan(8)
  await Promise.all(asked)
  expect(await lab.told(many, 'invoice')).toHaveLength(30)
})

// Trap 17: one payment stalls a whole LNbits. Messages that wait for it must not keep others from being served.
test('hundreds of top-ups and withdrawals wait for LNbits, and other messages are served at once', async () => {
  await using lab = await botLab()
  const clock = createJumpingClock()
  const bot = await lab.bot({ clock, priceSats: 20, rules: { poolDailyOutflowPct: 100 } })
  const [rich, friend] = [someKey(), someKey()]
  await lab.topUp(bot, rich, 1_000)
  await setGrantedTier(lab.sql, friend, 'trusted', 'granted')
  lab.play.faults.add('any', { kind: 'hang', ms: 600_000 }, { times: 10_000 })
  // Not awaited: what is not served must fail by what is not heard.
  const say = (customer: string, text: string) => void bot.dm(customer, text).catch(() => {})
  const crowd = Array.from({ length: 20 }, someKey)
  const waiting = crowd.flatMap((customer) =>
    Array.from({ length: 10 }, () => bot.dm(customer, '/topup 500')),
  )
  waiting.push(
    ...Array.from({ length: 10 }, () => bot.dm(rich, `/withdraw ${lab.outside(300).bolt11}`)),
  )
  await until('LNbits is asked', () => lab.play.faults.calls.create > 1)
  say(friend, 'free work, please')
  expect(await lab.hears(friend, 'result')).toMatchObject({ chargeSats: 0 })
  say(rich, 'work from my balance, please')
  expect(await lab.hears(rich, 'result')).toMatchObject({ chargeSats: 20 })
  // Who comes when it has stood still for long is told so, with a place.
  clock.step(31_000)
  const late = someKey()
  say(late, '/topup 500')
  const refused = await lab.hears(late, 'refused')
  expect(refused).toMatchObject({ reason: 'busy' })
  expect(refused.message).toMatch(/\d+ invoices would come before yours/)
  lab.play.faults.clear()
  await lab.play.outage()
  await lab.play.recover()
  await Promise.allSettled(waiting)
})

test('more than a customer may have in its line is refused, and nothing is lost of the rest', async () => {
  await using lab = await botLab()
  const bot = await lab.bot()
  const customer = someKey()
  // Nobody's turn comes before all have asked.
  lab.play.faults.add('create', { kind: 'hang', ms: 2_000 })
  await Promise.all(Array.from({ length: 40 }, () => bot.dm(customer, '/topup 500')))
  const refused = await lab.told(customer, 'refused')
  expect(await lab.told(customer, 'invoice')).toHaveLength(32)
  expect(refused.map(({ reason }) => reason)).toEqual(Array(8).fill('rate_limited'))
})

test('replies of one customer whose relay is silent do not hold up those of another', async () => {
  await using lab = await botLab()
  const [many, one] = [someKey(), someKey()]
  const order: string[] = []
  const bot = await lab.bot({
    async publish(outboxId) {
      const [row] = await lab.sql<{ customer: string }[]>`
        select customer from outbox where id = ${outboxId}`
      order.push(row?.customer ?? '')
      if (row?.customer === one) return { outcome: 'acknowledged' }
      await systemClock.sleep(500)
      return { outcome: 'timeout' }
    },
  })
  const ask = (customer: string) => bot.dm(customer, '{"type":"help"}')
  await Promise.all(Array.from({ length: 6 * DELIVERY_SLOTS }, () => ask(many)))
  const before = order.length
  await ask(one)
  await until('the one has its reply', () => order.includes(one))
  // Those that are out keep their slots until they are over; none that waits goes first.
  expect(order.indexOf(one) - before).toBeLessThan(DELIVERY_SLOTS / 2)
})
