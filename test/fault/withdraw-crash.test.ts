import { expect, test } from 'vitest'
import { failpoints } from '../../src/failpoint.ts'
import type { NodeBehaviour } from '../../src/sandbox/lnbits-node.ts'
import { type BotLab, botLab, someKey } from '../support/bot.ts'
import { sweepRounds } from '../support/seeded.ts'
import { until } from '../support/until.ts'

/*
 * A process that dies at each place of a withdrawal, for each way its payment can go. Another one
 * takes over on the same database: the sats left once or are back, never both and never neither, and
 * the customer hears one "sent" and one end.
 */

const places = failpoints.filter((place) => place.startsWith('withdraw:'))

const ways: [way: string, behaviour: NodeBehaviour][] = [
  ['paid', { kind: 'ok', feeMsat: 1_000 }],
  ['called failed and paid', { kind: 'unknownPaid', feeMsat: 1_000 }],
  ['refused', { kind: 'noRoute' }],
  ['in flight', { kind: 'slow', ms: 200, feeMsat: 1_000 }],
]

const cases = places.flatMap((place) =>
  ways.slice(0, sweepRounds(2, 4)).map(([way, behaviour]) => [place, way, behaviour] as const),
)

/** Lets time pass until no withdrawal is open. */
async function untilEnded(lab: BotLab): Promise<void> {
  await until('the withdrawal has ended', async () => {
    const open = await lab.sql<{ waits: boolean }[]>`
      select lease is null and due_at > now() as waits from withdrawals where finished_at is null`
    if (open.length === 0) return true
    if (open.every(({ waits }) => waits)) await lab.later(60)
    return false
  })
}

test.each(cases)(
  'a death at %s of a payment that is %s pays once or not at all',
  async (...given) => {
    const [place, , behaviour] = given
    await using lab = await botLab({ payWaitMs: 10 })
    const first = await lab.bot()
    const customer = someKey()
    await lab.topUp(first, customer, 2_000)
    const { bolt11, paymentHash } = lab.outside(1_000)
    lab.play.node.script(paymentHash, behaviour)
    const message = { id: someKey(), at: 1_800_000_000 }
    const text = `/withdraw ${bolt11}`
    await first.crashAt(place, () => first.dm(customer, text, message))
    const second = await lab.bot()
    // The relay still has the message, and sends it again.
    await second.dm(customer, text, message)
    await untilEnded(lab)
    await lab.hears(customer, 'withdrawal', 2)
    const states = (await lab.told(customer, 'withdrawal')).map(({ state }) => state)
    const paid = lab.payouts(paymentHash)
    expect(states).toEqual(['sent', paid === 1 ? 'done' : 'failed'])
    const left = paid === 1 ? 2_000 - 1_001 : 2_000
    expect(await lab.balance(customer)).toEqual({ availableSats: left, balanceSats: left })
    await lab.expectClean()
  },
)
