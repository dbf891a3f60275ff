import { expect, test } from 'vitest'
import { npub } from '../../../../src/nostr/identity.ts'
import { exportBooks } from '../../../../src/operator/commands/export.ts'
import type { ExportLine } from '../../../../src/store/export.ts'
import { commandOn } from '../../../support/command.ts'
import { freshDatabase } from '../../../support/database.ts'
import { botLab } from '../../../support/bot.ts'
import { journeyOn, priced } from '../../../support/journey.ts'
import { newIdentity } from '../../../support/relay-lab.ts'
import { until } from '../../../support/until.ts'

const customer = newIdentity().pubkey

async function lines(url: string, options: Parameters<typeof exportBooks>[1] = {}) {
  const context = commandOn(url)
  expect(await exportBooks(context, { ...options, json: true })).toBe(0)
  return context.terminal.printed.map((line): ExportLine => JSON.parse(line))
}

test('a settled job is one line with its time, sats and rate', async () => {
  await using db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  await lab.finish(await lab.paid(priced({ customer, estimatedSats: 40 })), 30)
  await lab.paid(priced({ customer, estimatedSats: 40 }))
  await db.sql`update jobs set finished_at = '2026-03-31T23:59:59.5Z' where state = 'done'`
  await db.sql`alter table transfers disable trigger transfers_append_only`
  await db.sql`update transfers set at = '2026-03-31T23:00:00Z' where kind = 'seed'`
  const context = commandOn(db.url)
  await exportBooks(context, {})
  expect(context.terminal.printed).toEqual([
    'time_utc,kind,id,customer,model,received_sats,from_balance_sats,charged_sats,' +
      'to_balance_sats,from_pool_sats,to_pool_sats,shortfall_sats,sent_sats,fee_sats,' +
      'usd_per_btc,charged_usd',
    `2026-03-31T23:59:59Z,job,1,${npub(customer)},echo,40,0,30,10,0,3,0,0,0,100000,0.030000`,
  ])
  expect(context.terminal.told).toEqual(['1 line; times are UTC, amounts are sats.'])
})

test('days are UTC and both ends are included', async () => {
  await using db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  await lab.finish(await lab.paid(priced({ customer })), 30)
  await db.sql`update jobs set finished_at = '2026-03-31T23:59:59.999Z'`
  await db.sql`alter table transfers disable trigger transfers_append_only`
  await db.sql`update transfers set at = '2026-01-01T00:00:00Z' where kind = 'seed'`
  const count = async (from: string, to: string) => (await lines(db.url, { from, to })).length
  expect(await count('2026-03-31', '2026-03-31')).toBe(1)
  expect(await count('2026-01-01', '2026-12-31')).toBe(1)
  expect(await count('2026-04-01', '2026-04-30')).toBe(0)
  expect(await count('2026-01-01', '2026-03-30')).toBe(0)
})

test('a model that a spreadsheet would take for a formula is exported as text', async () => {
  await using db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  await lab.finish(await lab.paid(priced({ customer, model: '=1+1,"x"' })), 30)
  const context = commandOn(db.url)
  await exportBooks(context, {})
  expect(context.terminal.printed[1]).toContain(`,"'=1+1,""x""",40,`)
})

test.each([
  [{ from: '2026-02-30' }],
  [{ to: '1.1.2026' }],
  [{ from: '2026-02-02', to: '2026-02-01' }],
])('%j is a wrong call', async (options) => {
  const context = commandOn('postgres://127.0.0.1:9/none')
  await expect(exportBooks(context, options)).rejects.toMatchObject({ status: 2 })
})

test('empty books are a head without lines', async () => {
  await using db = await freshDatabase()
  const context = commandOn(db.url)
  await exportBooks(context, {})
  expect(context.terminal.printed).toHaveLength(1)
})

// What a tax adviser adds up must be what the wallet shows, or one of the two is wrong.
test('what came in less what went out is what Lightning holds', async () => {
  await using lab = await botLab()
  const bot = await lab.bot({ priceSats: 30 })
  await lab.topUp(bot, customer, 2_000)
  await bot.dm(customer, 'work from the balance')
  await lab.hears(customer, 'result')
  await bot.dm(customer, '/donate 300')
  const { bolt11: gift } = await lab.hears(customer, 'invoice', 2)
  await lab.pay(gift)
  bot.journey.hintPayment()
  await lab.hears(customer, 'pool')
  const { bolt11: away } = lab.outside(700)
  await bot.dm(customer, `/withdraw ${away}`)
  await until('the withdrawal is done', async () => (await lab.withdrawalStates())[0] === 'done')
  const found = await lines(lab.db.url)
  expect(found.map(({ kind }) => kind).toSorted()).toEqual([
    'donation',
    'job',
    'top_up',
    'withdrawal',
  ])
  expect(found.find(({ kind }) => kind === 'job')).toMatchObject({
    ...{ receivedSats: 0, fromBalanceSats: 30, chargedSats: 30, toPoolSats: 3 },
  })
  const sum = (of: (line: ExportLine) => number) => found.reduce((all, line) => all + of(line), 0)
  const [row] = await lab.sql<{ sats: number }[]>`
    select balance_sats as sats from accounts where name = 'lightning'`
  expect(sum((line) => line.receivedSats - line.sentSats - line.feeSats)).toBe(row?.sats)
})
