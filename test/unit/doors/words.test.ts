import { describe, expect, test } from 'vitest'
import { readMessage } from '../../../src/doors/requests.ts'

const read = (text: string) => {
  const message = readMessage(text)
  expect(message.form).toBe('words')
  return 'command' in message ? message.command : message.refused
}

const refused = (reason: string, message = /./) => ({
  type: 'refused',
  reason,
  message: expect.stringMatching(message) as string,
})

describe('what a person says', () => {
  test.each<[string, unknown]>([
    ['What is a seal?', { name: 'job', request: 'What is a seal?' }],
    ['  two\nlines  ', { name: 'job', request: 'two\nlines' }],
    ['help', { name: 'job', request: 'help' }],
    ['a /help b', { name: 'job', request: 'a /help b' }],
    ['\\help', { name: 'job', request: '\\help' }],
    ['/help', { name: 'help' }],
    ['/help me please', { name: 'help' }],
    ['/Help', { name: 'help' }],
    ['/BALANCE', { name: 'balance' }],
    ['／ｈｅｌｐ', { name: 'help' }],
    ['\ufeff/help\n', { name: 'help' }],
    ['/why', { name: 'why' }],
    ['/pool', { name: 'pool' }],
    ['/models', { name: 'models' }],
    ['/jobs', { name: 'jobs', limit: 10 }],
    ['/jobs 3', { name: 'jobs', limit: 3 }],
    ['/jobs 500', { name: 'jobs', limit: 20 }],
    ['/job k3f9d2', { name: 'job_status', jobId: 'k3f9d2' }],
    ['/cancel k3f9d2 please', { name: 'cancel', jobId: 'k3f9d2' }],
    ['/topup 1000', { name: 'topup', sats: 1000 }],
    ['/topup 1000 sats', { name: 'topup', sats: 1000 }],
    ['/topup 1 sat', { name: 'topup', sats: 1 }],
    ['/topup 10000000', { name: 'topup', sats: 10_000_000 }],
    ['/donate\t21', { name: 'donate', sats: 21 }],
    ['/estimate Tell me', { name: 'estimate', request: 'Tell me' }],
    ['/estimate\nTell\nme', { name: 'estimate', request: 'Tell\nme' }],
    ['/estimate /model small Tell me', { name: 'estimate', request: 'Tell me', model: 'small' }],
    ['/model small Tell me', { name: 'job', request: 'Tell me', model: 'small' }],
    ['/model a/b:c Tell', { name: 'job', request: 'Tell', model: 'a/b:c' }],
    ['/withdraw lnbc1xyz', { name: 'withdraw', to: 'lnbc1xyz' }],
    ['/withdraw me@example.com 500', { name: 'withdraw', to: 'me@example.com', sats: 500 }],
    ['/withdraw me@example.com  5 SATS', { name: 'withdraw', to: 'me@example.com', sats: 5 }],
  ])('%j is read', (text, command) => {
    expect(read(text)).toEqual(command)
  })

  test.each<[string, string, RegExp]>([
    ['', 'empty_request', /in your own words/],
    [' \n\t ', 'empty_request', /no text/],
    ['\u200b\u200d\ufeff', 'empty_request', /no text/],
    ['/estimate', 'empty_request', /\/estimate TEXT/],
    ['/estimate /model small', 'empty_request', /\/estimate \/model NAME TEXT/],
    ['/model small', 'empty_request', /\/model NAME TEXT/],
    ['/model', 'malformed', /\/model NAME TEXT/],
    [`/model ${'m'.repeat(101)} Tell me`, 'unknown_model', /\/models/],
    ['nul \0 byte', 'malformed', /could not read/],
    ['lone \ud800 surrogate', 'malformed', /could not read/],
    ['/job', 'malformed', /\/job ID/],
    ['/cancel', 'malformed', /\/cancel ID/],
    [`/job ${'x'.repeat(41)}`, 'unknown_job', /\/jobs/],
    ['/job ünïcode', 'unknown_job', /\/jobs/],
    ['/jobs 0', 'malformed', /\/jobs 5/],
    ['/topup', 'malformed', /digits alone.*\/topup 1000/],
    ['/topup 1,000', 'malformed', /digits alone/],
    ['/topup 1.000', 'malformed', /digits alone/],
    ['/topup 1 000', 'malformed', /digits alone/],
    ['/topup 1_000', 'malformed', /digits alone/],
    ['/topup +5', 'malformed', /digits alone/],
    ['/topup -5', 'malformed', /digits alone/],
    ['/topup 5.0', 'malformed', /digits alone/],
    ['/topup 1e3', 'malformed', /digits alone/],
    ['/topup 0x10', 'malformed', /digits alone/],
    ['/topup 007', 'malformed', /digits alone/],
    ['/topup １０００', 'malformed', /digits alone/],
    ['/topup 1000 msat', 'malformed', /digits alone/],
    ['/topup 1000 sats now', 'malformed', /digits alone/],
    ['/topup Infinity', 'malformed', /digits alone/],
    ['/topup 0', 'amount_out_of_range', /from 1 to 10000000 sats/],
    ['/donate 10000001', 'amount_out_of_range', /from 1 to 10000000 sats/],
    ['/donate 99999999999999999999', 'malformed', /digits alone/],
    ['/withdraw', 'malformed', /\/withdraw name@example.com 500/],
    ['/withdraw me@example.com 1,5', 'malformed', /digits alone/],
    ['/withdraw me@example.com 0', 'amount_out_of_range', /from 1/],
    [`/withdraw ${'l'.repeat(8_000)}`, 'invalid_destination', /Lightning address/],
    ['/withdraw mé@example.com', 'invalid_destination', /Lightning address/],
    ['/start', 'unknown_type', /^\/start is not a command; \/help/],
    ['/', 'unknown_type', /^That is not a command/],
    ['//', 'unknown_type', /^That is not a command/],
    ['/etc/passwd', 'unknown_type', /put a word before it/],
    ['/constructor', 'unknown_type', /^\/constructor is not/],
    ['/__proto__', 'unknown_type', /^That is not/],
    // Cyrillic letters that look like `help` and `balance`.
    ['/һеlр', 'unknown_type', /^That is not/],
    ['/bаlance', 'unknown_type', /^That is not/],
    ['/he\u200blp', 'unknown_type', /^That is not/],
    [`/${'a'.repeat(60_000)}`, 'unknown_type', /^That is not/],
    // One ligature folds to 18 letters.
    [`/${'ﷺ'.repeat(20_000)}`, 'unknown_type', /^That is not/],
  ])('%j is refused as %s', (text, reason, message) => {
    expect(read(text)).toEqual(expect.objectContaining(refused(reason, message)))
  })

  test('the longest request is counted in characters, not in bytes or code units', () => {
    const longest = '😀'.repeat(20_000)
    expect(read(longest)).toEqual({ name: 'job', request: longest })
    expect(read(`${longest}!`)).toMatchObject({ reason: 'request_too_long', limit: 20_000 })
    expect(read(`/estimate ${longest}`)).toEqual({ name: 'estimate', request: longest })
  })

  test('no text makes reading slow', () => {
    for (const unit of [
      '/',
      ' ',
      '\t\n',
      '/a ',
      'a@',
      '1 ',
      '{',
      '{"a":',
      '[',
      '"',
      '\u0300',
      '／',
    ]) {
      for (const prefix of ['', '/', '/topup ', '/withdraw ', '/model ', '{"type":']) {
        const text = (prefix + unit.repeat(100_000)).slice(0, 100_000)
        const before = performance.now()
        readMessage(text)
        // Five milliseconds on a quiet machine; what grows with the square takes ten seconds.
        expect(performance.now() - before).toBeLessThan(2_000)
      }
    }
  })
})
