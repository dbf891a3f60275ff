import { z } from 'zod'
import type { Metrics, Stage } from './metrics.ts'

const sats = z.int().min(0)

/** What the replies of the journey say about jobs and sats; anything else is not counted by its reply. */
const toldShape = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('invoice'),
    purpose: z.string(),
    serve: z.enum(['partial', 'gate']).optional(),
  }),
  z.object({
    type: z.literal('working'),
    serve: z.enum(['free', 'partial', 'gate']),
    paidFrom: z.string(),
    seconds: z.number().optional(),
  }),
  z.object({
    type: z.literal('result'),
    actualSats: sats,
    absorbed_sats: sats,
    chargeSats: sats,
    refundSats: sats,
  }),
  z.object({ type: z.literal('failed'), reason: z.string(), refundSats: sats }),
  z.object({ type: z.literal('expired') }),
  z.object({ type: z.literal('refused'), reason: z.string(), jobId: z.string().optional() }),
  z.object({ type: z.literal('withdrawal'), state: z.string(), sats }),
])

/** Counts the journey for `/metrics`. By each reply, because a customer is told of everything once. */
export function createMeasures(metrics: Metrics, creditOf: (chargeSats: number) => number) {
  return {
    stage: (stage: Stage, ms: number) => metrics.stage(stage, ms),
    lane(name: string, what: 'begun' | 'retried' | 'lost') {
      if (what === 'begun') metrics.laneClaimed(name)
      else if (what === 'retried') metrics.laneRetried(name)
      else metrics.laneLost(name)
    },
    told(reply: Record<string, unknown>) {
      const read = toldShape.safeParse(reply)
      if (!read.success) return
      const told = read.data
      switch (told.type) {
        case 'invoice':
          if (told.purpose === 'job' && told.serve) metrics.decided(told.serve)
          return
        case 'working':
          // A paid invoice was decided before, and the reminder of a long job is no decision.
          if (told.paidFrom !== 'invoice' && told.seconds === undefined) metrics.decided(told.serve)
          return
        case 'result':
          metrics.ended('done')
          metrics.moved('absorbed', told.absorbed_sats)
          metrics.moved('charged', told.chargeSats)
          metrics.moved('credited', creditOf(told.chargeSats))
          metrics.moved('refunded', told.refundSats)
          metrics.moved('shortfall', told.actualSats - told.absorbed_sats - told.chargeSats)
          return
        case 'failed':
          metrics.ended('failed')
          metrics.moved('refunded', told.refundSats)
          if (told.reason.startsWith('backend')) metrics.fault('backend')
          return
        case 'expired':
          return metrics.ended('expired')
        case 'refused':
          metrics.refused(told.reason)
          if (told.jobId !== undefined) metrics.ended('refused')
          return
        case 'withdrawal':
          if (told.state === 'done') metrics.moved('withdrawn', told.sats)
      }
    },
  }
}
