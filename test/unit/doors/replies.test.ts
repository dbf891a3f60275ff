import { describe, expect, test } from 'vitest'
import { reasonCodes, replyFrame, replySchema } from '../../../src/doors/protocol.ts'
import { failure, refusal, renderReply, statusLine } from '../../../src/doors/replies.ts'
import { jsonBytes } from '../../../src/doors/split.ts'
import { english } from '../../../src/doors/texts-en.ts'
import { bolt11, examples, free, invoice, partialInvoice, result, why } from './reply-examples.ts'

const inWords = (reply: Parameters<typeof renderReply>[0]) =>
  renderReply(reply, { form: 'words' }).join('\n====\n')

describe('replies to programs', () => {
  test.each(Object.entries(examples))('%s is one valid JSON object with v and id', (_, reply) => {
    const [text = '', ...more] = renderReply(reply, { form: 'json', id: 'q-1' })
    expect(more).toEqual([])
    const value: unknown = JSON.parse(text)
    expect(replyFrame.parse(value)).toEqual({ v: 1, id: 'q-1' })
    expect(replySchema.parse(value)).toMatchObject(reply)
  })

  test('a reply to a request without an id has none', () => {
    const [text = ''] = renderReply(free, { form: 'json' })
    expect(JSON.parse(text)).not.toHaveProperty('id')
  })

  test('a result that fits is part 1 of 1', () => {
    const [text = ''] = renderReply(result, { form: 'json' })
    expect(JSON.parse(text)).toMatchObject({ part: 1, parts: 1, result: 'Forty-two.' })
  })

  test('a long result comes in numbered parts that join to the text and each fit', () => {
    const long = '"quoted" words with \\ and\nlines, '.repeat(2_000)
    const texts = renderReply({ ...result, result: long }, { form: 'json', id: 'x'.repeat(64) })
    const parts = texts.map((text) => replySchema.parse(JSON.parse(text)))
    expect(parts.length).toBeGreaterThan(3)
    expect(parts.map((part) => (part.type === 'result' ? part.result : '')).join('')).toBe(long)
    expect(parts.map((part) => part.type === 'result' && [part.part, part.parts])).toEqual(
      parts.map((_, index) => [index + 1, parts.length]),
    )
    for (const text of texts) expect(jsonBytes(text)).toBeLessThanOrEqual(20_000)
  })

  test('entries of jobs read like job replies', () => {
    const [text = ''] = renderReply(examples.jobs ?? free, { form: 'json' })
    const { jobs } = JSON.parse(text) as { jobs: unknown[] }
    for (const entry of jobs) expect(replySchema.safeParse(entry).success).toBe(true)
  })
})

describe('replies to people', () => {
  test('an estimate names tokens where they make the price, and none where it is flat', () => {
    const { estimate } = examples
    if (estimate?.type !== 'estimate') throw new Error('the example is no estimate')
    expect(inWords(estimate)).toContain('at most (120 tokens in, up to 500 out).')
    const flat = { ...estimate, tokenEstimate: { input: 13, output: 0 } }
    expect(inWords(flat)).toMatch(/^With small this costs 60 sats at most\.\n/)
  })

  test.each(Object.entries(examples))('%s fits the screen of a phone', (_, reply) => {
    const text = inWords(reply).replace(bolt11, 'invoice')
    expect(text.split('\n').length).toBeLessThanOrEqual(18)
    expect(text.length).toBeLessThanOrEqual(1_100)
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(240)
  })

  test.each(Object.entries(examples))('%s says sats wherever it says an amount', (_, reply) => {
    const text = inWords(reply)
    expect(text).not.toMatch(/undefined|NaN|null|\[object|\d[,.]\d{3} sats/)
    expect(text).not.toMatch(/ {2}|\.\.|;\.| \n/)
    expect(text.trim()).toBe(text)
  })

  test.each(Object.entries(examples).filter(([, { type }]) => type === 'invoice'))(
    '%s has its invoice alone on a line and the next step last',
    (_, reply) => {
      const lines = inWords(reply).split('\n')
      expect(lines.filter((line) => line.includes('lnbc'))).toEqual([bolt11])
      expect(lines[0]).toMatch(/sats.* by \d\d:\d\d UTC:$/)
      expect(lines.at(-1)).not.toBe('')
    },
  )

  test('the seven sentences are the same in every reply and every door', () => {
    const refunded = { refundSats: 3, balanceSats: 45 }
    expect(inWords(invoice)).toContain('This costs you 12 sats at most.')
    expect(statusLine(invoice)).toBe('This costs you 12 sats at most.')
    const partial = 'This costs 60 sats at most: the pool pays 40 sats, you pay 20 sats.'
    expect(inWords(partialInvoice)).toContain(partial)
    expect(statusLine(partialInvoice)).toBe(partial)
    expect(inWords(free)).toContain('Free for you: the pool pays up to 12 sats.')
    const footer = 'Job k3f9d2 cost 12 sats: the pool paid 5 sats, you paid 7 sats.'
    expect(inWords(result)).toBe(`Forty-two.\n\n${footer} ${english.refund(refunded)}`)
    expect(statusLine(result)).toBe(`${footer} ${english.refund(refunded)}`)
    expect(english.refund(refunded)).toBe(
      '3 sats came back to you. Your balance is 45 sats and pays for your next jobs.',
    )
    expect(inWords(refusal('busy'))).toBe(`Sorry, no. ${english.refusal('busy')}`)
    expect(inWords({ type: 'expired', jobId: 'k3f9d2' })).toMatch(/nothing was charged/)
  })

  test('the footer tells who paid: the pool, the customer, both or nobody', () => {
    const footer = (absorbed_sats: number, chargeSats: number) =>
      english.resultFooter({ ...result, absorbed_sats, chargeSats })
    expect(footer(12, 0)).toBe('Job k3f9d2 cost 12 sats, paid by the pool.')
    expect(footer(0, 12)).toBe('Job k3f9d2 cost 12 sats, paid by you.')
    expect(footer(0, 0)).toBe('Job k3f9d2 cost 12 sats, you paid nothing.')
  })

  test('an empty result says so', () => {
    expect(inWords({ ...result, result: ' \n' })).toMatch(/^The result is empty\.\n\nJob k3f9d2/)
  })

  test('a long result is numbered, split between words, and has one footer at the end', () => {
    const texts = renderReply({ ...result, result: 'word '.repeat(9_000) }, { form: 'words' })
    expect(texts).toHaveLength(3)
    expect(texts.map((text) => text.split('\n')[0])).toEqual(['(1/3)', '(2/3)', '(3/3)'])
    expect(texts.filter((text) => text.includes('Job k3f9d2 cost'))).toEqual([texts[2]])
    for (const text of texts) {
      expect(jsonBytes(text)).toBeLessThanOrEqual(20_000)
      expect(text).not.toMatch(/\b(w|wo|wor)$/)
    }
  })

  test('a caller may bring its own measure and budget', () => {
    const options = { maxBytes: 400, measure: (text: string) => 2 * text.length }
    const texts = renderReply({ ...result, result: 'a '.repeat(300) }, { form: 'words' }, options)
    expect(texts.length).toBeGreaterThan(5)
    for (const text of texts) expect(2 * text.length).toBeLessThanOrEqual(400)
  })

  test('/why tells the tier term by term', () => {
    expect(inWords(why).split('\n')).toEqual([
      'Your tier: established, earned by paying.',
      'Free for you now: 30 sats, the least of',
      "- today's budget: 50 less 20 used, 30 sats",
      '- your share of what you paid: 120 sats',
      '- the pool: 9500 sats',
      '- what may leave it today: 800 sats',
      'In 90 days you paid 600 sats on 4 days and got 30 sats free.',
      'Your first payment was 12 days ago.',
      'To become trusted: pay 1400 sats more for work.',
    ])
  })

  test('what would raise the tier names only what is missing', () => {
    const none = { missingSats: 0, missingPaidDays: 0, missingAgeDays: 0 }
    expect(english.nextTier({ next: 'elite', ...none, missingSats: 8_000 })).toBe(
      'To become elite: pay 8000 sats more for work.',
    )
    expect(english.nextTier({ next: 'established', ...none, missingPaidDays: 1 })).toBe(
      'To become established: pay on 1 more day.',
    )
    expect(english.nextTier({ next: null, ...none })).toBe('There is no higher tier.')
  })
})

describe('refusals', () => {
  test.each(reasonCodes)('%s says what to do in at most two short sentences', (reason) => {
    const message = english.refusal(reason, { limit: 10, usage: '/topup 1000' })
    expect(message).toMatch(/^[A-Z].*[.0-9]$/)
    expect(message.length).toBeLessThanOrEqual(180)
    expect(english.refusal(reason)).not.toMatch(/undefined/)
  })

  test('the limit stands in the reply and in the words', () => {
    expect(refusal('request_too_long', { limit: 20_000 })).toMatchObject({
      reason: 'request_too_long',
      limit: 20_000,
      message: expect.stringContaining('20000 characters') as string,
    })
    expect(refusal('amount_out_of_range', { limitMin: 200 })).toMatchObject({ limit: 200 })
  })

  test('a failed job tells what came back before what to do', () => {
    const job = { jobId: 'k3', reason: 'backend_timeout', refundSats: 5, balanceSats: 5 } as const
    expect(inWords(failure(job))).toBe(
      `Job k3 failed. ${english.refund(job)} ${english.refusal('backend_timeout')}`,
    )
    expect(inWords(failure({ ...job, refundSats: 0 }))).toBe(
      `Job k3 failed. ${english.refusal('backend_timeout')}`,
    )
  })

  test('alerts name the command that shows more', () => {
    const { over, ...alerts } = english.alerts
    const facts = {
      balanceSats: 12,
      driftSats: -3,
      relays: 1,
      payouts: 2,
      amountSats: 500,
      failures: 5,
      minutes: 3,
    }
    for (const alert of Object.values(alerts)) expect(alert(facts)).toMatch(/See: tithe \w+$/)
    expect(over({ name: 'relay_deaf' })).toBe('Over: relay deaf.')
  })
})
