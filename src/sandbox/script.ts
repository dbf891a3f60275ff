import type { Terminal } from '../terminal.ts'

/** One line of a conversation as it is shown. */
export interface Said {
  who: string
  text: string
  /** Milliseconds since what came before it; absent for the first. */
  afterMs?: number
  /** Whose colour: the bot's, a customer's, or somebody who only acts. */
  part?: 'bot' | 'customer' | 'deed'
}

const MS_COLUMNS = 9
const NAME_COLUMNS = 11
/** Longer lines are hard to read however wide the window is. */
const TEXT_COLUMNS_MAX = 86
const styles = { bot: 'cyan', customer: 'magenta', deed: 'dim' } as const

/** Writes who said what and how long it took, one message below the other. */
export function showSaid(terminal: Terminal, { who, text, afterMs, part = 'deed' }: Said): void {
  const { columns, paint } = terminal
  const room = Math.max(30, Math.min(TEXT_COLUMNS_MAX, columns - MS_COLUMNS - NAME_COLUMNS - 1))
  const time = afterMs === undefined ? '' : `+${Math.round(afterMs)} ms`
  const lines = text.split('\n').flatMap((line) => wrapped(line, room))
  for (const [place, line] of lines.entries()) {
    const left = place === 0 ? time.padStart(MS_COLUMNS) : ' '.repeat(MS_COLUMNS)
    const name = (place === 0 ? who : '').padEnd(NAME_COLUMNS)
    const shown = part === 'deed' ? paint('dim', line) : withSats(terminal, line)
    terminal.print(`${paint('dim', left)}  ${paint(styles[part], name)}${shown}`.trimEnd())
  }
}

/** Amounts are what one looks for. */
const withSats = ({ paint }: Terminal, line: string): string =>
  line.replaceAll(/\d[\d,]* sats?\b/g, (amount) => paint('yellow', amount))

/** Cuts between words; a word longer than a line, such as an invoice, stays whole to be copied. */
function wrapped(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

/** An invoice short enough for one line: its amount is told beside it. */
export const shortInvoice = (bolt11: string): string => `${bolt11.slice(0, 18)}…${bolt11.slice(-6)}`

/** A text of a few lines, for where only its beginning matters. */
export function shortened(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text
  return `${text
    .slice(0, charsMax)
    .replace(/\s+\S*$/, '')
    .toWellFormed()} …`
}
