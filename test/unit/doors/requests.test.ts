import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readMessage } from '../../../src/doors/requests.ts'

const json = (value: unknown) => JSON.stringify(value)

describe('what a program says', () => {
  test.each<[unknown, unknown]>([
    [
      { type: 'job', request: 'x' },
      { name: 'job', request: 'x' },
    ],
    [
      { type: 'job', request: ' x ', model: 'small' },
      { name: 'job', request: ' x ', model: 'small' },
    ],
    [
      { type: 'estimate', request: '/help' },
      { name: 'estimate', request: '/help' },
    ],
    [
      { type: 'job_status', jobId: 'k3' },
      { name: 'job_status', jobId: 'k3' },
    ],
    [{ type: 'jobs' }, { name: 'jobs', limit: 20 }],
    [
      { type: 'jobs', limit: 3 },
      { name: 'jobs', limit: 3 },
    ],
    [
      { type: 'cancel', jobId: 'k3' },
      { name: 'cancel', jobId: 'k3' },
    ],
    [{ type: 'balance' }, { name: 'balance' }],
    [{ type: 'why' }, { name: 'why' }],
    [
      { type: 'topup', sats: 1 },
      { name: 'topup', sats: 1 },
    ],
    [
      { type: 'donate', sats: 10_000_000 },
      { name: 'donate', sats: 10_000_000 },
    ],
    [
      { type: 'withdraw', to: 'lnbc1' },
      { name: 'withdraw', to: 'lnbc1' },
    ],
    [
      { type: 'withdraw', to: 'a@b.c', sats: 9 },
      { name: 'withdraw', to: 'a@b.c', sats: 9 },
    ],
    [{ type: 'pool' }, { name: 'pool' }],
    [{ type: 'models' }, { name: 'models' }],
    [{ type: 'help', colour: 'ignored' }, { name: 'help' }],
  ])('%j is read', (value, command) => {
    expect(readMessage(json(value))).toEqual({ form: 'json', command })
    const withId = { ...(value as object), id: 'q-1' }
    expect(readMessage(`\n ${json(withId)} `)).toEqual({ form: 'json', id: 'q-1', command })
  })

  test.each<[unknown, string, RegExp]>([
    [{ type: 'job' }, 'malformed', /field request/],
    [{ type: 'job', request: 5 }, 'malformed', /field request/],
    [{ type: 'job', request: null }, 'malformed', /field request/],
    [{ type: 'job', request: ['x'] }, 'malformed', /field request/],
    [{ type: 'job', request: 'x', model: {} }, 'malformed', /field model/],
    [{ type: 'job', request: '' }, 'empty_request', /no text/],
    [{ type: 'job', request: '  ' }, 'empty_request', /no text/],
    [{ type: 'job', request: 'x', model: '' }, 'unknown_model', /models/],
    [{ type: 'job', request: 'x', model: 'm'.repeat(101) }, 'unknown_model', /models/],
    [{ type: 'job', request: 'x\0' }, 'malformed', /could not read/],
    [{ type: 'job', request: '\ud800' }, 'malformed', /could not read/],
    [{ type: 'jobs', limit: 21 }, 'malformed', /field limit/],
    [{ type: 'jobs', limit: '5' }, 'malformed', /field limit/],
    [{ type: 'job_status' }, 'malformed', /field jobId/],
    [{ type: 'cancel', jobId: 'x'.repeat(41) }, 'unknown_job', /\/jobs/],
    [{ type: 'topup' }, 'malformed', /field sats/],
    [{ type: 'topup', sats: '1000' }, 'malformed', /field sats/],
    [{ type: 'topup', sats: 1.5 }, 'malformed', /field sats/],
    [{ type: 'topup', sats: 1e308 }, 'malformed', /field sats/],
    [{ type: 'topup', sats: 0 }, 'amount_out_of_range', /from 1/],
    [{ type: 'topup', sats: -5 }, 'amount_out_of_range', /from 1/],
    [{ type: 'donate', sats: 10_000_001 }, 'amount_out_of_range', /10000000 sats/],
    [{ type: 'withdraw' }, 'malformed', /field to/],
    [{ type: 'withdraw', to: '' }, 'invalid_destination', /address/],
    [{ type: 'withdraw', to: 'a b' }, 'invalid_destination', /address/],
    [{ type: 'withdraw', to: 'a@b.c', sats: 0 }, 'amount_out_of_range', /from 1/],
    [{ type: 'refund' }, 'unknown_type', /no request of that type/],
    [{ type: '' }, 'unknown_type', /no request of that type/],
    [{ type: 'constructor' }, 'unknown_type', /no request of that type/],
    [{ type: 'JOB', request: 'x' }, 'unknown_type', /no request of that type/],
  ])('%j is refused as %s, in JSON', (value, reason, message) => {
    expect(readMessage(json({ ...(value as object), id: 'q-1' }))).toEqual({
      form: 'json',
      id: 'q-1',
      refused: expect.objectContaining({
        type: 'refused',
        reason,
        message: expect.stringMatching(message) as string,
      }) as unknown,
    })
  })

  test.each([5, '', 'x'.repeat(65), null, ['q']])('id %j is refused and not repeated', (id) => {
    expect(readMessage(json({ type: 'help', id }))).toEqual({
      form: 'json',
      refused: expect.objectContaining({ reason: 'malformed' }) as unknown,
    })
  })

  test('the limits are named', () => {
    const long = readMessage(json({ type: 'job', request: 'x'.repeat(20_001) }))
    expect(long).toMatchObject({ refused: { reason: 'request_too_long', limit: 20_000 } })
    expect(readMessage(json({ type: 'jobs', limit: 99 }))).toMatchObject({ refused: { limit: 20 } })
  })

  test.each([
    '{"type":"job","request":"a","request":"b"}',
    '{"type":"help","\\u0074ype":"balance"}',
    '{"type":"help","__proto__":{"x":1}}',
    '{"type":"job","request":"a\\u0000b"}',
    '{"type":"job","request":"\\ud800"}',
    `{"type":"job","request":"x","deep":${'['.repeat(50)}${']'.repeat(50)}}`,
    `{"type":"job","request":"x","deep":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
  ])('a program that trips the guarded parser hears so in JSON: %.60s', (text) => {
    expect(readMessage(text)).toMatchObject({ form: 'json', refused: { reason: 'malformed' } })
  })

  test.each([
    '{"typ":"job"}',
    '{"type":5,"request":"x"}',
    '{"type":null}',
    '["type","job"]',
    '"type"',
    '{"type":"job","request":"x"',
    '{type:"job"}',
    '{"a":1,"a":2}',
    '{"type":"job"} and then?',
  ])('%s is a person asking about JSON', (text) => {
    expect(readMessage(text)).toEqual({ form: 'words', command: { name: 'job', request: text } })
  })

  test('no text throws, and each is read as a command or a refusal', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.string().map((text) => `/${text}`),
      fc.json(),
      fc
        .record({ type: fc.constantFrom('job', 'topup', 'jobs', 'x'), request: fc.anything() })
        .map((value) => json({ ...value, sats: value.request, limit: value.request })),
    )
    fc.assert(
      fc.property(anyText, (text) => {
        const message = readMessage(text)
        expect('command' in message).not.toBe('refused' in message)
      }),
      { numRuns: 2_000 },
    )
  })

  test('a value taken from JSON has no prototype surprises', () => {
    const message = readMessage('{"type":"job","request":"x","toString":"y","hasOwnProperty":1}')
    expect(message).toEqual({ form: 'json', command: { name: 'job', request: 'x' } })
  })
})
