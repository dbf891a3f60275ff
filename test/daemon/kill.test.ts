import { expect, test } from 'vitest'
import { readBreaches, readDrift } from '../../src/store/audit.ts'
import { type DaemonLab, daemonLab, type LabCustomer } from '../support/daemon-lab.ts'

/*
 * kill -9 at four places, each followed by a start on what is left: every job finishes exactly once.
 * The failpoint ends the process itself, at the very instruction; nothing after it runs.
 */

async function expectOneDelivery(lab: DaemonLab, customer: LabCustomer, id: string): Promise<void> {
  const result = await customer.reply(id)
  expect(result).toMatchObject({ type: 'result', result: 'hello', chargeSats: 21, part: 1 })
  expect(await customer.replies(id, 1_500)).toEqual([])
  const jobs = await lab.db.sql`select state, paid_sats from jobs`
  expect(jobs).toEqual([{ state: 'done', paidSats: 21 }])
  const replies = await lab.db.sql`
    select step, count(*) as count from outbox group by step order by step`
  expect(replies).toEqual(['end', 'invoice', 'working'].map((step) => ({ step, count: 1 })))
  expect(await readDrift(lab.db.sql)).toEqual([])
  expect(await readBreaches(lab.db.sql)).toEqual([])
}

/** A job that is asked for and paid at a daemon which dies at `failpoint`. */
async function payUntilKilled(lab: DaemonLab, failpoint: string) {
  const daemon = await lab.start({ TITHE_FAILPOINT: failpoint })
  const customer = await lab.customer()
  const id = await customer.ask({ type: 'job', request: 'hello' })
  const invoice = await customer.reply(id)
  await customer.pay(invoice.bolt11)
  await daemon.gone
  return { customer, id }
}

test('killed after the invoice was stored, it sends the invoice and serves the payment', async () => {
  await using lab = await daemonLab()
  const first = await lab.start({ TITHE_FAILPOINT: 'quote:committed' })
  const customer = await lab.customer()
  const id = await customer.ask({ type: 'job', request: 'hello' })
  await first.gone
  await lab.start()
  const invoice = await customer.reply(id)
  expect(invoice).toMatchObject({ type: 'invoice', chargeSats: 21 })
  await customer.pay(invoice.bolt11)
  expect(await customer.reply(id)).toMatchObject({ type: 'working', paidFrom: 'invoice' })
  await expectOneDelivery(lab, customer, id)
})

test('killed when the payment had come, it books the payment and goes on', async () => {
  await using lab = await daemonLab()
  const { customer, id } = await payUntilKilled(lab, 'payment:seen')
  await lab.start()
  expect(await customer.reply(id)).toMatchObject({ type: 'working' })
  await expectOneDelivery(lab, customer, id)
})

test('killed during the work, it does the work again and settles once', async () => {
  await using lab = await daemonLab()
  const { customer, id } = await payUntilKilled(lab, 'work:end')
  await lab.start()
  expect(await customer.reply(id)).toMatchObject({ type: 'working' })
  await expectOneDelivery(lab, customer, id)
})

test('killed between storing the signed result and publishing it, it publishes that event', async () => {
  await using lab = await daemonLab()
  // The third reply of the job is its result: invoice, working, result.
  const { customer, id } = await payUntilKilled(lab, 'deliver:stored#3')
  const stored = await lab.db.sql<{ eventId: string }[]>`select event_id from outbox_events`
  await lab.start()
  expect(await customer.reply(id)).toMatchObject({ type: 'working' })
  await expectOneDelivery(lab, customer, id)
  const published = lab.relay.events().map((event) => event.id)
  for (const { eventId } of stored) expect(published).toContain(eventId)
})
