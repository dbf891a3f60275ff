import { expect, test } from 'vitest'
import { createShow, type Show } from '../../../src/sandbox/demo-show.ts'
import { keptTerminal } from '../../support/command.ts'

const bolt11 =
  'lnbc430n1p4sw3c6pp58ty707ha69akes5cmylnje5wdr0zwdy9avxt4dk25cj4pjnrxw6qsp54sem6q7rm3us2nnte6g' +
  'wdgh3rfpdd2c6j84egr3qpqa76f48409qdq5235k6mte8gsx5mmzyqcsxqzjccqpj9qrsgq2qe6rzyf2u0wwdnj224rtg' +
  'rmucu4fgr79g084jmr46lphyjs8qurv7f6hlucf4xsh0jc3l024tspw6v6xrlwmv4pgwm23306xe257wqqcydwt0'
const invoiceText = `This costs you 43 sats at most.\n\n${bolt11}\n\nJob 1 starts when it is paid.`
const result = `${'A long answer. '.repeat(40)}\n\nJob 1 cost 18 sats, paid by you.`

/** One scene, told to a person or to a script. */
function told(json: boolean): string[] {
  let nowMs = 1_000
  const terminal = keptTerminal()
  const clock = { now: () => nowMs, sleep: async () => {} }
  const show: Show = createShow(terminal, clock, json)
  const bot = { from: 'Timmy', to: 'Nadia', part: 'bot' as const }
  show.scene('A new key asks')
  show.said({ from: 'Nadia', to: 'Timmy', part: 'customer', text: 'What is it?', at: nowMs })
  show.said({ ...bot, text: invoiceText, at: nowMs + 41 })
  nowMs += 53
  show.did({ who: 'Nadia', text: 'pays 43 sats', step: 'payment', fields: { amountSats: 43 } })
  show.said({ ...bot, text: result, at: nowMs + 20 })
  show.shown({ text: 'It is so.', step: 'paid', fields: { creditedSats: 1 } })
  show.end({ lines: ['Drift: 0 sats.'], fields: { done: true } })
  return terminal.printed
}

test('a person reads who said what, after how many milliseconds and for how many sats', () => {
  expect(told(false)).toEqual([
    '\nA new key asks',
    '           Nadia      What is it?',
    '   +41 ms  Timmy      This costs you 43 sats at most.',
    `                      ${bolt11.slice(0, 18)}…${bolt11.slice(-6)}  (43 sats)`,
    '                      Job 1 starts when it is paid.',
    '   +12 ms  Nadia      pays 43 sats',
    expect.stringMatching(/^ {3}\+20 ms {2}Timmy {6}A long answer\./),
    ...Array(3).fill(expect.stringMatching(/^ {22}\S.*answer/)),
    '                      Job 1 cost 18 sats, paid by you.',
    '           ✓          It is so.',
    '',
    'Drift: 0 sats.',
  ])
})

test('a script reads one object per step, with whole texts', () => {
  const message = { step: 'message', from: 'Timmy', to: 'Nadia' }
  expect(told(true).map((line): unknown => JSON.parse(line))).toEqual([
    { step: 'message', from: 'Nadia', to: 'Timmy', text: 'What is it?' },
    { ...message, text: invoiceText, kind: 'invoice', amountSats: 43, afterMs: 41 },
    { step: 'payment', who: 'Nadia', amountSats: 43, afterMs: 12 },
    { ...message, text: result, kind: 'answer', afterMs: 20 },
    { step: 'paid', creditedSats: 1 },
    { done: true },
  ])
})
