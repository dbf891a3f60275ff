import type { Crowd } from './crowd.ts'
import { percentile, rounded } from './figures.ts'
import type { Stage } from './stage.ts'

/** How long conversations took and how many there were in a second. */
export interface Latency {
  count: number
  perSecond: number
  p50Ms: number
  p99Ms: number
}

/** Every customer goes through `talk` again and again for so long; `talk` answers its milliseconds. */
export async function converse(
  customers: number,
  seconds: number,
  talk: (customer: number) => Promise<number>,
): Promise<Latency & { all: number[] }> {
  const all: number[] = []
  const began = performance.now()
  const until = began + seconds * 1000
  await Promise.all(
    Array.from({ length: customers }, async (_, customer) => {
      while (performance.now() < until) all.push(await talk(customer))
    }),
  )
  const took = (performance.now() - began) / 1000
  return {
    all,
    count: all.length,
    perSecond: rounded(all.length / took),
    p50Ms: rounded(percentile(all, 0.5)),
    p99Ms: rounded(percentile(all, 0.99)),
  }
}

/** From the DM to the DM with its invoice. */
export const toInvoice =
  (crowd: Crowd) =>
  async (customer: number): Promise<number> => {
    const { bolt11: _, ms } = await askInvoice(crowd, customer)
    return ms
  }

export async function askInvoice(crowd: Crowd, customer: number) {
  const asked = await crowd.ask(customer, { type: 'job', request: 'What is a satoshi?' })
  const { reply, at } = await asked.next()
  if (reply.type !== 'invoice') throw new Error(`answered with ${JSON.stringify(reply)}`)
  return { asked, bolt11: String(reply.bolt11), ms: at - asked.sentAt, at }
}

/** Asks, pays at once and hears on until the result is there. Times are milliseconds since the epoch. */
export async function buyJob(stage: Stage, crowd: Crowd, customer: number) {
  const { asked, bolt11, at: invoiceAt } = await askInvoice(crowd, customer)
  const paidAt = performance.timeOrigin + performance.now()
  const paying = stage.pay(bolt11)
  for (;;) {
    const { reply, at: resultAt } = await asked.next()
    if (reply.type === 'failed') throw new Error(JSON.stringify(reply))
    if (reply.type !== 'result') continue
    await paying
    return { sentAt: asked.sentAt, bolt11, invoiceAt, paidAt, resultAt }
  }
}
