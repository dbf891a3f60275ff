import { JSON_DEPTH } from './limits.ts'

export type JsonFault = 'syntax' | 'depth' | 'duplicate-key' | 'proto' | 'nul' | 'surrogate'

export type Parsed = { ok: true; value: unknown } | { ok: false; reason: JsonFault }

/**
 * JSON.parse for text from strangers. Refused, beside what is not JSON (RFC 8259): nesting deeper
 * than `maxDepth` (JSON.stringify of such a value overflows the stack), a key twice in one object
 * (two readers of one event would see two events), the key `__proto__` (becomes a prototype in
 * code that copies keys), NUL (Postgres text cannot hold it) and lone surrogates (no UTF-8 form, so
 * no stable event id) in any string. Never throws; time and memory grow with the text, not faster.
 */
export function parseJson(text: string, maxDepth: number = JSON_DEPTH): Parsed {
  if (!text.isWellFormed()) return { ok: false, reason: 'surrogate' }
  const fault = scan(text, maxDepth)
  if (fault !== undefined) return { ok: false, reason: fault }
  try {
    return { ok: true, value: JSON.parse(text) as unknown }
  } catch {
    return { ok: false, reason: 'syntax' }
  }
}

/** JSON.parse for what a shape looks at next: text that is no JSON is undefined, which no shape takes. */
export function looseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/**
 * One walk from string to string and bracket to bracket. It may misread text that is not JSON, which
 * JSON.parse refuses afterwards; for text that is, it sees each key and each string exactly once.
 * A stack of our own instead of recursion, so that a depth bomb costs a counter and not the process.
 */
function scan(text: string, maxDepth: number): JsonFault | undefined {
  // Without an escape of the \u kind no string can hold NUL or a lone surrogate: raw NUL is not
  // JSON, and raw surrogates were looked for in the text as a whole.
  const escapes = text.includes('\\u')
  const open: (Set<string> | undefined)[] = []
  let keyNext = false
  let at = 0
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = stringEnd(text, at)
      if (end === -1) return 'syntax'
      const keys = keyNext ? open.at(-1) : undefined
      if (keys !== undefined || escapes) {
        const fault = checkString(text.slice(at, end + 1), keys)
        if (fault !== undefined) return fault
      }
      keyNext = false
      at = end
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (open.length === maxDepth) return 'depth'
      open.push(code === OPEN_BRACE ? new Set() : undefined)
      keyNext = code === OPEN_BRACE
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      open.pop()
      keyNext = false
    } else if (code === COMMA) keyNext = open.at(-1) !== undefined
    else if (code === COLON) keyNext = false
    at++
  }
  return undefined
}

/** Index of the quote that closes the string opened at `start`, or -1. */
function stringEnd(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end !== -1) {
    let first = end
    while (text.charCodeAt(first - 1) === BACKSLASH) first--
    if ((end - first) % 2 === 0) return end
    end = text.indexOf('"', end + 1)
  }
  return -1
}

/** Looks at one string with its quotes; with `keys`, it is a key of that object. */
function checkString(quoted: string, keys: Set<string> | undefined): JsonFault | undefined {
  let value = quoted.slice(1, -1)
  if (quoted.includes('\\')) {
    try {
      value = String(JSON.parse(quoted))
    } catch {
      return 'syntax'
    }
    if (value.includes('\0')) return 'nul'
    if (!value.isWellFormed()) return 'surrogate'
  }
  if (keys === undefined) return undefined
  if (value === '__proto__') return 'proto'
  if (keys.has(value)) return 'duplicate-key'
  keys.add(value)
  return undefined
}
