import { expect, test } from 'vitest'
import type { CallFault } from '../../../src/sandbox/lnbits-faults.ts'
import { startLab } from '../../support/lnbits-lab.ts'

type Json = Record<string, unknown>

const altered = (alter: (body: Json) => unknown): CallFault => ({ kind: 'alter', alter })
const listed = { payment_hash: 'a'.repeat(64), amount: 21_000, status: 'success', time: 1_000 }

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
