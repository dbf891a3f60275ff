import { expect, test } from 'vitest'
import type { CallFault } from '../../../src/sandbox/lnbits-faults.ts'
import { startLab } from '../../support/lnbits-lab.ts'

type Json = Record<string, unknown>

const altered = (alter: (body: Json) => unknown): CallFault => ({ kind: 'alter', alter })
const listed = { payment_hash: 'a'.repeat(64), amount: 21_000, status: 'success', time: 1_000 }
const detailsOf = (body: Json) => Object(body.details)

test.for<[string, object[]]>([
  ['the same page again and again', [listed]],
  ['nothing, and says that there is more', []],
])('a list that gives %s says nothing of the books', async ([, data]) => {
  await using lab = await startLab()
  lab.play.faults.add(
    'list',
    altered(() => ({ data, total: 1e15 })),
    { times: 1_000 },
  )
  const walk = async () => {
    for await (const row of lab.lnbits.listSince(0)) expect(row.amountSats).toBe(21)
  }
  await expect(walk()).rejects.toMatchObject({ kind: 'malformed' })
  expect(lab.play.faults.calls.list).toBe(data.length + 1)
})

test.for<[string, (body: Json) => Json]>([
  ['says unpaid above it', (body) => ({ ...body, paid: false, status: 'pending' })],
  [
    'says pending beside it',
    (body) => ({ ...body, details: { ...detailsOf(body), pending: true } }),
  ],
  ['names a fee above all invoices', (body) => withFee(body, -1e20)],
])('a row of success is not believed where the answer %s', async ([, alter]) => {
  await using lab = await startLab()
  const made = await lab.invoice(21)
  const away = lab.outside(900)
  await lab.payInside(made.bolt11)
  await lab.lnbits.pay(away.bolt11, away.paymentHash)
  lab.play.faults.add('look', altered(alter), { times: 2 })
  const came = await lab.lnbits.lookupIncoming(made.paymentHash, 21)
  const left = await lab.lnbits.lookupOutgoing(away.paymentHash, 900)
  expect([came.state, left.state]).toEqual(['unreachable', 'unreachable'])
  expect(await lab.lnbits.lookupIncoming(made.paymentHash, 21)).toMatchObject({ state: 'paid' })
})

test('a refused call says why, in words that a log and a terminal may have', async () => {
  await using lab = await startLab()
  lab.play.faults.add(
    'create',
    altered((body) => ({ ...body, bolt11: 'lnbcrt1' })),
  )
  await expect(lab.invoice(21)).rejects.toThrow('LNbits: malformed (HTTP 201): not-bech32')
  const detail = 'VoidWallet\u001b[31m cannot\ncreate invoices.'
  const body = { detail, status: 'failed' }
  lab.play.faults.add('create', { kind: 'answer', status: 520, body })
  const said = 'LNbits: refused (HTTP 520): VoidWallet [31m cannot create invoices.'
  await expect(lab.invoice(21)).rejects.toThrow(said)
})

function withFee(body: Json, fee: number): Json {
  return { ...body, details: { ...detailsOf(body), fee } }
}
