import { expect, test } from 'vitest'
import { REQUEST_AGE_SECONDS } from '../../src/limits.ts'
import { botLab, someKey } from '../support/bot.ts'

// After a long downtime a customer has gone elsewhere: work that nobody waits for costs all the same.
test('what was written too long ago is not executed, and its sender is asked once to send it again', async () => {
  await using lab = await botLab()
  const bot = await lab.bot()
  const customer = someKey()
  const now = Math.floor(Date.now() / 1000)
  const old = (text: string) =>
    bot.dm(customer, text, { id: someKey(), at: now - REQUEST_AGE_SECONDS - 60 })
  await old('work, please')
  await old('/topup 500')
  await old('/help')
  expect(await lab.told(customer)).toMatchObject([{ type: 'refused', reason: 'too_old' }])
  expect(await lab.sql`select from jobs union all select from invoices`).toEqual([])
  await bot.dm(customer, '/help', { id: someKey(), at: now - REQUEST_AGE_SECONDS + 60 })
  expect(await lab.hears(customer, 'help')).toMatchObject({ type: 'help' })
})
