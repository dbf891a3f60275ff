import {
  ALL_SATS,
  BOLT11_CHARS,
  INVOICE_SATS,
  JOB_ID_CHARS,
  MODEL_NAME_CHARS,
  REQUEST_CHARS,
} from '../limits.ts'
import type { ReplyOf } from './protocol.ts'
import { refusal } from './replies.ts'
import type { RefusalFacts } from './texts-en.ts'

/*
 * The bounds of what customers say that have a reason code of their own, the same for every door
 * and both forms. Each function returns the refusal, or undefined when the value is within bounds.
 */

export type Refused = ReplyOf<'refused'>

/** Length in characters (code points), as a person counts; stops counting beyond `max`. */
function longerThan(text: string, max: number): boolean {
  if (text.length <= max) return false
  if (text.length > 2 * max) return true
  let characters = 0
  for (const _ of text) characters += 1
  return characters > max
}

/**
 * A request text a job can carry. NUL and lone surrogates are refused because neither Postgres text
 * nor UTF-8 can hold them, so the job would fail at a later and dearer place.
 */
export function refuseRequest(text: string, facts: RefusalFacts = {}): Refused | undefined {
  if (longerThan(text, REQUEST_CHARS)) return refusal('request_too_long', { limit: REQUEST_CHARS })
  if (text.includes('\0') || !text.isWellFormed()) return refusal('malformed')
  // Blank for a reader: white space, controls and invisible format characters such as U+200B.
  return /[^\s\p{Cc}\p{Cf}]/u.test(text) ? undefined : refusal('empty_request', facts)
}

/** A name beyond what `MODELS` allows cannot be one of ours and is not worth looking up. */
export const refuseModel = (name: string): Refused | undefined =>
  name === '' || longerThan(name, MODEL_NAME_CHARS) ? refusal('unknown_model') : undefined

/** A job id as we make them; anything else is nobody's job. */
export const refuseJobId = (jobId: string): Refused | undefined =>
  jobId.length <= JOB_ID_CHARS && /^[!-~]+$/.test(jobId) ? undefined : refusal('unknown_job')

/** Sats of an invoice we make. */
export const refuseInvoiceAmount = (sats: number): Refused | undefined =>
  sats >= 1 && sats <= INVOICE_SATS
    ? undefined
    : refusal('amount_out_of_range', { limit: INVOICE_SATS })

/** Sats of a withdrawal; what the balance and the operator allow is decided later. */
export const refuseWithdrawalAmount = (sats: number): Refused | undefined =>
  sats >= 1 && sats <= ALL_SATS ? undefined : refusal('amount_out_of_range', { limit: ALL_SATS })

/** Only the length: what it is and whether it can be paid is for the Lightning codecs. */
export const refuseDestination = (to: string): Refused | undefined =>
  to.length >= 1 && to.length <= BOLT11_CHARS + 'lightning:'.length && /^[!-~]+$/.test(to)
    ? undefined
    : refusal('invalid_destination')
