import { expect, test } from 'vitest'
import { brokenBooks } from '../support/checkers.ts'
import { daemonLab } from '../support/daemon-lab.ts'
import { leaveBehind } from '../support/left-behind.ts'
import { say, SWEEP_MS } from '../support/seeded.ts'
import { until } from '../support/until.ts'

const counts = { accepted: 40, open: 200, expired: 200, paid: 200, free: 200, working: 160 }
/** What is left when everything is reconciled: invoices that wait for their customers. */
const waiting = counts.accepted + counts.open

test(
  'with a thousand jobs to take up again, a new message does not wait, and LNbits is not overrun',
  async () => {
    await using lab = await daemonLab()
    const { sql } = lab.db
    await leaveBehind(sql, lab.lnbits, counts)
    const [left] = await sql<{ jobs: number; replies: number }[]>`
    select (select count(*) from jobs where finished_at is null) as jobs,
      (select count(*) from outbox where delivered_at is null) as replies`
    expect(left?.jobs).toBe(1_000)
    const before = { ...lab.lnbits.faults.calls }
    const production = { WORK_LEASE_SECONDS: '30', DELIVERY_LEASE_SECONDS: '10' }
    await lab.start({ ...production, PAYMENT_POLL_SECONDS: '2' })
    const began = performance.now()
    const secondsSince = () => (performance.now() - began) / 1000
    const customer = await lab.customer()
    const help = await customer.ask({ type: 'help' })
    expect(await customer.reply(help)).toMatchObject({ type: 'help' })
    const firstSeconds = secondsSince()
    const reconciled = async () => {
      const [row] = await sql<{ states: Record<string, number>; undelivered: number }[]>`
      select (
        select jsonb_object_agg(state, count) from (
          select state, count(*) from jobs group by state
        ) s
      ) as states, (select count(*) from outbox where delivered_at is null) as undelivered`
      const done = counts.paid + counts.free + counts.working
      const wanted = { awaiting_payment: waiting, done, expired: counts.expired }
      const isReconciled = Object.entries(wanted).every(([name, n]) => row?.states[name] === n)
      return isReconciled && row?.undelivered === 0
    }
    await until('all is reconciled', reconciled, 120_000)
    const allSeconds = secondsSince()
    const { create, pay, ...asked } = lab.lnbits.faults.calls
    const questions = Object.entries(asked).reduce(
      (sum, [call, count]) => sum + count - before[call as keyof typeof before],
      0,
    )
    say(
      `recovery: first answer after ${firstSeconds.toFixed(1)} s, all after ${allSeconds.toFixed(1)} s, ` +
        `${questions} questions to LNbits, ${create - before.create} invoices, ${left?.replies} replies`,
    )
    // The figures that are aimed at are 5 and 60 seconds; the machine may be busy with other things.
    expect(firstSeconds).toBeLessThan(15)
    // Whatever the machine does, a minute has a hundred questions, and each further minute as many.
    expect(questions).toBeLessThanOrEqual(100 * Math.ceil(allSeconds / 60))
    expect(await brokenBooks({ sql, play: lab.lnbits })).toEqual([])
  },
  SWEEP_MS,
)
