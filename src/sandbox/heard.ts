import { parseJson } from '../json.ts'
import { decodeBolt11 } from '../lightning/bolt11.ts'

/** What a customer makes of one DM of the bot. */
export interface Heard {
  /**
   * `invoice`: to be paid, then it goes on. `progress`: more will come. `part`: of a result that came
   * in several. `answer`: the last word. `no`: the last word, refused, failed or expired.
   */
  kind: 'invoice' | 'progress' | 'part' | 'answer' | 'no'
  /** Of an invoice, read from the bolt11 itself and not from the words around it. */
  invoice?: { bolt11: string; paymentHash: string; amountSats: number }
}

/** Reads a DM of either form: one JSON object, or words. */
export function readHeard(text: string): Heard {
  const parsed = text.startsWith('{') ? parseJson(text) : { ok: false as const }
  const value = parsed.ok ? parsed.value : undefined
  if (typeof value === 'object' && value !== null && 'type' in value) return readFields(value)
  return readWords(text)
}

function readFields(fields: object): Heard {
  const { type, bolt11, part, parts, state } = fields as Record<string, unknown>
  switch (type) {
    case 'invoice':
      return ofInvoice(String(bolt11))
    case 'working':
      return { kind: 'progress' }
    case 'result':
      return { kind: part === parts ? 'answer' : 'part' }
    case 'withdrawal':
      return { kind: state === 'done' ? 'answer' : state === 'failed' ? 'no' : 'progress' }
    case 'refused':
    case 'failed':
    case 'expired':
      return { kind: 'no' }
    default:
      return { kind: 'answer' }
  }
}

/** The footer of a result comes first: what stands above it is whatever the customer asked for. */
const RESULT_END = /(^|\n)Job \S+ cost [^\n]*$/
const PART = /^\(\d+\/\d+\)\n/
const NO = new RegExp(
  '^(Sorry, no\\.|Job \\S+ failed\\.|The invoice of job \\S+ was not paid in time' +
    '|The payment of \\d+ sats failed)',
)
const PROGRESS =
  / is at work, the result comes here\.$| is still at work after | are on their way\. |^It is not certain yet /

function readWords(text: string): Heard {
  if (RESULT_END.test(text)) return { kind: 'answer' }
  if (PART.test(text)) return { kind: 'part' }
  const bolt11 = text.split('\n').find((line) => /^ln[a-z0-9]{50,}$/.test(line))
  if (bolt11 !== undefined) return ofInvoice(bolt11)
  if (NO.test(text)) return { kind: 'no' }
  return { kind: PROGRESS.test(text) ? 'progress' : 'answer' }
}

/** An invoice that cannot be read cannot be paid, and nothing more will come of it. */
function ofInvoice(bolt11: string): Heard {
  const decoded = decodeBolt11(bolt11)
  if (!decoded.ok) return { kind: 'no' }
  const { paymentHash, amountSats } = decoded.invoice
  return { kind: 'invoice', invoice: { bolt11, paymentHash, amountSats } }
}
