import {
  brokenBooks,
  brokenReplies,
  driftSats,
  type Heard,
  leaks,
  unended,
} from '../../support/checkers.ts'
import type { Mailbag } from '../../support/mailbag.ts'
import { FLOAT_SATS, type World } from './world.ts'

/** The line that matters. */
export interface Verdict {
  seed: string
  kills: number
  jobs: number
  /** Jobs that somebody paid for, by invoice or from a balance. */
  paid: number
  /** Of these, those whose result was delivered. */
  delivered: number
  /** Of these, those whose sats are back on the balance. */
  refunded: number
  /** Messages without an answer, paid jobs without an end, replies that nobody could read. */
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
  const [counts] = await sql<Omit<Verdict, 'seed' | 'kills' | 'lost' | 'doubled' | 'driftSats'>[]>`
    select count(*) as jobs,
      count(*) filter (where paid_sats > 0) as paid,
      count(*) filter (where paid_sats > 0 and state = 'done') as delivered,
      count(*) filter (where paid_sats > 0 and state = 'failed' and refund_sats = paid_sats)
        as refunded
    from jobs`
  if (!counts) throw new Error('a count gave no row')
  const replies = await brokenReplies(sql, found.mail.asked, found.heard)
  const silent = unanswered(found.mail, found.heard)
  const open = await unended(sql)
  const texts = new Map([['a log', found.logs]])
  const books = await brokenBooks(evidence)
  const broken = [...books, ...replies, ...silent, ...open, ...leaks(texts, secrets)]
  const isDouble = (what: string) => /made \d+ jobs|different replies|times$/.test(what)
  const { paid, delivered, refunded } = counts
  const lostReplies = replies.filter((what) => !isDouble(what)).length
  return {
    broken,
    verdict: {
      ...{ seed: found.seed, kills: found.kills, ...counts },
      lost: paid - delivered - refunded + silent.length + open.length + lostReplies,
      doubled: broken.filter(isDouble).length,
      driftSats: (await driftSats(evidence)) + books.filter((what) => /^C1 /.test(what)).length,
    },
  }
}

/** Each message is answered at least once, whatever the answer. */
function unanswered(mail: Mailbag, heard: readonly Heard[]): string[] {
  const answered = new Set(heard.map(({ about }) => about))
  return mail.asked
    .filter(({ rumorId }) => !answered.has(rumorId))
    .map(({ rumorId }) => `C9 the message ${rumorId.slice(0, 8)} was never answered`)
}
