import { describe, expect, test } from 'vitest'
import { parseBolt11 } from '../../../src/lightning/bolt11-parse.ts'
import { decodeBolt11 } from '../../../src/lightning/bolt11.ts'
import vectors from '../../vectors/bolt11.json' with { type: 'json' }

describe('the vectors of BOLT 11', () => {
  test.for(vectors.valid.map((vector) => [vector.title, vector] as const))(
    'reads %s',
    ([, vector]) => {
      const answer = parseBolt11(vector.text, { oddFields: 'skip' })
      expect(answer).toEqual({
        ok: true,
        invoice: {
          text: vector.text.toLowerCase(),
          network: vector.network,
          ...(vector.amountMsat === null ? {} : { amountMsat: BigInt(vector.amountMsat) }),
          paymentHash: vector.paymentHash,
          paymentSecret: vector.paymentSecret,
          payee: vector.payee,
          createdAt: vector.createdAt,
          expiresAt: vector.createdAt + vector.expirySeconds,
          ...('description' in vector ? { description: vector.description } : {}),
          ...('descriptionHash' in vector ? { descriptionHash: vector.descriptionHash } : {}),
        },
      })
    },
  )

  test.for(vectors.invalid.map((vector) => [vector.title, vector] as const))(
    'refuses %s',
    ([, vector]) => {
      expect(parseBolt11(vector.text)).toEqual({ ok: false, reason: vector.reason })
      expect(decodeBolt11(vector.text)).toEqual({ ok: false, reason: vector.reason })
    },
  )

  // A payer that reads a 51-word `p` would pay a hash that nobody watches.
  test('fields of lengths that are not theirs are refused where money is paid', () => {
    const odd = vectors.valid.filter((vector) => 'oddFields' in vector)
    expect(odd).toHaveLength(1)
    for (const { text } of odd) expect(decodeBolt11(text)).toEqual({ ok: false, reason: 'field' })
  })

  test('every valid vector is payable, or refused by a rule of ours alone', () => {
    const answers = vectors.valid.map(({ text }) => decodeBolt11(text))
    const reasons = answers.map((answer) => (answer.ok ? 'payable' : answer.reason))
    expect(Object.groupBy(reasons, (reason) => reason)).toEqual({
      payable: Array(10).fill('payable'),
      amountless: ['amountless', 'amountless'],
      'wrong-network': ['wrong-network'],
      'sub-sat': ['sub-sat'],
      field: ['field'],
    })
  })
})
