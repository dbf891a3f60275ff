import {
  CommandError,
  type CommandContext,
  type ExitStatus,
  inSats,
  withGround,
} from '../../command.ts'
import { npub } from '../../nostr/identity.ts'
import { readOnly, type Sql } from '../../store/database.ts'
import {
  readJobInvoice,
  readJobPublications,
  readJobReplies,
  readJobTimes,
  readJobTransfers,
  readListedJob,
} from '../../store/job-list.ts'
import { type JobFacts, type Moment, storyOf } from '../job-story.ts'
import { hostOf, instantMs } from '../screen.ts'
import { jobView } from './jobs.ts'

/**
 * Prints the whole story of one job: every state it was in, every movement of sats, every reply and what each
 * relay said to it, with times. Neither request nor result are shown. Status 1 when there is no such job.
 */
export async function job(
  context: CommandContext,
  { id: text, json = false }: { id: string; json?: boolean },
): Promise<ExitStatus> {
  const id = readId(text)
  const facts = await withGround(context, ({ sql }) => readFacts(sql, id))
  if (!facts) throw new CommandError(`There is no job ${id}. See: tithe jobs`)
  const story = storyOf(facts)
  const { terminal } = context
  if (json) terminal.print(JSON.stringify({ ...programView(facts), story }))
  else for (const line of linesOf(facts, story)) terminal.print(line)
  return 0
}

function readId(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new CommandError('A job is named by its number, as `tithe jobs` shows it.', { status: 2 })
}

/** All of one instant, so that a daemon at work cannot blur it. */
function readFacts(sql: Sql, id: number): Promise<JobFacts | undefined> {
  return readOnly(sql, async (tx) => {
    const found = await readListedJob(tx, id)
    const times = await readJobTimes(tx, id)
    if (!found || !times) return undefined
    return {
      job: found,
      times,
      invoice: await readJobInvoice(tx, id),
      transfers: await readJobTransfers(tx, id),
      replies: await readJobReplies(tx, id),
      publications: await readJobPublications(tx, id),
    }
  })
}

function programView({ job: row, times, invoice, transfers, replies, publications }: JobFacts) {
  return {
    job: jobView(row),
    times,
    invoice: invoice ?? null,
    transfers,
    replies: replies.map((reply) => ({
      ...reply,
      publications: publications
        .filter(({ outboxId }) => outboxId === reply.id)
        .map(({ outboxId, relay, ...publication }) => ({ ...publication, relay: hostOf(relay) })),
    })),
  }
}

function linesOf(facts: JobFacts, story: readonly Moment[]): string[] {
  const { job: row, times } = facts
  const row2 = (name: string, value: string) => `${name.padEnd(10)}${value}`
  const why = row.reason ? ` (${row.reason})` : ''
  const rate = row.usdPerBtc === null ? 'flat' : `at ${row.usdPerBtc} USD per bitcoin`
  const result = times.resultChars === null ? 'no result' : `${times.resultChars} characters out`
  return [
    row2('job', `${row.id}, ${row.state}${why}`),
    row2('customer', npub(row.customer)),
    row2('request', `by ${row.via}, ${times.requestChars} characters in, ${result}`),
    row2('model', `${row.model}, ${rate}`),
    row2('decision', `${row.serve}, tier ${row.tier} (${row.tierSource})`),
    row2('quote', `${inSats(row.estimatedSats)}, of it ${inSats(row.chargeSats)} by the customer`),
    row2(
      'outcome',
      `cost ${row.actualSats === null ? 'open' : inSats(row.actualSats)}, ` +
        `paid ${row.paidSats}, back ${row.refundSats}, pool ${row.absorbedSats}, ` +
        `shortfall ${row.shortfallSats}`,
    ),
    '',
    ...story.map(({ at, what }) => `${at === null ? ' '.repeat(23) : instantMs(at)}  ${what}`),
  ]
}
