import { expect, test } from 'vitest'
import { readMessage } from '../../../src/doors/requests.ts'
import { asProgram } from '../../../src/sandbox/ask.ts'

test.each([
  ['What is a satoshi?', { type: 'job', request: 'What is a satoshi?' }],
  ['/model big Tell me', { type: 'job', request: 'Tell me', model: 'big' }],
  ['/estimate Tell me', { type: 'estimate', request: 'Tell me' }],
  ['/balance', { type: 'balance' }],
  ['/topup 1000', { type: 'topup', sats: 1000 }],
  ['/nonsense now', { type: 'nonsense' }],
  ['/topup a lot', { type: 'topup' }],
  ['{"type":"pool","id":"mine"}', { type: 'pool', id: 'mine' }],
])('"%s" is asked as a program would', (text, request) => {
  expect(JSON.parse(asProgram(text))).toEqual(request)
  expect(readMessage(asProgram(text)).form).toBe('json')
})
