import { JOBS_LISTED } from '../limits.ts'
import { parseSats } from '../money/sats.ts'
import {
  type Refused,
  refuseDestination,
  refuseInvoiceAmount,
  refuseJobId,
  refuseModel,
  refuseRequest,
  refuseWithdrawalAmount,
} from './bounds.ts'
import type { Command } from './requests.ts'
import { refusal } from './replies.ts'

/** Longer first words are no command; also what bounds the cost of folding them. */
const COMMAND_NAME_CHARS = 40

/** Jobs listed for a person: what fits a phone screen. */
const JOBS_IN_WORDS = 10

type Read = Command | Refused

/**
 * Reads what a person wrote: a text that begins with `/` is a command, anything else is a job.
 * Names of commands are folded (NFKC, lower case) and then matched letter for letter, so `／HELP` is
 * `/help` and a look-alike from another script is no command. Arguments beyond what a command takes
 * are ignored.
 */
export function readWords(text: string): Read {
  const trimmed = text.trim()
  const first = firstWord(trimmed)
  const folded = first.slice(0, COMMAND_NAME_CHARS).normalize('NFKC').toLowerCase()
  if (!folded.startsWith('/')) return job(trimmed)
  const name = folded.slice(1)
  const read = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (read) return read(trimmed.slice(first.length).trim())
  return refusal('unknown_type', /^[a-z]{1,20}$/.test(name) ? { command: name } : {})
}

const commands: Record<string, (rest: string) => Read> = {
  help: () => ({ name: 'help' }),
  balance: () => ({ name: 'balance' }),
  why: () => ({ name: 'why' }),
  pool: () => ({ name: 'pool' }),
  models: () => ({ name: 'models' }),
  jobs: (rest) => {
    const limit = rest === '' ? JOBS_IN_WORDS : parseSats(firstWord(rest))
    return limit === null || limit < 1
      ? refusal('malformed', { found: 'amount', usage: '/jobs 5' })
      : { name: 'jobs', limit: Math.min(limit, JOBS_LISTED) }
  },
  job: (rest) => withJobId('job_status', rest, '/job ID'),
  cancel: (rest) => withJobId('cancel', rest, '/cancel ID'),
  topup: (rest) => amountOf(rest, 'topup'),
  donate: (rest) => amountOf(rest, 'donate'),
  withdraw,
  estimate,
  model: (rest) => withModel(rest, '/model NAME TEXT'),
}

function job(text: string): Read {
  return refuseRequest(text) ?? { name: 'job', request: text }
}

/** `/estimate TEXT`, or `/estimate /model NAME TEXT` for a model of the customer's choice. */
function estimate(rest: string): Read {
  const usage = '/estimate TEXT'
  const first = firstWord(rest)
  if (first.toLowerCase() !== '/model') {
    return refuseRequest(rest, { usage }) ?? { name: 'estimate', request: rest }
  }
  const read = withModel(rest.slice(first.length).trim(), '/estimate /model NAME TEXT')
  return 'name' in read && read.name === 'job' ? { ...read, name: 'estimate' } : read
}

function withModel(rest: string, usage: string): Read {
  const model = firstWord(rest)
  const request = rest.slice(model.length).trim()
  if (model === '') return refusal('malformed', { usage })
  return refuseModel(model) ?? refuseRequest(request, { usage }) ?? { name: 'job', request, model }
}

function withJobId(name: 'job_status' | 'cancel', rest: string, usage: string): Read {
  const jobId = firstWord(rest)
  if (jobId === '') return refusal('malformed', { usage })
  return refuseJobId(jobId) ?? { name, jobId }
}

function amountOf(rest: string, name: 'topup' | 'donate'): Read {
  const sats = readSats(rest)
  if (sats === null) return refusal('malformed', { found: 'amount', usage: `/${name} 1000` })
  return refuseInvoiceAmount(sats) ?? { name, sats }
}

function withdraw(rest: string): Read {
  const usage = '/withdraw name@example.com 500'
  const to = firstWord(rest)
  const amount = rest.slice(to.length).trim()
  if (to === '') return refusal('malformed', { usage })
  const wrong = refuseDestination(to)
  if (wrong) return wrong
  if (amount === '') return { name: 'withdraw', to }
  const sats = readSats(amount)
  if (sats === null) return refusal('malformed', { found: 'amount', usage })
  return refuseWithdrawalAmount(sats) ?? { name: 'withdraw', to, sats }
}

/**
 * Digits alone, with `sats` behind them at most: `1,000` is one thousand to some and one to others,
 * and nobody should pay for our guess.
 */
function readSats(text: string): number | null {
  const [digits = '', unit = 'sats', ...more] = text.split(/\s+/, 3)
  return more.length === 0 && /^sats?$/i.test(unit) ? parseSats(digits) : null
}

/** Up to the first white space; without a pattern, so that its cost is plain. */
function firstWord(text: string): string {
  const end = text.search(/\s/)
  return end === -1 ? text : text.slice(0, end)
}
