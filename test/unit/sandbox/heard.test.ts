import { describe, expect, test } from 'vitest'
import type { Reply } from '../../../src/doors/protocol.ts'
import { refusal, renderReply } from '../../../src/doors/replies.ts'
import { encodeBolt11 } from '../../../src/lightning/bolt11-encode.ts'
import { type Heard, readHeard } from '../../../src/sandbox/heard.ts'
import * as examples from '../doors/reply-examples.ts'

const paymentHash = '22'.repeat(32)
const bolt11 = encodeBolt11(
  {
    amountMsat: 12_000n,
    paymentHash,
    paymentSecret: '11'.repeat(32),
    createdAt: 1_790_000_000,
    expirySeconds: 600,
    description: 'Timmy: job 1',
  },
  new Uint8Array(32).fill(5),
)

const { result } = examples
const failed: Reply = {
  type: 'failed',
  jobId: '7',
  reason: 'backend_failed',
  message: 'The work could not be done.',
  refundSats: 12,
  balanceSats: 12,
}
const withdrawal = (state: 'sent' | 'done' | 'failed' | 'unknown'): Reply => ({
  type: 'withdrawal',
  state,
  sats: 500,
  balanceSats: 0,
})

const cases: [name: string, reply: Reply, kind: Heard['kind']][] = [
  ['an invoice', { ...examples.invoice, bolt11 }, 'invoice'],
  ['an invoice in part', { ...examples.partialInvoice, bolt11 }, 'invoice'],
  [
    'an invoice of a top-up',
    { type: 'invoice', purpose: 'topup', bolt11, chargeSats: 12, expiresAt: 1_790_000_600 },
    'invoice',
  ],
  ['work begun', examples.free, 'progress'],
  ['work begun after a payment', { ...examples.free, paidFrom: 'invoice' }, 'progress'],
  ['work begun from a balance', { ...examples.free, paidFrom: 'balance' }, 'progress'],
  ['work that lasts', { ...examples.free, seconds: 10 }, 'progress'],
  ['a result', result, 'answer'],
  ['a free result', { ...result, chargeSats: 0, refundSats: 0 }, 'answer'],
  ['an empty result', { ...result, result: '' }, 'answer'],
  ['a result that says no', { ...result, result: 'Sorry, no. I like it not.' }, 'answer'],
  ['a result with an invoice in it', { ...result, result: `Pay\n${bolt11}\nnow` }, 'answer'],
  ['a refusal', refusal('banned'), 'no'],
  ['a failure', failed, 'no'],
  ['an expiry', { type: 'expired', jobId: '7' }, 'no'],
  ['a job', examples.job, 'answer'],
  ['a balance', { type: 'balance', balanceSats: 5, availableSats: 5 }, 'answer'],
  ['money under way', withdrawal('sent'), 'progress'],
  ['money that may be under way', withdrawal('unknown'), 'progress'],
  ['money that arrived', withdrawal('done'), 'answer'],
  ['money that came back', withdrawal('failed'), 'no'],
]

describe.each(['words', 'json'] as const)('a DM in %s', (form) => {
  test.each(cases)('is read as what it is: %s', (_, reply, kind) => {
    const texts = renderReply(reply, { form })
    expect(texts.map((text) => readHeard(text).kind)).toEqual([kind])
  })

  test('asks for what its bolt11 says, whatever its words say', () => {
    const lying: Reply = { ...examples.invoice, bolt11, chargeSats: 1 }
    const [text = ''] = renderReply(lying, { form })
    expect(readHeard(text).invoice).toEqual({ bolt11, paymentHash, amountSats: 12 })
  })

  test('that is one of several parts is no last word until the last', () => {
    const long: Reply = { ...result, result: 'word '.repeat(9_000) }
    const kinds = renderReply(long, { form }).map((text) => readHeard(text).kind)
    expect(kinds.length).toBeGreaterThan(1)
    expect(kinds).toEqual([...kinds.slice(1).map(() => 'part'), 'answer'])
  })

  test('with an invoice that cannot be read ends the conversation', () => {
    const [text = ''] = renderReply(examples.invoice, { form })
    expect(readHeard(text)).toEqual({ kind: 'no' })
  })
})
