import { expect, test } from 'vitest'
import { CommandError } from '../../../../src/command.ts'
import { audit } from '../../../../src/operator/commands/audit.ts'
import {
  addToPool,
  pausePool,
  setBudget,
  showPool,
} from '../../../../src/operator/commands/pool.ts'
import { commandOn, type KeptTerminal } from '../../../support/command.ts'
import { freshDatabase } from '../../../support/database.ts'
import { poolSats } from '../../../support/journey.ts'

const last = ({ printed }: KeptTerminal): unknown => JSON.parse(printed.at(-1) ?? '')

test('the first command on an empty database seeds the pool and shows it', async () => {
  await using db = await freshDatabase()
  const context = commandOn(db.url)
  expect(await showPool(context)).toBe(0)
  expect(context.terminal.printed.join('\n')).toMatch(/^pool +10,000 sats, open\n/)
  expect(await showPool(context, { json: true })).toBe(0)
  expect(last(context.terminal)).toMatchObject({
    balanceSats: 10_000,
    state: 'open',
    breakerSats: 1_000,
    dailyBudgets: { new: 0, established: 50, trusted: 200, elite: 1_000 },
    overridden: [],
  })
})

test('what is added comes from the operator, each time anew, and the books still add up', async () => {
  await using db = await freshDatabase()
  const context = commandOn(db.url)
  await addToPool(context, { amount: '500' })
  await addToPool(context, { amount: '500', json: true })
  expect(await poolSats(db.sql)).toBe(11_000)
  expect(await audit(context, { json: true })).toBe(0)
  expect(last(context.terminal)).toMatchObject({
    ok: true,
    balances: { poolSats: 11_000, operatorSats: -11_000 },
  })
})

test.each(['', '0', '-5', '1.5', '1e3', '10,000', '99999999999999999'])(
  'an amount of "%s" is a wrong call and moves nothing',
  async (amount) => {
    await using db = await freshDatabase()
    const context = commandOn(db.url)
    await showPool(context)
    const adding = Promise.resolve().then(() => addToPool(context, { amount }))
    await expect(adding).rejects.toMatchObject({ name: 'CommandError', status: 2 })
    expect(await poolSats(db.sql)).toBe(10_000)
  },
)

test('a paused pool says so until it is resumed', async () => {
  await using db = await freshDatabase()
  const context = commandOn(db.url)
  await pausePool(context, { paused: true, json: true })
  expect(last(context.terminal)).toMatchObject({ state: 'paused' })
  await pausePool(context, { paused: false, json: true })
  expect(last(context.terminal)).toMatchObject({ state: 'open' })
})

test('budgets of two tiers set at once are both kept, and default takes one back', async () => {
  await using db = await freshDatabase()
  const context = commandOn(db.url)
  await showPool(context)
  await Promise.all([
    setBudget(context, { tier: 'trusted', amount: '300' }),
    setBudget(context, { tier: 'elite', amount: '2000' }),
  ])
  await setBudget(context, { tier: 'elite', amount: 'default', json: true })
  expect(last(context.terminal)).toMatchObject({
    dailyBudgets: { new: 0, established: 50, trusted: 300, elite: 1_000 },
    overridden: ['trusted'],
  })
})

test('a budget for new keys is refused, as is one for a tier that does not exist', async () => {
  await using db = await freshDatabase()
  const context = commandOn(db.url)
  expect(() => setBudget(context, { tier: 'new', amount: '10' })).toThrow(CommandError)
  expect(() => setBudget(context, { tier: 'gold', amount: '10' })).toThrow(/Tiers are new/)
})
