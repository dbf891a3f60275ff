import { REPLY_BYTES } from '../limits.ts'

/** How large a text is where it will lie. Must grow with the text, and be at least its length. */
export type Measure = (text: string) => number

/**
 * Bytes of `text` as a JSON string: that is how a DM's text lies inside its rumor, where a line
 * break or a quote takes two bytes and a letter beyond ASCII two to four.
 */
export const jsonBytes: Measure = (text) => Buffer.byteLength(JSON.stringify(text), 'utf8')

/** A break that a reader does not mind is taken if it lies in the last half of what would fit. */
const BREAKS = ['\n\n', '\n', '. ', ' ']

/** Code units looked at around a cut, to keep a character of several code points whole. */
const CLUSTER_CHARS = 64

/**
 * Cuts `text` into pieces of at most `maxBytes` each by `measure`; joined they are `text` again.
 * Cuts lie after a paragraph, a line, a sentence or a word where one ends in the last half of a
 * piece, and never inside a character. One character larger than `maxBytes` still makes a piece of
 * its own, so that there is always progress; an empty text is one empty piece.
 */
export function splitText(
  text: string,
  maxBytes: number = REPLY_BYTES,
  measure: Measure = jsonBytes,
): string[] {
  const pieces: string[] = []
  let start = 0
  while (start < text.length) {
    const end = pieceEnd(text, start, maxBytes, measure)
    pieces.push(text.slice(start, end))
    start = end
  }
  return pieces.length > 0 ? pieces : ['']
}

function pieceEnd(text: string, start: number, maxBytes: number, measure: Measure): number {
  const fits = (end: number) => measure(text.slice(start, end)) <= maxBytes
  // No measure is below the length, so nothing beyond `maxBytes` characters needs to be measured.
  const furthest = Math.min(text.length, start + Math.max(1, maxBytes))
  if (furthest === text.length && fits(furthest)) return furthest
  let low = start
  let high = furthest
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (fits(middle)) low = middle
    else high = middle - 1
  }
  return niceBreak(text, start, low) ?? characterBreak(text, start, low)
}

function niceBreak(text: string, start: number, end: number): number | undefined {
  const earliest = start + Math.floor((end - start) / 2)
  for (const mark of BREAKS) {
    const at = text.slice(earliest, end).lastIndexOf(mark)
    if (at >= 0) return earliest + at + mark.length
  }
  return undefined
}

/** The last place up to `end` between two characters as readers see them, else two code points. */
function characterBreak(text: string, start: number, end: number): number {
  const from = Math.max(start, end - CLUSTER_CHARS)
  const window = text.slice(from, end + CLUSTER_CHARS)
  const cut = from + (segmenter.segment(window).containing(end - from)?.index ?? end - from)
  if (cut > start) return cut
  const splitsPair = end > start && (text.codePointAt(end - 1) ?? 0) > 0xffff
  const codePointEnd = splitsPair ? end - 1 : end
  if (codePointEnd > start) return codePointEnd
  return start + ((text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1)
}

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
