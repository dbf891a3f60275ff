import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Chat, readChats } from '../../scripts/pictures/chat.ts'
import { chatSvg } from '../../scripts/pictures/chat-svg.ts'
import { BYTES_MAX } from '../../scripts/pictures/main.ts'

const ROOT = join(import.meta.dirname, '../..')
const INVOICE = `lnbc430n1${'q'.repeat(80)}end123`

/** A run of the demo as it prints itself: one scene, with what a hostile customer would write. */
const printed = (asked: string, answered = 'Job 1 cost 18 sats, paid by you.') =>
  [
    { step: 'start', ms: 1 },
    { step: 'message', from: 'Nadia', to: 'Timmy', text: asked },
    {
      ...{ step: 'message', from: 'Timmy', to: 'Nadia', kind: 'invoice', amountSats: 43 },
      ...{ text: `Pay 43 sats.\n\n${INVOICE}\n\nThen it starts.`, afterMs: 35 },
    },
    { step: 'payment', who: 'Nadia', amountSats: 43, afterMs: 16 },
    { step: 'message', from: 'Timmy', to: 'Nadia', kind: 'answer', text: answered, afterMs: 19 },
    { step: 'paid', creditedSats: 1 },
    { done: true },
  ]
    .map((step) => JSON.stringify(step))
    .join('\n')

const draw = (asked: string, answered?: string) => chatSvg(readChats(printed(asked, answered)))
const shown = (svg: string) =>
  [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text]) => text ?? '')

/** Tags in pairs, attributes once and in quotes, entities known, characters that XML allows (XML 1.0, §2). */
function expectXml(text: string): void {
  const open: string[] = []
  const rest = text.replace(
    /<(\/?)([a-z]+)((?: [\w:-]+="[^"<&]*(?:&(?:amp|lt|gt|quot|apos);[^"<&]*)*")*)(\/?)>/g,
    (_, closes: string, name: string, attributes: string, isEmpty: string) => {
      const names = [...attributes.matchAll(/ ([\w:-]+)=/g)].map(([, attribute]) => attribute)
      expect(new Set(names).size).toBe(names.length)
      if (closes) expect(open.pop()).toBe(name)
      else if (!isEmpty) open.push(name)
      return ''
    },
  )
  expect(open).toEqual([])
  expect(rest).not.toMatch(/[<>]/)
  expect(rest.replace(/&(amp|lt|gt|quot|apos);/g, '')).not.toContain('&')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\ufffe\uffff]/)
  expect(text.isWellFormed()).toBe(true)
}

describe('the picture of a conversation', () => {
  test('shows what was said in its order, an invoice by its ends and what was paid', () => {
    const svg = draw('What is a satoshi?')
    expectXml(svg)
    expect(shown(svg)).toEqual([
      'Nadia, a new key, pays',
      'What is a satoshi?',
      'Pay 43 sats.',
      'lnbc430n1qqqqqqqqq…end123',
      'Then it starts.',
      '35 ms',
      '✓ Nadia pays 43 sats over Lightning',
      'Job 1 cost 18 sats, paid by you.',
      '19 ms',
      '✓ Into the pool: 1 sat, a tenth of what it cost',
    ])
  })

  test('is the same for the same messages', () => {
    expect(draw('What is a satoshi?')).toBe(draw('What is a satoshi?'))
    expect(draw('What is a satoshi?')).not.toBe(draw('What is a bitcoin?'))
  })

  test('needs no font, style or picture of another host, and has a ground of its own in the light and the dark', () => {
    const svg = draw('hello')
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|url\(|@import|href/)
    expect(svg).toMatch(/<rect class="page" width="880" height="\d+" rx="12"\/>/)
    expect(svg).toContain('@media(prefers-color-scheme:dark)')
  })

  test.each([
    ['</text><script>alert(1)</script>'],
    ['<![CDATA[ ]]> <!-- --> <?xml?>'],
    ['" onload="alert(1)'],
    ['& &amp; &#0; &lt;'],
    ['\u0000\u0007\u001b[31m\u007f\ufffe'],
    ['\ud800 alone'],
    ['\u202egnorw si siht'],
    ['one\ttwo\r\nthree'],
    ['x'.repeat(5_000)],
    ['😀'.repeat(300)],
  ])('takes no text for markup: %j', (hostile) => {
    const svg = draw(hostile, `${hostile}\nJob 1 cost 18 sats, paid by you.`)
    expectXml(svg)
    expect(svg).not.toContain('<script')
    // A line that is wider than its bubble would stand in the next card.
    for (const text of shown(svg)) expect([...text].length).toBeLessThan(110)
  })

  test('cuts a long result and keeps what it cost', () => {
    const texts = shown(draw('tell', `${'word '.repeat(500)}\n\nJob 1 cost 18 sats.`))
    expect(texts.length).toBeLessThan(30)
    expect(texts).toContain('Job 1 cost 18 sats.')
  })

  test('is not made of a run that did not come to its end', () => {
    expect(() => readChats(printed('hello').replace(/\n[^\n]*$/, ''))).toThrow('to its end')
  })

  test('of no chat at all is still a picture', () => {
    const none: Chat[] = []
    expectXml(chatSvg(none))
  })
})

const pictures = Object.entries(BYTES_MAX).map(
  ([path, most]) => [relative(ROOT, path), most] as const,
)

test.each(pictures)('%s is shown by the README, with words, and is small', (path, most) => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const words = new RegExp(`!\\[([^\\]]{20,})\\]\\(${path}\\)`).exec(readme)
  expect(words).not.toBeNull()
  const bytes = readFileSync(join(ROOT, path))
  expect(bytes.length).toBeLessThan(most)
  expect(bytes.toString('latin1', 0, 8)).toMatch(path.endsWith('.png') ? /^\x89PNG/ : /^<svg xml/)
})
