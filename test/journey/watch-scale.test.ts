import { expect, test } from 'vitest'
import { type Bot, type BotLab, botLab, someKey } from '../support/bot.ts'
import { say } from '../support/seeded.ts'
import { until } from '../support/until.ts'

const requests = ({ play }: BotLab) =>
  Object.values(play.faults.calls).reduce((sum, calls) => sum + calls, 0)

/** Open invoices of people who never pay. */
async function strangers({ sql }: BotLab, count: number): Promise<void> {
  const customer = someKey()
  await sql`insert into customers (pubkey) values (${customer})`
  await sql`
    insert into invoices (payment_hash, purpose, customer, via, form, rumor_at, rumor_id,
      amount_sats, bolt11, expires_at, look_at)
    select encode(sha256(n::text::bytea), 'hex'), 'topup', ${customer}, 'nip17', 'json', n, 'r' || n,
      21, 'lnbc' || n, now() + interval '1 hour', now() + interval '59 minutes'
    from generate_series(1, ${count}) n`
  await sql`analyze invoices`
}

/** Requests to LNbits in two seconds, with so many invoices open and a poll each 100 ms. */
async function requestsOf(lab: BotLab, count: number): Promise<number> {
  await strangers(lab, count)
  await using bot = await lab.bot({ pollMs: 100 })
  bot.journey.hintPayment()
  const polls = lab.play.faults.calls.list
  await until('it polls', () => lab.play.faults.calls.list > polls + 2)
  const before = requests(lab)
  const endAt = performance.now() + 2_000
  await until('two seconds have passed', () => performance.now() > endAt)
  return requests(lab) - before
}

test('ten thousand open invoices cost LNbits no more requests than ten', async () => {
  await using few = await botLab()
  const ofTen = await requestsOf(few, 10)
  await using many = await botLab()
  const ofMany = await requestsOf(many, 10_000)
  say(`requests in 2 s, polling each 100 ms: ${ofTen} at 10 invoices, ${ofMany} at 10,000`)
  expect(ofMany).toBeGreaterThan(0)
  expect(ofMany).toBeLessThanOrEqual(Math.ceil(ofTen * 1.5))
})

/** Milliseconds from a paid invoice to its work, by hint. */
async function hintMs(lab: BotLab, bot: Bot, startedAt: Map<string, number>): Promise<number> {
  const customer = someKey()
  const text = `work ${customer}`
  await bot.dm(customer, text)
  const { bolt11 } = await lab.hears(customer, 'invoice')
  const [row] = await lab.sql<{ hash: string }[]>`
    select payment_hash as hash from invoices where customer = ${customer}`
  await lab.pay(bolt11)
  const paidAt = performance.now()
  bot.journey.hintPayment(row?.hash)
  return (await until('it works', () => startedAt.get(text))) - paidAt
}

test('a hint becomes work at once, also among ten thousand open invoices', async () => {
  await using lab = await botLab()
  await strangers(lab, 10_000)
  const startedAt = new Map<string, number>()
  await using bot = await lab.bot({
    async backend(request) {
      startedAt.set(request, performance.now())
      return { result: 'done', usage: null }
    },
  })
  const times: number[] = []
  for (let count = 0; count < 30; count += 1) times.push(await hintMs(lab, bot, startedAt))
  times.sort((a, b) => a - b)
  const [p50, worst] = [times[15] ?? 0, times.at(-1) ?? 0]
  say(
    `hint to work, 10,000 invoices open: p50 ${p50.toFixed(1)} ms, worst of 30 ${worst.toFixed(1)} ms`,
  )
  expect(p50).toBeLessThan(1_000)
})
