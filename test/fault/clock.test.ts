import { expect, test } from 'vitest'
import { createLog } from '../../src/log.ts'
import type { NostrEvent } from '../../src/nostr/types.ts'
import { brokenBooks } from '../support/checkers.ts'
import { daemonInside } from '../support/daemon-inside.ts'
import { until } from '../support/until.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const production = {
  PAYMENT_POLL_SECONDS: '2',
  WORK_LEASE_SECONDS: '30',
  DELIVERY_LEASE_SECONDS: '10',
}

test('an idle daemon asks the database less than ten times a minute', async () => {
  const times = 30
  await using inside = await daemonInside({ times, environment: production })
  const { gate, clock } = inside
  const statementsIn = async (minutes: number) => {
    const before = gate.statements()
    await clock.sleep(minutes * MINUTE_MS)
    return gate.statements() - before
  }
  // The first half minute has a start in it.
  await clock.sleep(MINUTE_MS / 2)
  expect(await statementsIn(3)).toBeLessThan(30)
})

test('LNbits that is gone for a minute is told by the pool status, and its return too', async () => {
  await using inside = await daemonInside({ times: 20 })
  const { relay, lnbits } = inside
  const isPoolStatus = (event: NostrEvent) => event.kind === 30_078
  const state = () => {
    const [status] = relay.events().filter(isPoolStatus)
    return status && JSON.parse(status.content).state
  }
  await until('the pool is open', () => state() === 'open')
  await lnbits.outage()
  await until('degraded', () => state() === 'degraded', 20_000)
  await lnbits.recover()
  await until('open again', () => state() === 'open', 20_000)
  expect(state()).toBe('open')
})

test('a clock that is set an hour ahead and back changes no answer and no sat', async () => {
  await using inside = await daemonInside()
  const { clock, db, lnbits } = inside
  const customer = await inside.customer()
  /** The step may wake the watchdog while a payment is on its way; then it says `paused` for a moment. */
  const invoiced = async (): Promise<{ id: string; bolt11: unknown }> => {
    const id = await customer.ask({ type: 'job', request: 'hello' })
    const reply = await customer.reply(id)
    if (reply.reason === 'paused') return invoiced()
    expect(reply).toMatchObject({ type: 'invoice' })
    return { id, bolt11: reply.bolt11 }
  }
  const serve = async () => {
    const { id, bolt11 } = await invoiced()
    await customer.pay(bolt11)
    expect(await customer.reply(id)).toMatchObject({ type: 'working' })
    expect(await customer.reply(id)).toMatchObject({ type: 'result', result: 'hello' })
  }
  await serve()
  clock.step(HOUR_MS)
  await serve()
  clock.step(-HOUR_MS)
  await serve()
  expect(await brokenBooks({ sql: db.sql, play: lnbits })).toEqual([])
})

test('a clock that is an hour behind is told to the operator, and what came meanwhile is not lost', async () => {
  const lines: string[] = []
  const log = createLog('warn', { write: (line: string) => void lines.push(line) })
  await using inside = await daemonInside({ log })
  const { clock, relay } = inside
  const customer = await inside.customer()
  clock.step(-HOUR_MS)
  const id = await customer.ask({ type: 'help' })
  await until('the log says so', () => lines.some((line) => line.includes('clock')))
  expect(await customer.replies(id, 300)).toEqual([])
  clock.step(HOUR_MS)
  // The next connection brings it again.
  relay.dropConnections()
  expect(await customer.reply(id)).toMatchObject({ type: 'help' })
})
