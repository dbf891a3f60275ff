import { CommandError, type CommandContext, type ExitStatus, withGround } from '../../command.ts'
import { npub } from '../../nostr/identity.ts'
import { type ListedJob, readLatestJobs } from '../../store/job-list.ts'
import { type JobState, jobStates } from '../../store/job-states.ts'
import { readKey } from '../customer-key.ts'
import { readCount } from '../read-count.ts'
import { instant, shortKey, table } from '../screen.ts'

export interface JobsOptions {
  /** A state, or `open` for all that are not over. */
  state?: string
  customer?: string
  limit?: string
  json?: boolean
}

/** Prints the latest jobs, newest first, one line each. */
export async function jobs(
  context: CommandContext,
  { state, customer, limit, json = false }: JobsOptions,
): Promise<ExitStatus> {
  const filter = {
    states: state === undefined ? undefined : readStates(state),
    customer: customer === undefined ? undefined : readKey(customer),
    limit: readCount(limit, '--limit', 20),
  }
  const found = await withGround(context, ({ sql }) => readLatestJobs(sql, filter))
  const { terminal } = context
  if (json) terminal.print(JSON.stringify(found.map(jobView)))
  else if (found.length === 0) terminal.print('No job is like that.')
  else for (const line of table([HEAD, ...found.map(cells)])) terminal.print(line)
  return 0
}

const OPEN: JobState[] = ['accepted', 'awaiting_payment', 'working']

function readStates(word: string): JobState[] {
  if (word === 'open') return OPEN
  const known = jobStates.find((state) => state === word)
  if (known) return [known]
  throw new CommandError(`States are ${jobStates.join(', ')}, and open for what is not over.`, {
    status: 2,
  })
}

/** A job for programs: what its row says, without what only the lanes need. */
export function jobView({ epoch, rumorAt, ...job }: ListedJob) {
  return { ...job, npub: npub(job.customer) }
}

const HEAD = ['job', 'asked (UTC)', 'state', 'customer', 'via', 'serve', 'quote', 'paid', 'pool']

function cells(job: ListedJob): (string | number)[] {
  const { id, state, reason, customer, via, serve, estimatedSats } = job
  const why = reason && reason !== state ? `${state} (${reason})` : state
  const paidSats = job.paidSats - job.refundSats
  const name = shortKey(customer)
  return [
    id,
    instant(job.createdAt),
    why,
    name,
    via,
    serve,
    estimatedSats,
    paidSats,
    job.absorbedSats,
  ]
}
