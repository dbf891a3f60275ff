import { REPLY_BYTES } from '../limits.ts'
import {
  protocolVersion,
  type ReasonCode,
  type Reply,
  type ReplyOf,
  requestSchemas,
} from './protocol.ts'
import { jsonBytes, type Measure, splitText } from './split.ts'
import { english, type RefusalFacts, type Texts } from './texts-en.ts'

/** Whom a reply is for: a program hears JSON with the `id` of its request, a person words. */
export interface Addressee {
  form: 'json' | 'words'
  id?: string | undefined
}

export interface Rendering {
  /** Most bytes of one DM by `measure`. */
  maxBytes?: number
  measure?: Measure
  texts?: Texts
}

/** A reply as the texts of one or more DMs; only a long result takes more than one. */
export function renderReply(reply: Reply, to: Addressee, rendering: Rendering = {}): string[] {
  if (to.form === 'json') return encodeReply(reply, to.id, rendering)
  const { texts = english } = rendering
  return reply.type === 'result' ? resultInWords(reply, rendering) : [inWords(reply, texts)]
}

/**
 * A reply in one line without invoice or result, for doors that carry those in fields of their own
 * (the status message of NIP-90).
 */
export function statusLine(reply: Reply, texts: Texts = english): string {
  if (reply.type === 'invoice') return invoicePrice(reply, texts)
  if (reply.type === 'result') return resultFooter(reply, texts)
  return inWords(reply, texts).replaceAll('\n', ' ')
}

/** A refusal with its message in words; its `limit` is whichever bound the facts name. */
export function refusal(
  reason: ReasonCode,
  facts: RefusalFacts & { jobId?: string | undefined } = {},
): ReplyOf<'refused'> {
  const limit = facts.limit ?? facts.limitMin
  return {
    type: 'refused',
    reason,
    message: english.refusal(reason, facts),
    ...(limit === undefined ? {} : { limit }),
    ...(facts.jobId === undefined ? {} : { jobId: facts.jobId }),
  }
}

/** The reply to a job that failed after it was accepted; the balance is the one after refund. */
export const failure = (job: {
  jobId: string
  reason: ReasonCode
  refundSats: number
  balanceSats: number
}): ReplyOf<'failed'> => ({ type: 'failed', message: english.refusal(job.reason), ...job })

/** The same for every customer and every door. */
export const helpReply = (): ReplyOf<'help'> => ({
  type: 'help',
  commands: english.commands.map(({ usage }) => usage),
  types: Object.keys(requestSchemas),
  protocol: protocolVersion,
})

function encodeReply(reply: Reply, id: string | undefined, rendering: Rendering): string[] {
  const { maxBytes = REPLY_BYTES, measure = jsonBytes } = rendering
  const encode = (fields: Reply) =>
    JSON.stringify({ v: protocolVersion, ...(id === undefined ? {} : { id }), ...fields })
  if (reply.type === 'jobs') {
    return [encode({ ...reply, jobs: reply.jobs.map((job) => ({ type: 'job', ...job })) })]
  }
  if (reply.type !== 'result') return [encode(reply)]
  // Measured with numbers of three digits, so that the real ones never make a part too large.
  const encodedBytes = (result: string) =>
    measure(encode({ ...reply, result, part: 999, parts: 999 }))
  const pieces = splitText(reply.result, maxBytes, encodedBytes)
  return pieces.map((result, index) =>
    encode({ ...reply, result, part: index + 1, parts: pieces.length }),
  )
}

function resultInWords(reply: ReplyOf<'result'>, rendering: Rendering): string[] {
  const { maxBytes = REPLY_BYTES, measure = jsonBytes, texts = english } = rendering
  const body = reply.result.trimEnd() === '' ? texts.noResult : reply.result.trimEnd()
  const footer = `\n\n${resultFooter(reply, texts)}`
  // Every piece leaves room for the footer, so that the last one never has to be cut again.
  const around = measure(`${texts.part(999, 999)}\n${footer}`)
  const pieces = splitText(body, maxBytes - around, measure)
  return pieces.map((piece, index) => {
    const number = pieces.length > 1 ? `${texts.part(index + 1, pieces.length)}\n` : ''
    return `${number}${piece.trimEnd()}${index + 1 === pieces.length ? footer : ''}`
  })
}

const resultFooter = (reply: ReplyOf<'result'>, texts: Texts) =>
  reply.refundSats > 0
    ? `${texts.resultFooter(reply)} ${texts.refund(reply)}`
    : texts.resultFooter(reply)

function invoicePrice(reply: ReplyOf<'invoice'>, texts: Texts): string {
  if (reply.purpose !== 'job') return texts.fundsInvoice(reply)
  return reply.serve === 'partial' ? texts.partialInvoice(reply) : texts.invoice(reply)
}

/** The invoice stands alone on its line, because that is where wallets and DM clients find it. */
const invoiceInWords = (reply: ReplyOf<'invoice'>, texts: Texts) =>
  [
    `${invoicePrice(reply, texts)} ${texts.payBy(reply)}`,
    '',
    reply.bolt11,
    '',
    texts.afterInvoice(reply),
  ].join('\n')

function inWords(reply: Exclude<Reply, { type: 'result' }>, texts: Texts): string {
  switch (reply.type) {
    case 'estimate':
      return texts.estimate(reply)
    case 'invoice':
      return invoiceInWords(reply, texts)
    case 'working':
      return reply.seconds === undefined
        ? texts.working(reply)
        : texts.stillWorking({ jobId: reply.jobId, seconds: reply.seconds })
    case 'failed':
      return texts.failed(reply)
    case 'expired':
      return texts.expired(reply)
    case 'refused':
      return texts.refused(reply)
    case 'job':
      return texts.job(reply)
    case 'jobs':
      return texts.jobs(reply)
    case 'balance':
      return texts.balance(reply)
    case 'why':
      return texts.why(reply)
    case 'pool':
      return texts.pool(reply)
    case 'withdrawal':
      return texts.withdrawal(reply)
    case 'models':
      return texts.models(reply)
    case 'help':
      return texts.help()
  }
}
