import { z } from 'zod'
import { english, type Texts } from './texts-en.ts'

/*
 * What operators are told by DM without having asked. It stands in the outbox as data, as replies do, and
 * becomes words when it is signed; customers never see one, so it is no part of their protocol.
 */

const count = z.int().min(0)
const alert = <const T extends string, S extends z.ZodRawShape>(name: T, shape: S) =>
  z.object({ type: z.literal('alert'), name: z.literal(name), ...shape })

const alertSchema = z.discriminatedUnion('name', [
  alert('pool_low', { balanceSats: count }),
  alert('drift', { driftSats: z.int() }),
  alert('relay_deaf', { relays: count }),
  alert('payout_unknown', { payouts: count, amountSats: count }),
  alert('backend_failing', { failures: count }),
  alert('lnbits_down', { minutes: count }),
  /** Whatever `of` named is over. */
  alert('over', { of: z.string() }),
])

export type Alert = z.infer<typeof alertSchema>

/** Every trouble there is an alert for. */
export type Trouble = Exclude<Alert['name'], 'over'>

/** The text of an alert; undefined when the stored reply is none. */
export function alertText(reply: unknown, { alerts }: Texts = english): string | undefined {
  const parsed = alertSchema.safeParse(reply)
  if (!parsed.success) return undefined
  const { data } = parsed
  switch (data.name) {
    case 'pool_low':
      return alerts.pool_low(data)
    case 'drift':
      return alerts.drift(data)
    case 'relay_deaf':
      return alerts.relay_deaf(data)
    case 'payout_unknown':
      return alerts.payout_unknown(data)
    case 'backend_failing':
      return alerts.backend_failing(data)
    case 'lnbits_down':
      return alerts.lnbits_down(data)
    case 'over':
      return alerts.over({ name: data.of })
  }
}
