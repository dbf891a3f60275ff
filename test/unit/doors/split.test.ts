import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonBytes, splitText } from '../../../src/doors/split.ts'

const utf8 = (text: string) => Buffer.byteLength(text, 'utf8')

describe('splitText', () => {
  test('a text that fits is one piece, an empty one too', () => {
    expect(splitText('short')).toEqual(['short'])
    expect(splitText('')).toEqual([''])
  })

  test('pieces joined are the text, and each fits', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 400 }),
        fc.integer({ min: 70, max: 200 }),
        (text, maxBytes) => {
          const pieces = splitText(text, maxBytes)
          expect(pieces.join('')).toBe(text)
          for (const piece of pieces) expect(jsonBytes(piece)).toBeLessThanOrEqual(maxBytes)
        },
      ),
    )
  })

  test('cuts rather after a paragraph than a line, a sentence, a word', () => {
    expect(splitText('aaaa bbbb c\n\nd\ne. ffff gggg', 20, utf8)[0]).toBe('aaaa bbbb c\n\n')
    expect(splitText('aaaa bbbb cc\ndd. ee ffff gggg', 20, utf8)[0]).toBe('aaaa bbbb cc\n')
    expect(splitText('aaaa bbbb cc. dd ee ffff gggg', 20, utf8)[0]).toBe('aaaa bbbb cc. ')
    expect(splitText('aaaa bbbb cccc dd eeeeeeeeee', 20, utf8)[0]).toBe('aaaa bbbb cccc dd ')
  })

  test('a text without any break is cut between characters, never inside one', () => {
    const family = '👨‍👩‍👧‍👦'
    for (const piece of splitText(family.repeat(40), 100, utf8)) {
      expect(piece.replaceAll(family, '')).toBe('')
    }
    for (const piece of splitText('e\u0301'.repeat(200), 100, utf8)) {
      expect(piece.startsWith('\u0301')).toBe(false)
    }
    for (const piece of splitText('𝕏'.repeat(1000), 101, utf8)) {
      expect(piece.isWellFormed()).toBe(true)
    }
  })

  test('a character larger than the budget still makes progress', () => {
    expect(splitText('😀😀', 1, utf8)).toEqual(['😀', '😀'])
    const stacked = `a${'\u0300'.repeat(500)}`
    const pieces = splitText(stacked, 20, utf8)
    expect(pieces.join('')).toBe(stacked)
    expect(pieces.every((piece) => piece.length > 0)).toBe(true)
  })

  test('measures what escaping adds', () => {
    const quotes = '"'.repeat(30_000)
    const pieces = splitText(quotes, 20_000)
    expect(pieces).toHaveLength(4)
    expect(pieces.every((piece) => jsonBytes(piece) <= 20_000)).toBe(true)
  })

  test('200,000 characters of the worst kind are cut in a blink', () => {
    for (const text of ['\u0300'.repeat(200_000), '\u0001'.repeat(200_000), ' '.repeat(200_000)]) {
      const before = performance.now()
      expect(splitText(text).join('')).toBe(text)
      expect(performance.now() - before).toBeLessThan(2_000)
    }
  })
})
