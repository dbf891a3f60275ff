import type { Job } from '../store/jobs.ts'
import type { NewReply } from '../store/outbox.ts'

type Told =
  | 'id'
  | 'customer'
  | 'via'
  | 'form'
  | 'programId'
  | 'rumorAt'
  | 'rumorId'
  | 'serve'
  | 'paidFrom'
  | 'chargeSats'
  | 'reservedSats'

/** Tells the customer that work goes on: at once, or after the payment. */
export function workingReply(job: Pick<Job, Told>): NewReply {
  return {
    to: job,
    jobId: job.id,
    step: 'working',
    reply: {
      type: 'working',
      jobId: String(job.id),
      serve: job.serve,
      free_tier: job.reservedSats > 0,
      paidFrom: job.paidFrom,
      chargeSats: job.chargeSats,
      absorbSats: job.reservedSats,
    },
  }
}
