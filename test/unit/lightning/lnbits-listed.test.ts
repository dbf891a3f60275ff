import { expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { createLnbits } from '../../../src/lightning/lnbits.ts'
import { LNBITS_HASHES } from '../../../src/limits.ts'
import { silentLog } from '../../../src/log.ts'
import type { CallFault } from '../../../src/sandbox/lnbits-faults.ts'
import { startLab } from '../../support/lnbits-lab.ts'

/** What the rows of a page are changed into. */
const altered = (change: (row: Record<string, unknown>) => object): CallFault => ({
  kind: 'alter',
  alter: (body) => ({ ...body, data: (body.data as Record<string, unknown>[]).map(change) }),
})

test('one question tells the states of many invoices, as a look at each would', async () => {
  await using lab = await startLab()
  const invoices = await Promise.all(Array.from({ length: 6 }, (_, n) => lab.invoice(21 + n)))
  const asked = invoices.map(({ paymentHash }, n) => ({ paymentHash, amountSats: 21 + n }))
  for (const { bolt11 } of invoices.slice(0, 3)) await lab.payInside(bolt11)
  const before = lab.play.faults.calls.list
  const said = await lab.lnbits.readIncoming(asked)
  expect(lab.play.faults.calls.list - before).toBe(1)
  for (const { paymentHash, amountSats } of asked) {
    expect(said.get(paymentHash)).toEqual(await lab.lnbits.lookupIncoming(paymentHash, amountSats))
  }
})

test('it reads the fee that LNbits kept, and knows its wallet after a restart', async () => {
  await using lab = await startLab()
  const { paymentHash } = await lab.invoice(1000)
  lab.play.payFromOutside(paymentHash, { feeMsat: 4_001 })
  const { url, bot } = lab.play
  const keys = { url, invoiceKey: bot.invoiceKey, clock: systemClock, log: silentLog }
  const fresh = createLnbits(keys)
  const said = await fresh.readIncoming([{ paymentHash, amountSats: 1000 }])
  expect(said.get(paymentHash)).toMatchObject({
    state: 'paid',
    amountSats: 1000,
    feeSats: 5,
    dustMsat: 999,
  })
  fresh.close()
})

test.for([
  ['another amount', altered((row) => ({ ...row, amount: Number(row.amount) * 2 }))],
  ['another wallet', altered((row) => ({ ...row, wallet_id: 'f'.repeat(32) }))],
] as [string, CallFault][])('a row of %s is no payment of ours', async ([, fault]) => {
  await using lab = await startLab()
  const { paymentHash, bolt11 } = await lab.invoice(21)
  await lab.payInside(bolt11)
  lab.play.faults.add('list', fault)
  const said = await lab.lnbits.readIncoming([{ paymentHash, amountSats: 21 }])
  expect(said.get(paymentHash)).toEqual({ state: 'unreachable', reason: 'foreign' })
})

test('rows that were not asked for are left out, and a hash without a row too (trap 14)', async () => {
  await using lab = await startLab()
  await lab.invoice(21)
  const unknown = { paymentHash: 'e'.repeat(64), amountSats: 21 }
  lab.play.faults.add(
    'list',
    altered((row) => ({ ...row, payment_hash: 'd'.repeat(64) })),
  )
  expect(await lab.lnbits.readIncoming([unknown])).toEqual(new Map())
  const many = Array.from({ length: LNBITS_HASHES + 1 }, () => unknown)
  await expect(lab.lnbits.readIncoming(many)).rejects.toThrow(RangeError)
})

test('an invoice that our own wallet paid brought nothing (trap 12)', async () => {
  await using lab = await startLab()
  const { paymentHash, bolt11 } = await lab.invoice(21)
  await lab.lnbits.pay(bolt11, paymentHash)
  const said = await lab.lnbits.readIncoming([{ paymentHash, amountSats: 21 }])
  expect(said.get(paymentHash)).toEqual({ state: 'pending' })
})
