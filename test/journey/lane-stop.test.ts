import { expect, test } from 'vitest'
import { setGrantedTier } from '../../src/store/customers.ts'
import { botLab, someKey } from '../support/bot.ts'
import { until } from '../support/until.ts'

/** Half of the time after which a replica looks by itself for what nobody told it of. */
const TOLD_MS = 5_000

test('what a stopping replica gives back is taken up by another at once', async () => {
  await using lab = await botLab()
  const customer = someKey()
  await setGrantedTier(lab.sql, customer, 'elite', 'granted')
  const stopping = await lab.bot({
    backend: (_, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
  })
  await lab.bot()
  await stopping.dm(customer, 'work, please')
  await until('it is at work', async () => {
    const rows = await lab.sql`select from jobs where state = 'working' and lease is not null`
    return rows.length === 1
  })
  await stopping.stop()
  const isDone = async () => (await lab.told(customer, 'result')).length === 1
  expect(await until('the other has done it', isDone, TOLD_MS)).toBe(true)
  await lab.expectClean()
})
