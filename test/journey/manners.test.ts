import { expect, test } from 'vitest'
import { MESSAGES_PER_HOUR, REFUSALS_PER_HOUR } from '../../src/limits.ts'
import { botLab, someKey } from '../support/bot.ts'

/** The first second of the present hour. */
const AT = Math.floor(Date.now() / 3_600_000) * 3_600

/** Says each text in turn, all within one hour; answers what came of them by type. */
async function conversation(texts: readonly string[]) {
  await using lab = await botLab()
  const bot = await lab.bot()
  const key = someKey()
  for (const [place, text] of texts.entries())
    await bot.dm(key, text, { id: someKey(), at: AT + place })
  const told = await lab.told(key)
  const [inbox] = await lab.sql<{ count: number }[]>`select count(*) as count from inbox`
  return { told, takenIn: inbox?.count }
}

test('words without end are answered up to the bound of an hour, and then once more', async () => {
  const { told, takenIn } = await conversation(Array(MESSAGES_PER_HOUR + 20).fill('/balance'))
  expect(told).toHaveLength(MESSAGES_PER_HOUR + 1)
  expect(told.at(-1)).toMatchObject({ type: 'refused', reason: 'rate_limited' })
  // What is not answered is taken in all the same: after a restart it is not answered either.
  expect(takenIn).toBe(MESSAGES_PER_HOUR + 20)
})

test('programs that cannot read each other fall silent', async () => {
  const { told, takenIn } = await conversation(
    Array(REFUSALS_PER_HOUR + 5).fill('{"type":"refused"}'),
  )
  expect(told).toHaveLength(REFUSALS_PER_HOUR)
  expect(takenIn).toBe(REFUSALS_PER_HOUR + 5)
})

test('a program may ask more than a person', async () => {
  const { told } = await conversation(Array(MESSAGES_PER_HOUR + 5).fill('{"type":"balance"}'))
  expect(told).toHaveLength(MESSAGES_PER_HOUR + 5)
})
