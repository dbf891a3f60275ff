import type { ReplyTo } from '../store/inbox.ts'
import type { Job } from '../store/jobs.ts'
import type { NewReply } from '../store/outbox.ts'

/** Tells the customer that work goes on: at once, after the payment, or, with `seconds`, that it takes long. */
export function workingReply(
  job: ReplyTo & Pick<Job, 'id' | 'serve' | 'paidFrom' | 'chargeSats' | 'reservedSats'>,
  seconds?: number,
): NewReply {
  return {
    to: job,
    jobId: job.id,
    step: seconds === undefined ? 'working' : 'still_working',
    reply: {
      type: 'working',
      jobId: String(job.id),
      serve: job.serve,
      free_tier: job.reservedSats > 0,
      paidFrom: job.paidFrom,
      chargeSats: job.chargeSats,
      absorbSats: job.reservedSats,
      ...(seconds === undefined ? {} : { seconds }),
    },
  }
}
