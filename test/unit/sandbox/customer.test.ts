import { expect, test } from 'vitest'
import { type Clock, systemClock } from '../../../src/clock.ts'
import { silentLog } from '../../../src/log.ts'
import { loadCurve } from '../../../src/nostr/curve.ts'
import { createIdentity, generateSecretKey } from '../../../src/nostr/identity.ts'
import { createCustomer } from '../../../src/sandbox/customer.ts'
import { startRelay } from '../../../src/sandbox/relay.ts'

test('the same words said twice in one second are two messages', async () => {
  await using relay = await startRelay()
  const { curve } = await loadCurve()
  const bot = createIdentity(curve, generateSecretKey()).pubkey
  const nowMs = systemClock.now()
  const clock: Clock = { ...systemClock, now: () => nowMs }
  const customer = await createCustomer({
    ...{ secret: generateSecretKey(), bot, relays: [relay.url], clock, log: silentLog },
  })
  try {
    expect(await customer.begin(10_000)).toBe(true)
    const ids = [await customer.say('And now?'), await customer.say('And now?')]
    expect(ids.includes(undefined)).toBe(false)
    expect(new Set(ids).size).toBe(2)
  } finally {
    await customer.stop()
  }
})
