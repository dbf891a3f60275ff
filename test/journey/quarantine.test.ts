import { expect, test } from 'vitest'
import { POISON_TRIES } from '../../src/limits.ts'
import { botLab, someKey } from '../support/bot.ts'
import { nowSeconds } from '../support/relay-lab.ts'

const event = (content: string) => ({
  ...{ id: someKey(), pubkey: someKey(), created_at: nowSeconds(), kind: 14 },
  ...{ tags: [], content, sig: '' },
})

test('a message that always fails is given up with one row, and the next is served', async () => {
  await using lab = await botLab()
  const { journey } = await lab.bot()
  const poison = event('hello')
  // No text of the database can hold this relay's name, so the message can never be stored.
  const receive = () => journey.receive(poison, 'ws://relay\0')
  for (let tries = 1; tries < POISON_TRIES; tries += 1) await expect(receive()).rejects.toThrow()
  await receive()
  const honest = event('/help')
  await journey.receive(honest, 'ws://relay')
  expect(await lab.told(honest.pubkey)).toHaveLength(1)
  expect(await lab.sql`select hash, reason from inbox_quarantine`).toEqual([
    { hash: poison.id, reason: '22021' },
  ])
})

test('a message that fails while the database is away is not given up', async () => {
  await using lab = await botLab()
  const { journey, crash } = await lab.bot()
  const message = event('/help')
  await crash()
  for (let tries = 0; tries < 2 * POISON_TRIES; tries += 1) {
    await expect(journey.receive(message, 'ws://relay')).rejects.toThrow()
  }
  expect(await lab.sql`select hash from inbox_quarantine`).toEqual([])
})

test('a program whose id no database can hold is refused like any other, and fails nobody', async () => {
  await using lab = await botLab()
  const { journey } = await lab.bot()
  const [hostile, honest] = [event('{"type":"help","id":"a\\u0000b"}'), event('/help')]
  await Promise.all([journey.receive(hostile, 'ws://relay'), journey.receive(honest, 'ws://relay')])
  expect(await lab.told(hostile.pubkey)).toMatchObject([{ type: 'refused', reason: 'malformed' }])
  expect(await lab.told(honest.pubkey)).toHaveLength(1)
})
