import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { createLnbits } from '../../../src/lightning/lnbits.ts'
import { silentLog } from '../../../src/log.ts'
import type { CallFault } from '../../../src/sandbox/lnbits-faults.ts'
import { type LnbitsLab, startLab } from '../../support/lnbits-lab.ts'
import { rawCall, textAt } from '../../support/lnbits-raw.ts'

/** The outside truth: how often the node really paid this hash, and what the wallet lacks. */
const payouts = (lab: LnbitsLab, hash: string) => lab.play.node.paid().get(hash) ?? 0
const balanceSats = (lab: LnbitsLab) => lab.play.balanceMsat(lab.play.bot.id) / 1000

describe('a payout', () => {
  test('that arrives costs its amount and its fee, rounded up', async () => {
    await using lab = await startLab()
    const { bolt11, paymentHash } = lab.outside(1000)
    lab.play.node.script(paymentHash, { kind: 'ok', feeMsat: 1_500 })
    const cost = { feeSats: 2, dustMsat: 500 }
    expect(await lab.lnbits.pay(bolt11, paymentHash)).toEqual({ state: 'success', ...cost })
    expect(balanceSats(lab)).toBe(98_998.5)
    expect(payouts(lab, paymentHash)).toBe(1)
  })

  // Trap 19: LNbits knows no cap of ours, so what was really taken is told, whatever was reserved.
  test('may cost more than its reserve, and the true fee is told (trap 19)', async () => {
    await using lab = await startLab()
    const { bolt11, paymentHash } = lab.outside(1000)
    expect(await lab.lnbits.feeReserveSats(bolt11)).toBe(10)
    lab.play.node.script(paymentHash, { kind: 'ok', feeMsat: 57_001 })
    const cost = { feeSats: 58, dustMsat: 999 }
    expect(await lab.lnbits.pay(bolt11, paymentHash)).toEqual({ state: 'success', ...cost })
  })

  test('that takes long is pending, and its end is found by asking (trap 5)', async () => {
    await using lab = await startLab({ payWaitMs: 5 })
    const { bolt11, paymentHash } = lab.outside(1000)
    lab.play.node.script(paymentHash, { kind: 'inflight' })
    expect(await lab.lnbits.pay(bolt11, paymentHash)).toEqual({ state: 'pending' })
    expect(await lab.lnbits.lookupOutgoing(paymentHash)).toEqual({ state: 'pending' })
    expect(balanceSats(lab)).toBe(98_990)
    lab.play.node.finish(paymentHash, { state: 'success', feeMsat: 0 })
    expect(await lab.lnbits.lookupOutgoing(paymentHash, 1000)).toEqual({
      state: 'success',
      feeSats: 0,
    })
  })

  // Trap 1: money held, no end, no call that ends it. The operator's, not ours to decide.
  test('may be pending for ever, and nothing turns that into a failure (trap 1)', async () => {
    await using lab = await startLab({ payWaitMs: 5 })
    const { bolt11, paymentHash } = lab.outside(1000)
    lab.play.node.script(paymentHash, { kind: 'inflight' })
    await lab.lnbits.pay(bolt11, paymentHash)
    expect(await lab.lnbits.confirmFailed(bolt11, paymentHash)).toEqual({ state: 'pending' })
    expect(await lab.lnbits.pay(bolt11, paymentHash)).toEqual({ state: 'pending' })
  })

  test('that the node refuses is failed only on its second word', async () => {
    await using lab = await startLab()
    const { bolt11, paymentHash } = lab.outside(1000)
    lab.play.node.script(paymentHash, { kind: 'noRoute' })
    expect(await lab.lnbits.pay(bolt11, paymentHash)).toEqual({ state: 'failed-unconfirmed' })
    expect(await lab.lnbits.confirmFailed(bolt11, paymentHash)).toEqual({ state: 'failed' })
    expect(balanceSats(lab)).toBe(100_000)
    expect(payouts(lab, paymentHash)).toBe(0)
  })

  // The double-spend hole of 1.2 to 1.5: "failed", the balance given back, and the node has paid.
  test('called failed although it was paid is found to be a success (traps 1, 2)', async () => {
    await using lab = await startLab()
    const { bolt11, paymentHash } = lab.outside(1000)
    lab.play.node.script(paymentHash, { kind: 'unknownPaid', feeMsat: 3_000 })
    expect(await lab.lnbits.pay(bolt11, paymentHash)).toEqual({ state: 'failed-unconfirmed' })
    expect(await lab.lnbits.lookupOutgoing(paymentHash)).toEqual({ state: 'failed-unconfirmed' })
    expect(await lab.lnbits.confirmFailed(bolt11, paymentHash)).toEqual({
      state: 'success',
      feeSats: 3,
    })
    expect(payouts(lab, paymentHash)).toBe(1)
    expect(balanceSats(lab)).toBe(98_997)
  })

  test('called failed while the node does not know stays unconfirmed, however often asked (trap 3)', async () => {
    await using lab = await startLab()
    const { bolt11, paymentHash } = lab.outside(1000)
    lab.play.node.script(paymentHash, { kind: 'unknownPending' })
    await lab.lnbits.pay(bolt11, paymentHash)
    for (let round = 0; round < 3; round++) {
      expect(await lab.lnbits.confirmFailed(bolt11, paymentHash)).toEqual({
        state: 'failed-unconfirmed',
      })
    }
    lab.play.node.finish(paymentHash, { state: 'success', feeMsat: 0 })
    expect(await lab.lnbits.confirmFailed(bolt11, paymentHash)).toEqual({
      state: 'success',
      feeSats: 0,
    })
    expect(payouts(lab, paymentHash)).toBe(1)
  })

  // Only while LNbits has a failed row is a second POST a question; without the row it would pay.
  test('is never sent a second time to confirm a failure that LNbits does not show (trap 2)', async () => {
    await using lab = await startLab({ payWaitMs: 5 })
    const never = lab.outside(1000)
    expect(await lab.lnbits.confirmFailed(never.bolt11, never.paymentHash)).toEqual({
      state: 'absent',
    })
    lab.play.faults.add('look', { kind: 'html' })
    expect(await lab.lnbits.confirmFailed(never.bolt11, never.paymentHash)).toMatchObject({
      state: 'unreachable',
    })
    expect(lab.play.faults.calls.pay).toBe(0)
    expect(payouts(lab, never.paymentHash)).toBe(0)
  })

  test('in which LNbits dies is pending, not absent', async () => {
    await using lab = await startLab()
    const { bolt11, paymentHash } = lab.outside(1000)
    lab.play.node.script(paymentHash, { kind: 'crash' })
    expect(await lab.lnbits.pay(bolt11, paymentHash)).toEqual({ state: 'pending' })
  })

  test.for([
    ['is cut off', { kind: 'cut', after: true }],
    ['is a crash', { kind: 'crash', after: true }],
    ['is a proxy’s page', { kind: 'html', after: true }],
    ['is somebody else’s row', { kind: 'alter', alter: (body) => ({ ...body, amount: 5 }) }],
  ] as [string, CallFault][])('whose answer %s is looked up (traps 3, 4)', async ([, fault]) => {
    await using lab = await startLab()
    const { bolt11, paymentHash } = lab.outside(1000)
    lab.play.faults.add('pay', fault)
    expect(await lab.lnbits.pay(bolt11, paymentHash)).toEqual({ state: 'success', feeSats: 0 })
    expect(payouts(lab, paymentHash)).toBe(1)
  })

  test.for([
    ['cut off before', { kind: 'cut' }],
    ['lost in a crash before', { kind: 'crash' }],
    ['stopped by a proxy', { kind: 'html' }],
    [
      'failed and taken away',
      { kind: 'answer', status: 520, body: { detail: 'Payment failed: ?' } },
    ],
    [
      'refused in unknown words',
      { kind: 'answer', status: 520, body: { detail: 'Hm.', status: 'failed' } },
    ],
    ['said to be paid', { kind: 'answer', status: 201, body: { status: 'success' } }],
    ['sent to the installation', { kind: 'firstInstall' }],
  ] as [string, CallFault][])('that was %s is not taken for nothing', async ([, fault]) => {
    await using lab = await startLab()
    const { bolt11, paymentHash } = lab.outside(1000)
    lab.play.faults.add('pay', fault)
    expect(await lab.lnbits.pay(bolt11, paymentHash)).toMatchObject({ state: 'unreachable' })
    expect(payouts(lab, paymentHash)).toBe(0)
  })

  test('is nothing when nobody listened, or LNbits itself said no before writing', async () => {
    await using lab = await startLab()
    const { bolt11, paymentHash } = lab.outside(1000)
    await lab.play.outage()
    expect(await lab.lnbits.pay(bolt11, paymentHash)).toEqual({
      state: 'absent',
      refusal: 'unreachable',
    })
    await lab.play.recover()
    lab.play.faults.add('pay', { kind: 'rateLimited' })
    expect(await lab.lnbits.pay(bolt11, paymentHash)).toEqual({
      state: 'absent',
      refusal: 'rate-limited',
    })
    const large = lab.outside(99_500)
    expect(await lab.lnbits.pay(large.bolt11, large.paymentHash)).toEqual({
      state: 'absent',
      refusal: 'You must reserve at least (995  sat) to cover potential routing fees.',
    })
  })

  test('that cannot be looked up is unknown, whatever its answer said', async () => {
    await using lab = await startLab()
    const { bolt11, paymentHash } = lab.outside(1000)
    lab.play.faults.add('look', { kind: 'html' })
    expect(await lab.lnbits.pay(bolt11, paymentHash)).toEqual({
      state: 'unreachable',
      reason: 'http-520',
    })
    lab.play.faults.add('look', { kind: 'html', status: 404 })
    expect(await lab.lnbits.lookupOutgoing(paymentHash)).toMatchObject({ state: 'unreachable' })
    expect(await lab.lnbits.lookupOutgoing(paymentHash)).toEqual({ state: 'success', feeSats: 0 })
  })

  test('of another wallet, or of another amount, is not ours (traps 3, 4)', async () => {
    await using lab = await startLab()
    const { bolt11, paymentHash } = lab.outside(1000)
    const key = lab.play.wallet('payer')?.adminKey ?? ''
    await rawCall(lab.play.url, '/payments', { key, body: { out: true, bolt11 } })
    expect(await lab.lnbits.pay(bolt11, paymentHash)).toEqual({
      state: 'absent',
      refusal: 'Payment already paid.',
    })
    expect(payouts(lab, paymentHash)).toBe(1)
    const own = lab.outside(1000)
    await lab.lnbits.pay(own.bolt11, own.paymentHash)
    expect(await lab.lnbits.lookupOutgoing(own.paymentHash, 999)).toMatchObject({
      state: 'unreachable',
    })
  })

  test('of our own invoice is not seen as a payout before it is one (trap 12)', async () => {
    await using lab = await startLab()
    const made = await lab.invoice(30)
    expect(await lab.lnbits.lookupOutgoing(made.paymentHash)).toEqual({ state: 'absent' })
  })

  test('of an expired invoice inside LNbits moves nothing and is not ours (traps 3, 11)', async () => {
    await using lab = await startLab()
    const payer = lab.play.wallet('payer')?.invoiceKey ?? ''
    const { json } = await rawCall(lab.play.url, '/payments', {
      key: payer,
      body: { out: false, amount: 30, expiry: 1 },
    })
    const [bolt11, hash] = [textAt(json, 'bolt11'), textAt(json, 'payment_hash')]
    const before = balanceSats(lab)
    let state = ''
    while (state !== 'failed') {
      const seen = await rawCall(lab.play.url, `/payments/${hash}`, { key: payer })
      state = textAt(seen.json, 'status')
    }
    expect(await lab.lnbits.pay(bolt11, hash)).toEqual({ state: 'unreachable', reason: 'no-row' })
    expect(balanceSats(lab)).toBe(before)
  })

  test('happens once, however many ask for it at once', async () => {
    await using lab = await startLab()
    const { bolt11, paymentHash } = lab.outside(1000)
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => lab.lnbits.pay(bolt11, paymentHash)),
    )
    expect(answers).toEqual(Array(8).fill({ state: 'success', feeSats: 0 }))
    expect(payouts(lab, paymentHash)).toBe(1)
  })

  // Trap 17: the database is held while the node is asked, so a second payment doubles the wait.
  test('waits for the one before it, and looks do not (trap 17)', async () => {
    await using lab = await startLab({ payWaitMs: 100 })
    const slow = lab.outside(1000)
    const next = lab.outside(1000)
    lab.play.node.script(slow.paymentHash, { kind: 'inflight' })
    const done: string[] = []
    await Promise.all([
      lab.lnbits.pay(slow.bolt11, slow.paymentHash).then(() => done.push('slow')),
      lab.lnbits.pay(next.bolt11, next.paymentHash).then(() => done.push('next')),
    ])
    expect(done).toEqual(['slow', 'next'])
  })

  test('needs the admin key, and an invoice of the hash it is said to have', async () => {
    await using lab = await startLab()
    const { bolt11, paymentHash } = lab.outside(1000)
    const receiving = createLnbits({
      url: lab.play.url,
      invoiceKey: lab.play.bot.invoiceKey,
      clock: systemClock,
      log: silentLog,
    })
    await expect(receiving.pay(bolt11, paymentHash)).rejects.toMatchObject({ kind: 'unauthorised' })
    expect(await receiving.lookupOutgoing(paymentHash)).toEqual({ state: 'absent' })
    receiving.close()
    await expect(lab.lnbits.pay(bolt11, '0'.repeat(64))).rejects.toMatchObject({ kind: 'refused' })
    await expect(lab.lnbits.confirmFailed('nonsense', paymentHash)).rejects.toMatchObject({
      kind: 'refused',
    })
    expect(lab.play.faults.calls.pay).toBe(0)
  })
})
