import { countTokens as countWhole } from 'gpt-tokenizer/encoding/o200k_base'
import { expect, test } from 'vitest'
import { countTokens } from '../../../src/backends/tokenizer.ts'
import { seededFractions } from '../../support/money-random.ts'
import { sweepName, sweepSeed } from '../../support/money-sweep.ts'
import { say } from '../../support/seeded.ts'

/** The framing of an empty message. */
const FRAMING = 12
const plain = { disallowedSpecial: new Set<string>() }

test('an empty text is the framing of one message', () => {
  expect(countTokens('')).toBe(FRAMING)
  expect(countTokens('hello world')).toBe(FRAMING + 2)
})

test('prose is counted to the token, because cuts fall between words', () => {
  const sentence =
    'The pool pays a part of the price, and what was not used comes back to the day it was taken ' +
    'from; nobody is charged more than the quote. Ein Satz auf Deutsch, и один по-русски. '
  const prose = sentence.repeat(40).trim()
  expect(countTokens(prose)).toBe(FRAMING + countWhole(prose))
})

test('names of control tokens are text like any other', () => {
  expect(() => countWhole('a<|endoftext|>b')).toThrow()
  expect(countTokens('a<|endoftext|>b')).toBeGreaterThan(FRAMING + 3)
  expect(countTokens('<|im_start|>system<|im_end|>'.repeat(500))).toBeGreaterThan(5_000)
})

const alphabets: [string, (fraction: number) => number][] = [
  ['emoji', (fraction) => 0x1f300 + Math.floor(fraction * 0x300)],
  ['letters', (fraction) => 97 + Math.floor(fraction * 26)],
  ['digits', (fraction) => 48 + Math.floor(fraction * 10)],
  ['ideographs', (fraction) => 0x4e00 + Math.floor(fraction * 0x4000)],
  ['cuneiform', (fraction) => 0x12000 + Math.floor(fraction * 0x300)],
  ['combining marks', (fraction) => 0x300 + Math.floor(fraction * 0x6f)],
  ['control characters', (fraction) => Math.floor(fraction * 32)],
  ['anything, lone surrogates too', (fraction) => Math.floor(fraction * 0x10000)],
]

test('a cut run counts a little more than the whole, never less', () => {
  const fraction = seededFractions(sweepSeed)
  say(`tokenizer: ${sweepName}`)
  for (const [name, codePoint] of alphabets) {
    let text = ''
    while (text.length < 1_500) text += String.fromCodePoint(codePoint(fraction()))
    const whole = countWhole(text, plain)
    const tokens = countTokens(text) - FRAMING
    // A cut may by chance make a better split; the framing covers a run of such luck.
    expect(tokens, name).toBeGreaterThanOrEqual(whole - 8)
    expect(tokens, name).toBeLessThanOrEqual(Math.ceil(whole * 1.06) + 4)
  }
})

// Without slices the emoji of this list alone take more than a second each, and the whole list
// minutes.
test('hostile runs of the longest request are counted in linear time', () => {
  const fraction = seededFractions(sweepSeed)
  const hostile = [
    'a',
    'A',
    ' ',
    '\n',
    '\t',
    '\0',
    '=',
    '😀',
    '👨‍👩‍👧‍👦',
    '中',
    '\u0301',
    '\u00a0',
    '\ud800',
  ]
  const texts = hostile.map((run) => run.repeat(20_000).slice(0, 20_000))
  for (const [, codePoint] of alphabets) {
    let text = ''
    while (text.length < 20_000) text += String.fromCodePoint(codePoint(fraction()))
    texts.push(text)
  }
  const startedAt = performance.now()
  for (const text of texts) expect(countTokens(text)).toBeGreaterThan(FRAMING)
  const tookMs = performance.now() - startedAt
  say(`tokenizer: ${texts.length} hostile texts of 20,000 characters in ${Math.round(tookMs)} ms`)
  // Ten times what a busy core needs; a quadratic run passes it many times over.
  expect(tookMs).toBeLessThan(5_000)
})

test('a text beyond all requests is counted in bytes from there on', () => {
  const long = 'a'.repeat(100_000)
  const tokens = countTokens(long)
  expect(countTokens(`${long}aaaaa`)).toBe(tokens + 5)
  expect(countTokens(`${long}é😀`)).toBe(tokens + 6)
  // A pair that lies across the end is counted whole, as bytes.
  expect(countTokens(`${long.slice(1)}😀`)).toBe(countTokens(long.slice(1)) + 4)
})
