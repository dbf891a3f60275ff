import { z } from 'zod'
import { looseJson } from './json.ts'
import { parseModelRate } from './money/model-rate.ts'
import { parsePubkey, parseSecretKey } from './nostr/identity.ts'
import { secret } from './secret.ts'

/*
 * How the text of a setting becomes a value: each schema takes the text as it stands in the
 * environment and answers the value in our units, or says what is wrong in words that may be
 * printed. `settings.ts` says which setting is read by which.
 */

/**
 * A text that `read` understands; `undefined` from `read` refuses it with the rule. Never a default
 * in place of a text that could not be read: an operator who mistypes a cap would run without it.
 */
export const readable = <T>(rule: string, read: (text: string) => T | undefined) =>
  z.string().transform((text, context): T => {
    const value = read(text)
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message: `${shown(text)} is not ${rule}` })
    return z.NEVER
  })

/** Like `readable`, but no part of the text appears in the complaint. */
export const hidden = <T>(rule: string, read: (text: string) => T | undefined) =>
  z.string().transform((text, context): T => {
    const value = read(text)
    if (value !== undefined) return value
    const given = `the value (${text.length} characters, kept out of this message)`
    context.addIssue({ code: 'custom', message: `${given} is not ${rule}` })
    return z.NEVER
  })

/** Digits alone: `Number` would read '' as 0 and '0x10' as 16. */
export const whole = (min: number, max: number, what = 'a whole number') =>
  readable(`${what} from ${min} to ${max}`, (text) => {
    const value = Number(text)
    return /^(0|[1-9]\d{0,15})$/.test(text) && value >= min && value <= max ? value : undefined
  })

/** A positive decimal without exponent, so that no digit is lost on the way to exact arithmetic. */
export const DECIMAL = /^(0|[1-9]\d{0,11})(\.\d{1,12})?$/

export const oneOf = <const T extends string>(...choices: T[]) =>
  readable(`one of ${choices.join(', ')}`, (text) => choices.find((choice) => choice === text))

/** Comma list without blanks and repeats; refused when one entry is not readable. */
export const list = <T>(rule: string, read: (entry: string) => T | undefined) =>
  z.string().transform((text, context): T[] => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message })
    const entries = text
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '')
    if (entries.length === 0) complain(`names nothing; write ${rule}`)
    const values = new Set<T>()
    for (const entry of entries) {
      const value = read(entry)
      if (value === undefined) complain(`${shown(entry)} is not ${rule}`)
      else values.add(value)
    }
    return [...values]
  })

/** An address without user, query or fragment, and without a slash at its end. */
function readUrl(text: string, protocols: string[]): string | undefined {
  const url = URL.parse(text)
  if (!url || !protocols.includes(url.protocol) || url.username || url.password) return undefined
  if (url.search || url.hash || url.hostname === '') return undefined
  return url.href.replace(/\/+$/, '')
}

export const readRelay = (text: string) => readUrl(text, ['wss:', 'ws:'])
export const readHttp = (text: string) => readUrl(text, ['https:', 'http:'])

/** A public key as hex, from npub or hex. */
export function readPubkey(text: string): string | undefined {
  try {
    return parsePubkey(text)
  } catch {
    return undefined
  }
}

/** The bot's key as it was written: it is checked here and read where it is used. */
export const secretKey = z.string().transform((text, context) => {
  try {
    parseSecretKey(text).fill(0)
    return secret(text)
  } catch (error) {
    const rule = error instanceof Error ? error.message : 'it cannot be read'
    context.addIssue({ code: 'custom', message: `is no secret key: ${rule}` })
    return z.NEVER
  }
})

/** The follows (kind 3) of an npub, or the follow set (kind 30000) `30000:npub:name`. */
export function readTrustedList(text: string) {
  const [kind, author = '', ...name] = text.includes(':') ? text.split(':') : ['3', text]
  const pubkey = readPubkey(author)
  const identifier = name.join(':')
  if (!pubkey) return undefined
  if (kind === '3' && identifier === '') return { kind: 3, pubkey, identifier }
  return kind === '30000' && identifier ? { kind: 30000, pubkey, identifier } : undefined
}

/** A provider of NIP-85 ranks and the lowest rank that counts: `npub:80`. */
export function readTrustRank(text: string) {
  const [author = '', min = '', ...rest] = text.split(':')
  const provider = readPubkey(author)
  const fits = /^\d{1,3}$/.test(min) && Number(min) >= 1 && Number(min) <= 100
  return provider && fits && rest.length === 0 ? { provider, rankMin: Number(min) } : undefined
}

/**
 * The program and its arguments. A plain text is split on blanks, for the common case; as nothing
 * interprets quotes, a text with quotes or backslashes is refused rather than split in the middle.
 */
export function readCommand(text: string): string[] | undefined {
  if (!text.startsWith('[')) return /["'\\`]/.test(text) ? undefined : text.split(/\s+/)
  const argv = z
    .array(z.string().regex(/^[^\0]*$/))
    .min(1)
    .safeParse(looseJson(text))
  return argv.success && argv.data[0] !== '' ? argv.data : undefined
}

const name = z.string({ error: 'is missing or not a text' }).regex(/^[!-~]{1,100}$/, {
  error: 'must be 1 to 100 visible characters without blanks',
})
/** Text, as the price is computed with exact integers; a JSON number is kept by its digits. */
const usdPerMillion = z
  .union([z.number(), z.string()], { error: 'is missing or not an amount of USD' })
  .transform(String)
const count = z.number({ error: 'is missing or not a number' })

const entryError = (issue: { code?: string; keys?: unknown }) =>
  issue.code === 'unrecognized_keys'
    ? `has unknown keys: ${shown(String(issue.keys))}`
    : 'is not an object'

const tokenModel = z.strictObject(
  {
    name,
    inputUsdPerMillion: usdPerMillion,
    outputUsdPerMillion: usdPerMillion,
    maxOutputTokens: count,
  },
  { error: entryError },
)
const flatModel = z.strictObject(
  { name, satsPerRequest: count, maxOutputTokens: count.optional() },
  { error: entryError },
)

/** One entry of `MODELS`: priced by tokens, or flat for each request. */
export type Model = z.infer<typeof tokenModel> | z.infer<typeof flatModel>

const MODELS_RULE =
  'a JSON list of {"name","inputUsdPerMillion","outputUsdPerMillion","maxOutputTokens"}' +
  ' or {"name","satsPerRequest"}'

export const models = z.string().transform((text, context): Model[] => {
  const complain = (message: string) => context.addIssue({ code: 'custom', message })
  const entries = z.array(z.unknown()).min(1).safeParse(looseJson(text))
  if (!entries.success) complain(`is not ${MODELS_RULE}`)
  const found: Model[] = []
  for (const [index, entry] of (entries.data ?? []).entries()) {
    const model = readModel(entry)
    if ('problems' in model) for (const it of model.problems) complain(`entry ${index + 1}: ${it}`)
    else if (!found.some((other) => other.name === model.name)) found.push(model)
    else complain(`has two entries named ${shown(model.name)}`)
  }
  return found
})

function readModel(entry: unknown): Model | { problems: string[] } {
  const flat = typeof entry === 'object' && entry !== null && 'satsPerRequest' in entry
  const shape = flat ? flatModel.safeParse(entry) : tokenModel.safeParse(entry)
  if (!shape.success) {
    return { problems: shape.error.issues.map(({ path, message }) => [...path, message].join(' ')) }
  }
  const rate = parseModelRate(shape.data)
  return 'problem' in rate ? { problems: [masked(rate.problem)] } : shape.data
}

export const KEY_RULE = 'a key: 8 to 512 visible characters without blanks'
export const isApiKey = (text: string): boolean => /^[!-~]{8,512}$/.test(text)
export const apiKey = hidden(KEY_RULE, (text) => (isApiKey(text) ? secret(text) : undefined))

/**
 * A value as a message may show it: short, on one line, without passwords of URLs and without any
 * run of characters long enough to be a key that was pasted into the wrong line.
 */
function shown(text: string): string {
  const safe = masked(text)
  return JSON.stringify(safe.length > 80 ? `${safe.slice(0, 80)}…` : safe)
}

const masked = (text: string): string =>
  text
    .replaceAll(/\/\/[^/\s]*@/g, '//[kept out]@')
    .replaceAll(/[^\s,;:/@.=?&"'[\]{}()]{20,}/g, '[kept out]')
