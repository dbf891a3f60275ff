import {
  brokenBooks,
  brokenReplies,
  driftSats,
  type Heard,
  leaks,
  unbooked,
  unended,
} from '../../support/checkers.ts'
import type { Sql } from '../../../src/store/database.ts'
import type { Mailbag } from '../../support/mailbag.ts'
import { FLOAT_SATS, type World } from './world.ts'

/** The line that matters. */
export interface Verdict {
  seed: string
  kills: number
  jobs: number
  /** Jobs that somebody paid for, by invoice or from a balance. */
  paid: number
  /** Of these, those whose customer has decrypted the result. */
  delivered: number
  /** Of these, those whose sats are back on the balance, and whose customer has read so. */
  refunded: number
  /** Messages without an answer, paid jobs without an end, payments not booked, replies that nobody could read. */
  lost: number
  /** Jobs, replies and payouts that happened more than once. */
  doubled: number
  driftSats: number
}

export interface Judged {
  verdict: Verdict
  /** Everything that is wrong, in words. */
  broken: string[]
}

export async function judge(
  { sql, play, secrets }: World,
  found: { seed: string; kills: number; mail: Mailbag; heard: readonly Heard[]; logs: string },
): Promise<Judged> {
  const evidence = { sql, play, floatSats: FLOAT_SATS }
  const { jobs, paid, delivered, refunded, endless } = await countEnds(sql, found.heard)
  const replies = await brokenReplies(sql, found.mail.asked, found.heard)
  const silent = unanswered(found.mail, found.heard)
  const open = [...(await unended(sql)), ...(await unbooked(evidence))]
  const texts = new Map([['a log', found.logs]])
  const books = await brokenBooks(evidence)
  const broken = [...books, ...replies, ...silent, ...open, ...endless, ...leaks(texts, secrets)]
  const isDouble = (what: string) => /made \d+ jobs|different replies|times$/.test(what)
  const lostReplies = replies.filter((what) => !isDouble(what)).length
  return {
    broken,
    verdict: {
      ...{ seed: found.seed, kills: found.kills, jobs, paid, delivered, refunded },
      lost: endless.length + silent.length + open.length + lostReplies,
      doubled: broken.filter(isDouble).length,
      driftSats: (await driftSats(evidence)) + books.filter((what) => /^C1 /.test(what)).length,
    },
  }
}

interface PaidJob {
  id: number
  customer: string
  rumorId: string
  state: string
  isRefunded: boolean
}

/** How paid jobs ended: what the database says of them counts only when their customers have read it. */
async function countEnds(sql: Sql, heard: readonly Heard[]) {
  const read = new Set(heard.map(({ customer, about, reply }) => customer + about + reply.type))
  const [all] = await sql<{ jobs: number }[]>`select count(*) as jobs from jobs`
  const paid = await sql<PaidJob[]>`
    select id, customer, rumor_id, state, refund_sats = paid_sats as is_refunded
    from jobs where paid_sats > 0`
  const isEnd = (end: string) => (job: PaidJob) =>
    job.state === end &&
    (end === 'done' || job.isRefunded) &&
    read.has(job.customer + job.rumorId + (end === 'done' ? 'result' : 'failed'))
  const [isDelivered, isGivenBack] = [isEnd('done'), isEnd('failed')]
  return {
    jobs: all?.jobs ?? 0,
    paid: paid.length,
    delivered: paid.filter(isDelivered).length,
    refunded: paid.filter(isGivenBack).length,
    endless: paid
      .filter((job) => !isDelivered(job) && !isGivenBack(job))
      .map(({ id, state }) => `the paid job ${id} is ${state}, and its customer has not read so`),
  }
}

/** Each message is answered at least once, whatever the answer. */
function unanswered(mail: Mailbag, heard: readonly Heard[]): string[] {
  const answered = new Set(heard.map(({ about }) => about))
  return mail.asked
    .filter(({ rumorId }) => !answered.has(rumorId))
    .map(({ rumorId }) => `C9 the message ${rumorId.slice(0, 8)} was never answered`)
}
