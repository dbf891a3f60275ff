import { type Breach, everywhere, type Rule } from './rule.ts'
import type { Source } from './source.ts'

/** A file that grew past this holds two ideas; functions are held to 70 lines by the linter. */
export const FILE_LINES = 500
/** The formatter holds code to 100 columns; this is for comments and literals, which it leaves. */
export const COLUMNS = 120

export const sizeRules: Rule[] = [
  {
    title: `no file is longer than ${FILE_LINES} lines`,
    applies: everywhere,
    breaches: ({ text }) => {
      const lines = text.split('\n').length - 1
      return lines > FILE_LINES ? [{ offset: text.length - 1, what: `${lines} lines` }] : []
    },
  },
  {
    title: `no line is wider than ${COLUMNS} columns`,
    applies: everywhere,
    breaches: wideLines,
  },
]

export function wideLines({ text }: Pick<Source, 'text'>): Breach[] {
  let offset = 0
  return text.split('\n').flatMap((line) => {
    const start = offset
    offset += line.length + 1
    // Counted as a reader sees them: an emoji is one column here, two UTF-16 units in `length`.
    const columns = [...line].length
    return columns > COLUMNS ? [{ offset: start, what: `${columns} columns` }] : []
  })
}
