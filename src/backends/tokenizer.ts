import { countTokens as count, setMergeCacheSize } from 'gpt-tokenizer/encoding/o200k_base'
import { TOKENIZED_CHARS } from '../limits.ts'

/**
 * Characters handed to the tokenizer at once. Its merging takes time with the square of the longest
 * run without a break, and 20,000 emoji in one run block the process for more than a second.
 */
const SLICE_CHARS = 128
/** How far before the end of a slice a blank is looked for, where cutting changes no token. */
const BLANK_CHARS = 64
/**
 * What the chat format adds around one message (role, separators, start of the answer): 7 to 11.
 */
const FRAMING_TOKENS = 12
/** Merged runs the tokenizer remembers; its own default of 100,000 lets strangers fill 100 MB. */
const MERGED_RUNS = 4_096

setMergeCacheSize(MERGED_RUNS)

/** Names of control tokens in a text ('<|endoftext|>') are text: a stranger wrote them. */
const plain = { disallowedSpecial: new Set<string>() }

/**
 * How many input tokens a request of this text takes, by o200k_base and with the framing of a chat
 * message. Meant to be a little above the truth: texts are counted in slices, and a cut in the
 * middle of a word or run adds a token or so. Models with other vocabularies differ by some ten
 * percent; what they take beyond the estimate is the operator's shortfall. Time is linear in the
 * length; beyond TOKENIZED_CHARS every UTF-8 byte counts as a token, which no vocabulary exceeds.
 */
export function countTokens(text: string): number {
  const end = text.length > TOKENIZED_CHARS ? wholeCharacter(text, TOKENIZED_CHARS) : text.length
  let tokens = FRAMING_TOKENS
  let at = 0
  while (at < end) {
    const next = Math.min(end, sliceEnd(text, at))
    tokens += count(text.slice(at, next), plain)
    at = next
  }
  return end < text.length ? tokens + Buffer.byteLength(text.slice(end)) : tokens
}

/** Words carry the blank before them, so a cut between a word and a blank splits no token. */
function sliceEnd(text: string, at: number): number {
  const far = at + SLICE_CHARS
  if (far >= text.length) return text.length
  for (let place = far; place > far - BLANK_CHARS; place--) {
    if (text[place] === ' ' && !isBlank(text.charCodeAt(place - 1))) return place
  }
  return wholeCharacter(text, far)
}

const isBlank = (code: number) => code === 0x20 || (code >= 0x09 && code <= 0x0d)

/** A place at or just before `place` that does not cut a surrogate pair in two. */
function wholeCharacter(text: string, place: number): number {
  const code = text.charCodeAt(place)
  return code >= 0xdc00 && code <= 0xdfff ? place - 1 : place
}
