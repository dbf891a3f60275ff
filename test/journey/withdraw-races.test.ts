import { expect, test } from 'vitest'
import { botLab, someKey } from '../support/bot.ts'
import { until } from '../support/until.ts'

test('of thirty withdrawals at once exactly as many win as the balance covers', async () => {
  await using lab = await botLab()
  const bots = await Promise.all([lab.bot(), lab.bot()])
  const customer = someKey()
  await lab.topUp(bots[0], customer, 900)
  const invoices = Array.from({ length: 30 }, () => lab.outside(400))
  await Promise.all(
    invoices.map(({ bolt11 }, place) => bots[place % 2]?.dm(customer, `/withdraw ${bolt11}`)),
  )
  await until('both have ended', async () => {
    const states = await lab.withdrawalStates()
    return states.length === 2 && states.every((state) => state === 'done')
  })
  const reasons = (await lab.told(customer, 'refused')).map(({ reason }) => reason)
  expect(reasons).toEqual(Array(28).fill('insufficient_balance'))
  expect(invoices.filter(({ paymentHash }) => lab.payouts(paymentHash) === 1)).toHaveLength(2)
  expect((await lab.balance(customer)).availableSats).toBe(100)
  await lab.expectClean()
})

test('one invoice that ten customers withdraw to at once is paid by one of them, once', async () => {
  await using lab = await botLab()
  const bot = await lab.bot()
  const customers = Array.from({ length: 10 }, someKey)
  for (const customer of customers) await lab.topUp(bot, customer, 600)
  const { bolt11, paymentHash } = lab.outside(500)
  await Promise.all(customers.map((customer) => bot.dm(customer, `/withdraw ${bolt11}`)))
  await until('it has ended', async () => (await lab.withdrawalStates())[0] === 'done')
  const balances = await Promise.all(customers.map((customer) => lab.balance(customer)))
  expect(balances.map(({ availableSats }) => availableSats).sort((a, b) => a - b)).toEqual([
    100,
    ...Array(9).fill(600),
  ])
  const refused = await Promise.all(customers.map((customer) => lab.told(customer, 'refused')))
  expect(refused.flat().map(({ reason }) => reason)).toEqual(Array(9).fill('own_invoice'))
  expect(lab.payouts(paymentHash)).toBe(1)
  await lab.expectClean()
})

test('all customers together take out no more in a day than allowed, however many ask at once', async () => {
  await using lab = await botLab()
  const withdrawals = { dailyTotalSatsMax: 2_100 }
  const bots = await Promise.all([lab.bot({ withdrawals }), lab.bot({ withdrawals })])
  const customers = Array.from({ length: 16 }, someKey)
  await Promise.all(customers.map((customer) => lab.topUp(bots[0], customer, 600)))
  const invoices = customers.map(() => lab.outside(500))
  await Promise.all(
    customers.map((customer, place) =>
      bots[place % 2]?.dm(customer, `/withdraw ${invoices[place]?.bolt11}`),
    ),
  )
  await until('four have ended', async () => {
    const states = await lab.withdrawalStates()
    return states.length === 4 && states.every((state) => state === 'done')
  })
  expect(invoices.filter(({ paymentHash }) => lab.payouts(paymentHash) === 1)).toHaveLength(4)
  const told = await Promise.all(customers.map((customer) => lab.told(customer, 'refused')))
  const refused = told.flat()
  expect(refused.map(({ reason, limit }) => [reason, limit])).toEqual(
    Array(12).fill(['amount_out_of_range', 100]),
  )
  expect(refused[0]?.message).toMatch(/100 sats are left.* try again after 00:00 UTC/)
  await lab.expectClean()
})

test('one message that comes ten times at once, by two replicas, is one withdrawal', async () => {
  await using lab = await botLab()
  const bots = await Promise.all([lab.bot(), lab.bot()])
  const customer = someKey()
  await lab.topUp(bots[0], customer, 2_000)
  const { bolt11, paymentHash } = lab.outside(500)
  const message = { id: someKey(), at: 1_800_000_000 }
  await Promise.all(
    Array.from({ length: 10 }, (_, place) =>
      bots[place % 2]?.dm(customer, `/withdraw ${bolt11}`, message),
    ),
  )
  await lab.hears(customer, 'withdrawal', 2)
  const told = (await lab.told(customer)).slice(2)
  expect(told.map(({ type, state }) => [type, state])).toEqual([
    ['withdrawal', 'sent'],
    ['withdrawal', 'done'],
  ])
  expect(lab.payouts(paymentHash)).toBe(1)
  await lab.expectClean()
})

test('a turn ends with its payment: the next replica pays at once', async () => {
  await using lab = await botLab()
  const bots = [await lab.bot(), await lab.bot()]
  const customer = someKey()
  await lab.topUp(await lab.bot(), customer, 2_000)
  for (const [place, bot] of bots.entries()) {
    await bot.dm(customer, `/withdraw ${lab.outside(300).bolt11}`)
    await lab.hears(customer, 'withdrawal', 2 * (place + 1))
    const isFree = async () =>
      (await lab.sql`select from outbox_turns where name = 'payout'`).length === 0
    await until('the turn is over', isFree, 3_000)
  }
  expect(await lab.withdrawalStates()).toEqual(['done', 'done'])
})

// Trap 17: a payment stalls a whole LNbits, so two at once would stall it twice as long.
test('two replicas never have two payments in flight', async () => {
  await using lab = await botLab({ payWaitMs: 1_000 })
  const bots = await Promise.all([lab.bot(), lab.bot()])
  const customers = Array.from({ length: 6 }, someKey)
  for (const customer of customers) await lab.topUp(bots[0], customer, 600)
  const { pay } = lab.play.node
  let [running, most] = [0, 0]
  lab.play.node.pay = async (...args) => {
    running += 1
    most = Math.max(most, running)
    return pay(...args).finally(() => {
      running -= 1
    })
  }
  lab.play.node.behaviour = { kind: 'slow', ms: 60 }
  await Promise.all(
    customers.map((customer, place) =>
      bots[place % 2]?.dm(customer, `/withdraw ${lab.outside(500).bolt11}`),
    ),
  )
  await until('all are done', async () => {
    const states = await lab.withdrawalStates()
    return states.length === 6 && states.every((state) => state === 'done')
  })
  expect(most).toBe(1)
  await lab.expectClean()
})

test('a withdrawal in a state of a newer version is left alone', async () => {
  await using lab = await botLab()
  const bot = await lab.bot()
  const customer = someKey()
  await lab.topUp(bot, customer, 1_000)
  await bot.dm(customer, `/withdraw ${lab.outside(300).bolt11}`)
  await until('it has ended', async () => (await lab.withdrawalStates())[0] === 'done')
  await lab.sql`
    alter table withdrawals drop constraint withdrawals_state,
      drop constraint withdrawals_finished`
  await lab.sql`
    update withdrawals set state = 'judged', finished_at = null, due_at = now(), lease = null, epoch = 7`
  const second = lab.outside(300)
  await bot.dm(customer, `/withdraw ${second.bolt11}`)
  await until('the next one has ended', async () => (await lab.withdrawalStates()).includes('done'))
  expect(lab.payouts(second.paymentHash)).toBe(1)
  const rows = await lab.sql`
    select lease, epoch, finished_at from withdrawals where state = 'judged'`
  expect(rows).toEqual([{ lease: null, epoch: 7, finishedAt: null }])
})

// Some clients send by both kinds of DM, and an address gives a fresh invoice each time it is asked.
test('a withdrawal that is sent by two doors at once, or one after the other, is paid once', async () => {
  await using lab = await botLab()
  const resolve = async ({ amountSats }: { amountSats: number }) =>
    ({ ok: true, ...lab.outside(amountSats) }) as const
  const bots = await Promise.all([lab.bot({ resolve }), lab.bot({ resolve })])
  const customer = someKey()
  await lab.topUp(bots[0], customer, 2_000)
  const send = (place: 0 | 1, kind: number, text = '/withdraw me@payee.example 500') =>
    bots[place].dm(customer, text, { kind })
  await Promise.all([send(0, 14), send(1, 4)])
  await send(0, 4)
  await until('it has ended', async () => (await lab.withdrawalStates()).includes('done'))
  expect(await lab.withdrawalStates()).toEqual(['done'])
  expect(await lab.told(customer, 'refused')).toEqual([])
  // Another amount is another wish, and so is the same one by the same door.
  const { via } = (await lab.sql<{ via: string }[]>`select via from withdrawals`)[0] ?? {}
  await send(0, via === 'nip04' ? 4 : 14)
  await send(0, via === 'nip04' ? 14 : 4, '/withdraw me@payee.example 501')
  expect(await lab.withdrawalStates()).toHaveLength(3)
  await until('all have ended', async () =>
    (await lab.withdrawalStates()).every((state) => state === 'done'),
  )
  await lab.expectClean()
})
