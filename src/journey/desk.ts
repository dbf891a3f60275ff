import { type Clock, unixSeconds } from '../clock.ts'
import type { Reply, ReplyOf } from '../doors/protocol.ts'
import { refusal } from '../doors/replies.ts'
import { type Command, readMessage } from '../doors/requests.ts'
import { failpoint } from '../failpoint.ts'
import { CANCELS_KEPT, REQUEST_AGE_SECONDS } from '../limits.ts'
import { createSeen } from '../nostr/seen.ts'
import type { Sql } from '../store/database.ts'
import { findJobsOfRumors, type NewJob } from '../store/jobs.ts'
import type { OutboxRow } from '../store/outbox.ts'
import type { Accepted } from './accept.ts'
import { type Answered, type Answers, priceBound } from './answers.ts'
import type { Batcher } from './batcher.ts'
import type { Funds } from './funds.ts'
import { incomingOf, type Letter, requestHashOf, type Taken, type Wanted } from './intake.ts'
import type { Manners, Said } from './manners.ts'
import type { PricingService } from './prices.ts'
import type { Incoming, PricedRequest } from './request.ts'

export interface DeskOptions {
  sql: Sql
  clock: Clock
  prices: PricingService
  accept: Batcher<PricedRequest, Accepted>
  answers: Answers
  funds: Funds
  manners: Manners
  /** What is known of a key's profile by now (NIP-24); not waited for. */
  isBot(pubkey: string): boolean
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
  const { sql, prices, accept, answers, funds, manners } = options

  const takenBack = createTakenBack()
  const count = ({ via: door }: Letter, outcome: string): void => options.counted({ door, outcome })

  return async function serve(taken: Served, leave: Leave): Promise<void> {
    const { letter } = taken
    if (taken.kind === 'cancel') return cancelAll(letter, taken.rumorIds)
    const { incoming, ...read } = readTaken(taken)
    const late = isTooOld(letter, options)
    count(letter, await (late ? askToResend(incoming) : answerPolitely(incoming, read, leave)))
  }

  async function answerPolitely(incoming: Incoming, read: Asked, leave: Leave): Promise<string> {
    const said = saidBy(incoming)
    // Two programs that answer each other's words would never end (NIP-24).
    if (said.form === 'words' && options.isBot(said.sender)) return ignore(incoming)
    const heard = manners.hear(said)
    if (heard === 'ignore') return ignore(incoming)
    if (heard === 'tell') return answer(incoming, refusal('rate_limited'))
    if ('refused' in read) return answer(incoming, read.refused)
    if (takenBack.has(incoming.message.rumorId, said.sender)) return ignore(incoming)
    return obey(incoming, read.command, leave)
  }

  async function obey(incoming: Incoming, command: AnyCommand, leave: () => void): Promise<string> {
    switch (command.name) {
      case 'job':
        return takenBack.during(incoming.message.rumorId, () => takeJob(incoming, command))
      case 'cancel':
        return committed(await answers.cancel(incoming, command.jobId))
      case 'topup':
      case 'donate':
      case 'withdraw':
        leave()
        return committed(await funds.obey(incoming, command))
      default:
        return answer(incoming, await answers.read(incoming, command))
    }
  }

  async function takeJob(incoming: Incoming, wanted: Wanted): Promise<string> {
    const { request, model, maxOutputTokens, bidMsat } = wanted
    const price = await prices.estimateRequestCost(request, model, maxOutputTokens)
    if ('refused' in price) return answer(incoming, refusal(price.refused, priceBound(price)))
    const accepted = await accept.add({
      ...incoming,
      request,
      requestHash: requestHashOf(request),
      ...price,
      bidMsat,
    })
    await failpoint('accept:committed')
    if (accepted.outcome === 'job') options.takeJob(accepted.job)
    if ('replies' in accepted) options.deliver(accepted.replies)
    return accepted.outcome
  }

  async function answer(incoming: Incoming, reply: Reply): Promise<string> {
    if (reply.type === 'refused' && !manners.mayRefuse(saidBy(incoming))) return ignore(incoming)
    const answered = await answers.reply.add({ incoming, reply })
    await failpoint('answer:committed')
    return committed(answered)
  }

  /** Takes a message in, so that it is not looked at again, and says nothing. */
  async function ignore(incoming: Incoming): Promise<string> {
    const { fresh } = await answers.reply.add({ incoming })
    return fresh ? 'ignored' : 'replayed'
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

  /** A kind 5 takes requests back; what is unpaid ends, what is not the sender's or is at work is left alone. */
  async function cancelAll(letter: Letter, rumorIds: readonly string[]): Promise<void> {
    const named = rumorIds.slice(0, CANCELS_PER_MESSAGE)
    await takenBack.add(named, letter.sender)
    const jobIds = await findJobsOfRumors(sql, letter.sender, named)
    if (jobIds.length === 0) return
    const incoming = incomingOf(letter, 'words', undefined)
    count(letter, committed(await answers.takeBack(incoming, jobIds)))
  }
}

/** Requests that their senders took back, by rumor id: a deletion may come before or beside what it takes back. */
function createTakenBack() {
  const ids = createSeen(CANCELS_KEPT)
  const onTheWay = new Map<string, Promise<string>>()
  return {
    has: ids.has,
    /** Stored messages come newest first, so that a request may follow. Waits for one that is just becoming a job. */
    async add(rumorIds: readonly string[], sender: string): Promise<void> {
      for (const rumorId of rumorIds) ids.add(rumorId, sender)
      await Promise.allSettled(rumorIds.map((rumorId) => onTheWay.get(rumorId)))
    },
    /** Makes a job of a request. */
    during(rumorId: string, make: () => Promise<string>): Promise<string> {
      const made = make().finally(() => onTheWay.delete(rumorId))
      onTheWay.set(rumorId, made)
      return made
    },
  }
}

function isTooOld({ rumorAt }: Letter, { clock, bornAt }: DeskOptions): boolean {
  return rumorAt < Math.max(unixSeconds(clock) - REQUEST_AGE_SECONDS, bornAt - BIRTH_SLACK_SECONDS)
}

type Served = Exclude<Taken, { kind: 'dropped' }>

/** Said before waiting for LNbits, which may stand still for minutes: from then on another message is served. */
type Leave = () => void

type AnyCommand = Exclude<Command, { name: 'job' }> | ({ name: 'job' } & Wanted)
type Asked = { command: AnyCommand } | { refused: ReplyOf<'refused'> }

/** What a door made of its event; one that carries no commands has no form but words. */
function readTaken(
  taken: Exclude<Taken, { kind: 'dropped' | 'cancel' }>,
): { incoming: Incoming } & Asked {
  const { letter } = taken
  if (taken.kind === 'letter') {
    const { form, id, ...read } = readMessage(letter.text)
    return { incoming: incomingOf(letter, form, id), ...read }
  }
  const incoming = incomingOf(letter, 'words', undefined)
  if (taken.kind === 'request') return { incoming, command: { name: 'job', ...taken.wanted } }
  if (taken.kind === 'refused') return { incoming, refused: taken.refused }
  return { incoming, refused: refusal('malformed', taken.facts) }
}

/** Requests of NIP-90 come from programs, whatever form their replies have. */
function saidBy({ to, message }: Incoming): Said {
  const form = to.via === 'nip90' ? 'json' : to.form
  return { sender: message.sender, form, rumorAt: message.rumorAt }
}

/** A deletion may name many events; only so many are looked up. */
const CANCELS_PER_MESSAGE = 20
