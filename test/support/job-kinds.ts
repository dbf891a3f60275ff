import { systemClock } from '../../src/clock.ts'
import type { NodeBehaviour } from '../../src/sandbox/lnbits-node.ts'
import { farInvoice } from './far-invoice.ts'
import { HOPELESS, type JourneyLab, type LabCustomer } from './journey-lab.ts'

/** One way through the bot, played to its end by a customer who knows nothing of crashes. */
export interface JobKind {
  name: string
  /** What the customer has before, made by a replica that is let live. */
  before?(lab: JourneyLab, customer: LabCustomer): Promise<void>
  /** Resolves at the last reply. */
  play(lab: JourneyLab, customer: LabCustomer): Promise<void>
}

/** About 40 sats at the lab's rates. */
const REQUEST = 'what is a satoshi?'

export const jobKinds: JobKind[] = [
  {
    name: 'free',
    before: (lab, customer) => lab.grant(customer, 'trusted'),
    async play(_, customer) {
      const id = customer.ask({ type: 'job', request: REQUEST })
      await customer.hears(id, 'result')
    },
  },
  {
    name: 'partial',
    before: (lab, customer) => lab.grant(customer, 'established'),
    async play(lab, customer) {
      const id = customer.ask({ type: 'job', request: REQUEST })
      await payInvoice(lab, customer, id)
      await customer.hears(id, 'result')
    },
  },
  {
    name: 'paid',
    async play(lab, customer) {
      const id = customer.ask({ type: 'job', request: REQUEST })
      await payInvoice(lab, customer, id)
      await customer.hears(id, 'result')
    },
  },
  {
    name: 'balance',
    before: (lab, customer) => topUp(lab, customer, 1_000),
    async play(_, customer) {
      const id = customer.ask({ type: 'job', request: REQUEST })
      await customer.hears(id, 'result')
    },
  },
  {
    name: 'failed',
    async play(lab, customer) {
      const id = customer.ask({ type: 'job', request: `this ${HOPELESS}` })
      await payInvoice(lab, customer, id)
      await customer.hears(id, 'failed')
    },
  },
  {
    name: 'expired, then paid',
    async play(lab, customer) {
      const id = customer.ask({ type: 'job', request: REQUEST })
      const { bolt11, jobId } = await customer.hears(id, 'invoice')
      await lab.sql`update jobs set due_at = now() where id = ${Number(jobId)}`
      await lab.sql`select pg_notify('tithe_lane', 'jobs')`
      await customer.hears(id, 'expired')
      await lab.pay(bolt11)
      await customer.hears(id, 'balance')
    },
  },
  {
    name: 'cancelled',
    async play(_, customer) {
      const id = customer.ask({ type: 'job', request: REQUEST })
      const { jobId } = await customer.hears(id, 'invoice')
      const cancel = customer.ask({ type: 'cancel', jobId })
      await customer.hears(cancel, 'job')
    },
  },
  { name: 'top-up', play: (lab, customer) => topUp(lab, customer, 1_000) },
  {
    name: 'donation',
    async play(lab, customer) {
      const id = customer.ask({ type: 'donate', sats: 300 })
      await payInvoice(lab, customer, id)
      await customer.hears(id, 'pool')
    },
  },
  {
    name: 'withdrawal',
    before: (lab, customer) => topUp(lab, customer, 1_000),
    play: (lab, customer) => withdraw(lab, customer, { kind: 'ok', feeMsat: 1_500 }),
  },
  {
    name: 'withdrawal without a route',
    before: (lab, customer) => topUp(lab, customer, 1_000),
    play: (lab, customer) => withdraw(lab, customer, { kind: 'noRoute' }),
  },
  {
    name: 'question',
    async play(_, customer) {
      const id = customer.ask({ type: 'why' })
      await customer.hears(id, 'why')
    },
  },
]

async function payInvoice(lab: JourneyLab, customer: LabCustomer, id: string): Promise<void> {
  const { bolt11 } = await customer.hears(id, 'invoice')
  await lab.pay(bolt11)
}

async function topUp(lab: JourneyLab, customer: LabCustomer, sats: number): Promise<void> {
  const id = customer.ask({ type: 'topup', sats })
  await payInvoice(lab, customer, id)
  await customer.hears(id, 'balance')
}

async function withdraw(
  lab: JourneyLab,
  customer: LabCustomer,
  behaviour: NodeBehaviour,
): Promise<void> {
  const { bolt11, paymentHash } = farInvoice(500)
  lab.play.node.script(paymentHash, behaviour)
  const id = customer.ask({ type: 'withdraw', to: bolt11 })
  // A payment that may have left is asked about for minutes; here they pass in an instant.
  const hurry = new AbortController()
  const hurried = (async () => {
    while (!hurry.signal.aborted) await passTime(lab)
  })()
  try {
    // What dies between "sent" and the payment itself was never paid, and comes back.
    await customer.hears(id, 'withdrawal', 'done', 'failed')
  } finally {
    hurry.abort()
    await hurried
  }
}

/** Withdrawals that wait for their next question have waited for it. */
async function passTime({ sql }: JourneyLab): Promise<void> {
  const rows = await sql`
    update withdrawals set sent_at = sent_at - interval '100 s', due_at = now()
    where finished_at is null and lease is null and due_at > now()
    returning id`
  if (rows.length > 0) await sql`select pg_notify('tithe_lane', 'withdrawals')`
  await systemClock.sleep(30)
}
