import { looseJson, parseJson } from '../json.ts'
import { JOBS_LISTED } from '../limits.ts'
import {
  type Refused,
  refuseDestination,
  refuseInvoiceAmount,
  refuseJobId,
  refuseModel,
  refuseRequest,
  refuseWithdrawalAmount,
} from './bounds.ts'
import { type ProgramRequest, requestId, requestSchemas } from './protocol.ts'
import { refusal } from './replies.ts'
import type { RefusalFacts } from './texts-en.ts'
import { readWords } from './words.ts'

/** What a customer wants, the same from both forms and all doors. Within all bounds. */
export type Command =
  | { name: 'job'; request: string; model?: string }
  | { name: 'estimate'; request: string; model?: string }
  | { name: 'job_status'; jobId: string }
  | { name: 'jobs'; limit: number }
  | { name: 'cancel'; jobId: string }
  | { name: 'balance' }
  | { name: 'why' }
  | { name: 'topup'; sats: number }
  | { name: 'donate'; sats: number }
  | { name: 'withdraw'; to: string; sats?: number }
  | { name: 'pool' }
  | { name: 'models' }
  | { name: 'help' }

/** How it was asked, which is how it will be answered. */
interface Form {
  form: 'json' | 'words'
  /** A program's own id of its request. */
  id?: string
}

export type Message = (Form & { command: Command }) | (Form & { refused: Refused })

/**
 * Reads the text of a DM. A JSON object with a string `type` is a program's request and is answered
 * in JSON, whatever is wrong with it; every other text is a person's. Never throws, and its time
 * grows with the text, not faster.
 */
export function readMessage(text: string): Message {
  const program = readProgram(text)
  if (program) return program
  const read = readWords(text)
  return 'name' in read ? { form: 'words', command: read } : { form: 'words', refused: read }
}

function readProgram(text: string): Message | undefined {
  const trimmed = text.trim()
  if (!trimmed.startsWith('{')) return undefined
  const parsed = parseJson(trimmed)
  // Of text that is refused only `type` and `id` are read: what a program wrote gets its refusal in JSON.
  const value = parsed.ok ? parsed.value : looseJson(trimmed)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { type, id } = value as { type?: unknown; id?: unknown }
  if (typeof type !== 'string') return undefined
  const form = formOf(id)
  const refuse = (reason: 'malformed' | 'unknown_type', facts: RefusalFacts = {}): Message => ({
    ...form,
    refused: refusal(reason, facts),
  })
  if (!parsed.ok) return refuse('malformed')
  if (id !== undefined && form.id === undefined) return refuse('malformed', { field: 'id' })
  if (!isRequestType(type)) return refuse('unknown_type', { field: 'type' })
  const request = requestSchemas[type].safeParse(value)
  if (request.success) {
    const read = within(request.data)
    return 'name' in read ? { ...form, command: read } : { ...form, refused: read }
  }
  const field = String(request.error.issues[0]?.path[0] ?? 'type')
  const limit = field === 'limit' ? { limit: JOBS_LISTED } : {}
  return refuse('malformed', { field, ...limit })
}

function formOf(id: unknown): Form {
  const read = requestId.safeParse(id)
  return read.success && read.data.isWellFormed()
    ? { form: 'json', id: read.data }
    : { form: 'json' }
}

const isRequestType = (type: string): type is keyof typeof requestSchemas =>
  Object.hasOwn(requestSchemas, type)

/** The bounds that have a reason code of their own. */
function within(request: ProgramRequest): Command | Refused {
  switch (request.type) {
    case 'job':
    case 'estimate': {
      const { type: name, request: text, model } = request
      const wrong = refuseRequest(text) ?? (model === undefined ? undefined : refuseModel(model))
      return wrong ?? { name, request: text, ...(model === undefined ? {} : { model }) }
    }
    case 'job_status':
    case 'cancel':
      return refuseJobId(request.jobId) ?? { name: request.type, jobId: request.jobId }
    case 'jobs':
      return { name: 'jobs', limit: request.limit ?? JOBS_LISTED }
    case 'topup':
    case 'donate':
      return refuseInvoiceAmount(request.sats) ?? { name: request.type, sats: request.sats }
    case 'withdraw': {
      const { to, sats } = request
      const wrongAmount = sats === undefined ? undefined : refuseWithdrawalAmount(sats)
      const wrong = refuseDestination(to) ?? wrongAmount
      return wrong ?? { name: 'withdraw', to, ...(sats === undefined ? {} : { sats }) }
    }
    case 'balance':
    case 'why':
    case 'pool':
    case 'models':
    case 'help':
      return { name: request.type }
  }
}
