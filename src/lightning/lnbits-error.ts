/** What a caller can do about a failed call is decided by its kind, never by LNbits' words. */
export type LnbitsFault =
  /** LNbits understood and said no; nothing was written. */
  | 'refused'
  /** A key is missing, unknown, or may not do this. */
  | 'unauthorised'
  | 'rate-limited'
  /** LNbits is up and its funding source is not: invoices cannot be made. */
  | 'node-down'
  /** LNbits died in the call; it may have been written all the same. */
  | 'crashed'
  /**
   * An answer that is none: a proxy's page, another API, an invoice that does not fit what was
   * asked.
   */
  | 'malformed'
  /**
   * No answer: refused connection, reset, name not found, time-out, first installation not done.
   */
  | 'unreachable'
  /** Too many calls wait already; LNbits was not asked. */
  | 'busy'

/**
 * A call to LNbits that did not do what was asked. `wroteMaybe` is true when LNbits may have
 * carried it out although we do not know: such a call is looked up, never simply repeated. `detail`
 * is LNbits' own text without keys and invoices, and part of the message, for logs; nothing may
 * depend on it.
 */
export class LnbitsError extends Error {
  readonly kind: LnbitsFault
  readonly status: number | undefined
  readonly wroteMaybe: boolean
  readonly detail: string | undefined

  constructor(
    kind: LnbitsFault,
    facts: { status?: number; wroteMaybe?: boolean; detail?: string; cause?: unknown } = {},
  ) {
    const status = facts.status === undefined ? '' : ` (HTTP ${facts.status})`
    const detail = facts.detail === undefined ? undefined : scrub(facts.detail)
    const why = detail === undefined ? '' : `: ${detail}`
    const options = facts.cause === undefined ? {} : { cause: facts.cause }
    super(`LNbits: ${kind}${status}${why}`, options)
    this.name = 'LnbitsError'
    this.kind = kind
    this.status = facts.status
    this.wroteMaybe = facts.wroteMaybe ?? false
    this.detail = detail
  }
}

const DETAIL_CHARS = 200

/**
 * Without keys and hashes (long hex) and invoices (long bech32): neither may reach a log (invariant
 * C12). Without control characters too, for it is shown on terminals.
 */
export function scrub(text: string): string {
  return text
    .slice(0, 2_000)
    .replace(/\p{Cc}+/gu, ' ')
    .replace(/[0-9a-f]{24,}/gi, '[kept out]')
    .replace(/ln[a-z0-9]{40,}/gi, '[kept out]')
    .slice(0, DETAIL_CHARS)
}
