import { type Clock, unixSeconds } from '../clock.ts'
import type { Reply } from '../doors/protocol.ts'
import { refusal } from '../doors/replies.ts'
import { type Command, readMessage } from '../doors/requests.ts'
import { failpoint } from '../failpoint.ts'
import { REQUEST_AGE_SECONDS } from '../limits.ts'
import type { Sql } from '../store/database.ts'
import { isTakenIn } from '../store/inbox.ts'
import { findJobOfRumor, type NewJob } from '../store/jobs.ts'
import type { OutboxRow } from '../store/outbox.ts'
import type { Accepted } from './accept.ts'
import { type Answered, type Answers, priceBound } from './answers.ts'
import type { Batcher } from './batcher.ts'
import type { Funds } from './funds.ts'
import { incomingOf, type Letter, requestHashOf, type Taken } from './intake.ts'
import type { PricingService } from './prices.ts'
import type { Incoming, PricedRequest } from './request.ts'

export interface DeskOptions {
  sql: Sql
  clock: Clock
  prices: PricingService
  accept: Batcher<PricedRequest, Accepted>
  answers: Answers
  funds: Funds
  /** Unix seconds of the database's first boot: what was written long before is not executed. */
  bornAt: number
  /** After a commit: a job and replies that are already leased to this process. */
  takeJob(job: NewJob): void
  deliver(replies: readonly OutboxRow[]): void
  counted(event: { door: string; outcome: string }): void
}

/** Slack for clocks and for messages that waited on a relay while the bot was first set up. */
const BIRTH_SLACK_SECONDS = 3_600

/**
 * Reads what a letter asks for and hands it to the step it belongs to. Returns when the answer is committed:
 * only then does the feed forget the message.
 */
export function createDesk(options: DeskOptions) {
  const { sql, clock, prices, accept, answers, funds } = options

  return async function serve(taken: Exclude<Taken, { kind: 'dropped' }>): Promise<void> {
    const { letter } = taken
    if (taken.kind === 'unusable') {
      const reply = refusal('malformed', taken.facts)
      return count(letter, await answer(incomingOf(letter, 'words', undefined), reply))
    }
    if (taken.kind === 'refused') {
      return count(letter, await answer(incomingOf(letter, 'words', undefined), taken.refused))
    }
    if (taken.kind === 'cancel') return cancelAll(letter, taken.rumorIds)
    if (taken.kind === 'request') {
      const incoming = incomingOf(letter, 'words', undefined)
      if (isTooOld(letter)) return count(letter, await askToResend(incoming))
      return count(letter, await takeJob(incoming, taken))
    }
    const message = readMessage(letter.text)
    const incoming = incomingOf(letter, message.form, message.id)
    if (isTooOld(letter)) return count(letter, await askToResend(incoming))
    if ('refused' in message) return count(letter, await answer(incoming, message.refused))
    count(letter, await obey(incoming, message.command))
  }

  async function obey(incoming: Incoming, command: Command): Promise<string> {
    switch (command.name) {
      case 'job':
        return takeJob(incoming, command)
      case 'cancel':
        return committed(await answers.cancel(incoming, command.jobId))
      case 'topup':
      case 'donate':
      case 'withdraw':
        return committed(await funds.obey(incoming, command))
      default:
        return answer(incoming, await answers.read(incoming, command))
    }
  }

  async function takeJob(
    incoming: Incoming,
    { request, model }: { request: string; model?: string | undefined },
  ): Promise<string> {
    const price = await prices.estimateRequestCost(request, model)
    if ('refused' in price) {
      return answer(incoming, refusal(price.refused, priceBound(price)))
    }
    const accepted = await accept.add({
      ...incoming,
      request,
      requestHash: requestHashOf(request),
      ...price,
    })
    await failpoint('accept:committed')
    if (accepted.outcome === 'job') options.takeJob(accepted.job)
    if ('replies' in accepted) options.deliver(accepted.replies)
    return accepted.outcome
  }

  async function answer(incoming: Incoming, reply: Reply): Promise<string> {
    const answered = await answers.reply.add({ incoming, reply })
    await failpoint('answer:committed')
    return committed(answered)
  }

  function committed({ fresh, replies }: Answered): string {
    options.deliver(replies)
    return fresh ? 'answered' : 'replayed'
  }

  /** A message that is too old is not executed; its sender hears so once a day at most. */
  async function askToResend(incoming: Incoming): Promise<string> {
    const { replies } = await answers.tooOld(incoming)
    options.deliver(replies)
    return 'too_old'
  }

  function isTooOld({ rumorAt }: Letter): boolean {
    const now = unixSeconds(clock)
    return rumorAt < Math.max(now - REQUEST_AGE_SECONDS, options.bornAt - BIRTH_SLACK_SECONDS)
  }

  /** A kind 5 rumor takes requests back; what is unpaid ends, what is not ours to end is left alone. */
  async function cancelAll(letter: Letter, rumorIds: readonly string[]): Promise<void> {
    const incoming = incomingOf(letter, 'words', undefined)
    if (await isTakenIn(sql, letter)) return
    for (const rumorId of rumorIds.slice(0, CANCELS_PER_MESSAGE)) {
      const jobId = await findJobOfRumor(sql, letter.sender, rumorId)
      if (jobId === undefined) continue
      return count(letter, committed(await answers.cancel(incoming, String(jobId))))
    }
  }

  function count({ via }: Letter, outcome: string): void {
    options.counted({ door: via, outcome })
  }
}

/** A deletion may name many events; only so many are looked up. */
const CANCELS_PER_MESSAGE = 20
