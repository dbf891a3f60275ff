import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  cancelTarget,
  clearRelays,
  type Decrypt,
  feedback,
  readJobRequest,
  result,
} from '../../../src/doors/nip90.ts'
import type { NostrEvent } from '../../../src/nostr/types.ts'

const bot = 'b'.repeat(64)
const customer = 'c'.repeat(64)

/** Two ciphers a test can read: the scheme and the peer stand in front of the text. */
const cipher = (scheme: string) => ({
  encrypt: (peer: string, text: string) =>
    `${scheme}:${peer}:${text}${scheme === 'nip04' ? '?iv=x' : ''}`,
  decrypt: ((peer, content) => {
    const prefix = `${scheme}:${peer}:`
    if (!content.startsWith(prefix)) throw new Error('wrong scheme')
    return content.slice(prefix.length).replace('?iv=x', '')
  }) satisfies Decrypt,
})
const nip04 = cipher('nip04')
const nip44 = cipher('nip44')

const keys = { pubkey: bot, decryptNip04: nip04.decrypt, decryptNip44: nip44.decrypt }

function event(tags: string[][], content = '', kind = 5050): NostrEvent {
  const all = [['p', bot], ...tags]
  return {
    id: 'e'.repeat(64),
    pubkey: customer,
    created_at: 1_790_000_000,
    kind,
    tags: all,
    content,
    sig: '5'.repeat(128),
  }
}

const read = (tags: string[][], content = '') => readJobRequest(event(tags, content), keys)

describe('a clear request', () => {
  test('is read with everything it may say', () => {
    const reading = read([
      ['i', 'Write a haiku', 'text'],
      ['param', 'model', 'small'],
      ['param', 'max_tokens', '200'],
      ['param', 'temperature', '0.7'],
      ['output', 'text/plain'],
      ['bid', '21000'],
      [
        'relays',
        'wss://one.example',
        'wss://two.example',
        'http://no.example',
        'wss://one.example',
      ],
      ['t', 'bitcoin'],
    ])
    expect(reading).toEqual({
      ok: true,
      request: 'Write a haiku',
      model: 'small',
      maxOutputTokens: 200,
      encrypted: false,
      bidMsat: 21_000,
      relays: ['wss://one.example', 'wss://two.example'],
    })
  })

  test.each<[string, string[][], string, string]>([
    ['type prompt counts as text', [['i', 'a', 'prompt']], '', 'a'],
    ['a missing type counts as text', [['i', 'a']], '', 'a'],
    [
      'several inputs are joined',
      [
        ['i', 'a', 'text'],
        ['i', 'b', 'text', '', 'm'],
      ],
      '',
      'a\n\nb',
    ],
    ['a prompt in the content is taken where no input is', [], 'a', 'a'],
    ['content beside inputs is ignored', [['i', 'a', 'text']], 'b', 'a'],
  ])('%s', (_, tags, content, request) => {
    expect(read(tags, content)).toMatchObject({ ok: true, request })
  })

  test.each([
    ['max-tokens', '50', 50],
    ['MAX_TOKENS', '50', 50],
    ['max_tokens', '0', undefined],
    ['max_tokens', '1e9', undefined],
    ['max_tokens', '-5', undefined],
    ['max_tokens', '9'.repeat(40), undefined],
  ])('param %s %s is a cap of %s', (name, value, maxOutputTokens) => {
    const reading = read([
      ['i', 'a', 'text'],
      ['param', name, value],
    ])
    expect(reading).toEqual({
      ok: true,
      request: 'a',
      encrypted: false,
      relays: [],
      ...(maxOutputTokens ? { maxOutputTokens } : {}),
    })
  })

  test.each<[string, string[][], string]>([
    ['empty_request', [], ''],
    ['empty_request', [['i', ' ', 'text']], ''],
    ['request_too_long', [['i', 'x'.repeat(20_001), 'text']], ''],
    ['malformed', [['i', 'https://example.com', 'url']], ''],
    ['malformed', [['i', 'f'.repeat(64), 'event']], ''],
    ['malformed', [['i', 'f'.repeat(64), 'job']], ''],
    [
      'malformed',
      [
        ['i', 'a', 'text'],
        ['i', 'x', 'audio'],
      ],
      '',
    ],
    ['malformed', [['i', 'a\0', 'text']], ''],
    [
      'unknown_model',
      [
        ['i', 'a', 'text'],
        ['param', 'model', 'm'.repeat(101)],
      ],
      '',
    ],
  ])('is refused as %s: %.40j', (reason, tags, content) => {
    expect(read(tags, content)).toMatchObject({
      ok: false,
      reason,
      encrypted: false,
      refused: { type: 'refused', reason },
    })
  })

  test('not p-tagged to the bot, or of another kind, it is not ours', () => {
    const other = event([['i', 'a', 'text']])
    const tags = other.tags.map(([name, value]) => [name ?? '', value === bot ? customer : 'a'])
    expect(readJobRequest({ ...other, tags }, keys)).toEqual({ ok: false, reason: 'not_ours' })
    expect(readJobRequest(event([['i', 'a']], '', 5051), keys)).toMatchObject({
      reason: 'not_ours',
    })
  })

  test('at most four relays are kept, and only addresses', () => {
    const relays = ['wss://', 'x', ...[1, 2, 3, 4, 5, 6].map((n) => `wss://r${n}.example`)]
    expect(
      read([
        ['i', 'a', 'text'],
        ['relays', ...relays],
      ]),
    ).toMatchObject({
      relays: ['wss://r1.example', 'wss://r2.example', 'wss://r3.example', 'wss://r4.example'],
    })
  })

  test('relays in tags of their own are all wanted', () => {
    const tags = [
      ['i', 'a', 'text'],
      ['relays', 'wss://a.example'],
      ['relays', 'wss://b.example'],
    ]
    expect(read(tags)).toMatchObject({ relays: ['wss://a.example', 'wss://b.example'] })
    expect(clearRelays(event(tags))).toEqual(['wss://a.example', 'wss://b.example'])
  })
})

describe('an encrypted request', () => {
  const secretTags = JSON.stringify([
    ['i', 'a secret', 'text'],
    ['param', 'model', 'small'],
  ])

  test.each([
    ['nip04', nip04],
    ['nip44', nip44],
  ] as const)('in %s is opened, and its clear inputs do not count', (scheme, { encrypt }) => {
    const tags = [['encrypted'], ['i', 'a decoy', 'text'], ['relays', 'wss://one.example']]
    expect(read(tags, encrypt(customer, secretTags))).toEqual({
      ok: true,
      request: 'a secret',
      model: 'small',
      encrypted: scheme,
      relays: ['wss://one.example'],
    })
  })

  test.each([
    ['for somebody else', nip44.encrypt(bot, secretTags)],
    ['not encrypted at all', secretTags],
    ['no tags inside', nip44.encrypt(customer, '{"i":"a"}')],
    ['numbers inside', nip44.encrypt(customer, '[["i",5]]')],
    ['broken JSON inside', nip44.encrypt(customer, '[["i","a"')],
    ['too many tags', nip44.encrypt(customer, JSON.stringify(Array(101).fill(['i', 'a'])))],
    ['a depth bomb', nip44.encrypt(customer, '['.repeat(50_000))],
    ['NUL', nip44.encrypt(customer, '[["i","\\u0000"]]')],
  ])('that cannot be read is refused with its scheme known: %s', (_, content) => {
    expect(read([['encrypted']], content)).toMatchObject({
      ok: false,
      reason: 'malformed',
      encrypted: 'nip44',
    })
  })

  test('without a text inside is empty, whatever its content looks like', () => {
    const content = nip44.encrypt(customer, '[]')
    expect(read([['encrypted']], content)).toMatchObject({ reason: 'empty_request' })
  })
})

describe('answers', () => {
  const request = event([['i', 'a', 'text']])

  test('payment-required carries msat and invoice', () => {
    const template = feedback({
      request,
      status: 'payment-required',
      message: 'This costs you 12 sats at most.',
      amountMsat: 12_000,
      bolt11: 'lnbc1',
      createdAt: 5,
    })
    expect(template).toEqual({
      kind: 7000,
      created_at: 5,
      tags: [
        ['status', 'payment-required', 'This costs you 12 sats at most.'],
        ['e', request.id],
        ['p', customer],
        ['amount', '12000', 'lnbc1'],
      ],
      content: '',
    })
  })

  test.each(['processing', 'partial', 'error', 'success'] as const)(
    '%s has no amount',
    (status) => {
      const { tags } = feedback({ request, status, message: 'm', createdAt: 5 })
      expect(tags).toEqual([
        ['status', status, 'm'],
        ['e', request.id],
        ['p', customer],
      ])
    },
  )

  test('a result names its request, inputs, customer and amount', () => {
    const template = result({ request, result: 'Done.', amountMsat: 7_000, createdAt: 5 })
    expect(template).toMatchObject({ kind: 6050, created_at: 5, content: 'Done.' })
    expect(template.tags).toEqual([
      ['request', JSON.stringify(request)],
      ['e', request.id],
      ['p', customer],
      ['amount', '7000'],
      ['i', 'a', 'text'],
    ])
  })

  test('the result of an encrypted request shows neither input nor result', () => {
    const hidden = event([['encrypted']], nip44.encrypt(customer, '[["i","a secret","text"]]'))
    const template = result({
      request: { ...hidden, content: 'ciphertext' },
      result: 'a secret answer',
      amountMsat: 0,
      createdAt: 5,
      encrypt: (peer, text) => Buffer.from(nip44.encrypt(peer, text)).toString('base64'),
    })
    expect(JSON.stringify(template)).not.toContain('secret')
    expect(template.tags.filter(([name]) => name === 'i')).toEqual([])
    expect(template.tags).toContainEqual(['encrypted'])
    const opened = Buffer.from(template.content, 'base64').toString()
    expect(nip44.decrypt(customer, opened)).toBe('a secret answer')
  })

  test('inputs that some relays would refuse are not repeated', () => {
    const long = event([['i', 'x'.repeat(1_024), 'text']])
    const { tags } = result({ request: long, result: 'r', amountMsat: 1, createdAt: 5 })
    expect(tags.filter(([name]) => name === 'i')).toEqual([])
    expect(tags.find(([name]) => name === 'request')?.[1]).toBe(JSON.stringify(long))
  })

  test('an event that would outgrow a frame leaves out the copy of the request', () => {
    const large = event([['i', '"'.repeat(20_000), 'text']])
    const template = result({
      request: large,
      result: 'r'.repeat(20_000),
      amountMsat: 1,
      createdAt: 5,
      part: 1,
      parts: 2,
    })
    expect(template.tags.map(([name]) => name)).toEqual(['e', 'p', 'amount', 'part'])
    expect(template.tags).toContainEqual(['part', '1', '2'])
    expect(JSON.stringify(template).length).toBeLessThan(65_536 - 300)
  })
})

describe('a cancellation', () => {
  test('names each event once, in lower-case hex only', () => {
    const id = 'a'.repeat(64)
    const tags = [
      ['e', id],
      ['e', id],
      ['e', id.toUpperCase()],
      ['e', 'short'],
      ['e'],
      ['a', `5050:${customer}:x`],
    ]
    expect(cancelTarget(event(tags, '', 5))).toEqual([id])
    expect(cancelTarget(event(tags, '', 1))).toEqual([])
  })
})

test('no event throws', () => {
  const cell = fc.oneof(
    fc.constantFrom('i', 'p', 'param', 'encrypted', 'relays', 'bid', 'text', 'model', bot),
    fc.string({ unit: 'binary' }),
  )
  fc.assert(
    fc.property(fc.array(fc.array(cell, { maxLength: 5 })), fc.string(), (tags, content) => {
      const reading = read(tags, content)
      expect(typeof reading.ok).toBe('boolean')
    }),
    { numRuns: 1_000 },
  )
})
