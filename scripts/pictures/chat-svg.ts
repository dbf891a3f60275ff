import type { Chat, Line } from './chat.ts'

/*
 * Conversations as one SVG. It stands on a ground of its own and follows the reader's dark or light, so it can be
 * read on any page; its fonts are those of the reader's machine.
 */

const WIDTH = 880
const EDGE = 20
const COLUMNS = 2
const COLUMN = (WIDTH - EDGE * (COLUMNS + 1)) / COLUMNS
const FONT = 13.5
const LEADING = 19
const PAD = { x: 12, y: 8 }
const BUBBLE = COLUMN - 64
const GAP = 8

const STYLE = `
.page{fill:#fbfaf6}.card{fill:#fff;stroke:#dedbd2}.bot{fill:#eeece4}.customer{fill:#1f7a4d}
text{font:${FONT}px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;fill:#1b1a17}
.title{font-weight:600;font-size:15px}.mine{fill:#fff}.small{font-size:11.5px;fill:#66625a}
.code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:12px}
@media(prefers-color-scheme:dark){
.page{fill:#171613}.card{fill:#211f1b;stroke:#3a3731}.bot{fill:#35322b}.customer{fill:#2b8a5b}
text{fill:#efece4}.mine{fill:#fff}.small{fill:#a9a499}}`

/** Draws the chats in two columns, in order. The same chats make the same text, and no text is taken for markup. */
export function chatSvg(chats: readonly Chat[]): string {
  const columns = fill(chats.map(drawCard))
  const height = Math.max(...columns.map((column) => column.height))
  const cards = columns.flatMap(({ cards }, place) => {
    const x = EDGE + place * (COLUMN + EDGE)
    return cards.map(({ y, body }) => `<g transform="translate(${x} ${y})">${body}</g>`)
  })
  const [first] = chats
  const label = `${first?.bot ?? 'The bot'} talks to ${listed([...new Set(chats.map((c) => c.customer))])}`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
      `viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="t">`,
    `<title id="t">${escaped(label)}</title>`,
    `<style>${STYLE}\n</style>`,
    `<rect class="page" width="${WIDTH}" height="${height}" rx="12"/>`,
    ...cards,
    '</svg>\n',
  ].join('\n')
}

interface Card {
  height: number
  body: string
}

/** Each card into the column that is shorter so far. */
function fill(cards: readonly Card[]) {
  const columns = Array.from({ length: COLUMNS }, () => ({
    height: EDGE,
    cards: [] as { y: number; body: string }[],
  }))
  for (const { height, body } of cards) {
    const column = columns.reduce((low, other) => (other.height < low.height ? other : low))
    column.cards.push({ y: column.height, body })
    column.height += height + EDGE
  }
  return columns
}

function drawCard({ title, customer, lines }: Chat): Card {
  let y = 30
  const parts = [label({ x: 16, y, text: `${customer}, ${title}`, of: 'title' })]
  y += 14
  for (const line of lines) {
    const drawn = line.by === 'note' ? drawNote(line, y) : drawBubble(line, y)
    parts.push(drawn.body)
    y += drawn.height + GAP
  }
  const height = y + 8
  const box = `<rect class="card" width="${COLUMN}" height="${height}" rx="10"/>`
  return { height, body: `\n${box}\n${parts.join('\n')}\n` }
}

function drawNote({ text }: Line, y: number): Card {
  const words = label({ x: COLUMN / 2, y: y + 13, text: `✓ ${text}`, of: 'small', middle: true })
  return { height: 18, body: words }
}

function drawBubble({ by, text, afterMs }: Line, y: number): Card {
  const rows = text.split('\n').flatMap((part) => wrapped(part, BUBBLE - 2 * PAD.x))
  const width = Math.min(BUBBLE, Math.max(...rows.map(widthOf)) + 2 * PAD.x)
  const height = rows.length * LEADING + 2 * PAD.y
  const isMine = by === 'customer'
  const x = isMine ? COLUMN - 16 - width : 16
  const texts = rows.map((row, place) =>
    label({
      x: x + PAD.x,
      y: y + PAD.y + 14 + place * LEADING,
      text: row,
      of: isMine ? 'mine' : isCode(row) ? 'code' : '',
    }),
  )
  const shape = { x: rounded(x), y, width: rounded(width), height }
  const box = `<rect class="${by}" ${attributes(shape)} rx="10"/>`
  const time =
    afterMs === undefined
      ? []
      : [label({ x: x + width + 6, y: y + height - 8, text: `${afterMs} ms`, of: 'small' })]
  return { height, body: [box, ...texts, ...time].join('\n') }
}

interface Label {
  x: number
  y: number
  text: string
  of: string
  middle?: boolean
}

function label({ x, y, text, of, middle = false }: Label): string {
  const look = `${of === '' ? '' : ` class="${of}"`}${middle ? ' text-anchor="middle"' : ''}`
  return `<text ${attributes({ x: rounded(x), y: rounded(y) })}${look}>${escaped(text)}</text>`
}

const attributes = (values: Record<string, number>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}="${value}"`)
    .join(' ')

const rounded = (length: number): number => Math.round(length * 10) / 10
const isCode = (row: string): boolean => /^ln[a-z0-9]{6,}…/.test(row)
const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`

/** Lines no wider than `most`; a word that is wider is cut. */
function wrapped(text: string, most: number): string[] {
  const rows: string[] = []
  let row = ''
  for (const word of text.split(' ')) {
    const longer = row === '' ? word : `${row} ${word}`
    if (widthOf(longer) <= most) {
      row = longer
      continue
    }
    if (row !== '') rows.push(row)
    row = word
    while (widthOf(row) > most) {
      const fits = fitting(row, most)
      rows.push(row.slice(0, fits))
      row = row.slice(fits)
    }
  }
  return [...rows, row]
}

function fitting(word: string, most: number): number {
  let count = 1
  while (count < word.length && widthOf(word.slice(0, count + 1)) <= most) count += 1
  return count
}

/** Widths as shares of the font size, of the widest of the fonts above; others leave a little room. */
const widthOf = (text: string): number =>
  [...text].reduce((sum, letter) => sum + shareOf(letter) * FONT, 0)

function shareOf(letter: string): number {
  if (/[ijl.,:;'|!]/.test(letter)) return 0.33
  if (/[ftr ()/"-]/.test(letter)) return 0.41
  if (/[mwMW@%…]/.test(letter)) return 0.96
  if (/[A-Z]/.test(letter)) return 0.7
  if (/[a-z0-9]/.test(letter)) return 0.62
  return 1
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** Text as XML may hold it: no markup of its own, and none of the characters that XML refuses. */
function escaped(text: string): string {
  return [...text.toWellFormed()]
    .map((letter) =>
      isAllowed(letter.codePointAt(0) ?? 0) ? (ENTITIES[letter] ?? letter) : '\ufffd',
    )
    .join('')
}

/** https://www.w3.org/TR/xml/#charsets; and nothing that turns the direction of what follows it. */
const isAllowed = (code: number): boolean =>
  (code >= 0x20 || code === 0x9 || code === 0xa) &&
  !(code >= 0x7f && code <= 0x9f) &&
  !(code >= 0x202a && code <= 0x202e) &&
  !(code >= 0x2066 && code <= 0x2069) &&
  code !== 0xfffe &&
  code !== 0xffff
