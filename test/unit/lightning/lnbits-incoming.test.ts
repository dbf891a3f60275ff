import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { encodeBolt11 } from '../../../src/lightning/bolt11-encode.ts'
import { createLnbits } from '../../../src/lightning/lnbits.ts'
import { cutMemo } from '../../../src/lightning/lnbits-incoming.ts'
import { MEMO_BYTES } from '../../../src/limits.ts'
import { silentLog } from '../../../src/log.ts'
import { type CallFault, lies } from '../../../src/sandbox/lnbits-faults.ts'
import { startPlayLnbits } from '../../../src/sandbox/lnbits.ts'
import { startLab } from '../../support/lnbits-lab.ts'
import { rawCall } from '../../support/lnbits-raw.ts'
import { askUntil } from '../../support/until.ts'

const noise: [string, CallFault, string][] = [
  ['429', { kind: 'rateLimited' }, 'rate-limited'],
  ['a proxy’s page for 520', { kind: 'html' }, 'http-520'],
  ['a proxy’s page for 404', { kind: 'html', status: 404 }, 'not-lnbits'],
  ['a proxy’s page for 200', { kind: 'html', status: 200 }, 'malformed'],
  ['a crash', { kind: 'crash' }, 'http-500'],
  ['a first installation', { kind: 'firstInstall' }, 'http-307'],
  ['another API', { kind: 'answer', status: 200, body: { ok: true } }, 'malformed'],
  ['an unknown path', { kind: 'answer', status: 404, body: { detail: 'Not Found' } }, 'not-lnbits'],
  ['a list', lies.wrappedInList, 'malformed'],
  ['null', { kind: 'answer', status: 200, body: null }, 'malformed'],
]

describe('a look at an incoming payment', () => {
  test.for(noise)('takes %s for no word at all', async ([, fault, reason]) => {
    await using lab = await startLab()
    const made = await lab.invoice(21)
    await lab.payInside(made.bolt11)
    lab.play.faults.add('look', fault)
    expect(await lab.lnbits.lookupIncoming(made.paymentHash, 21)).toEqual({
      state: 'unreachable',
      reason,
    })
    expect(await lab.lnbits.lookupIncoming(made.paymentHash, 21)).toMatchObject({ state: 'paid' })
  })

  // An outage of the node looks like "unpaid", so unpaid is never a no.
  test('believes a lying "unpaid" for no longer than the lie lasts', async () => {
    await using lab = await startLab()
    const made = await lab.invoice(21)
    await lab.payInside(made.bolt11)
    lab.play.faults.add('look', lies.unpaid)
    lab.play.faults.add('look', lies.unclear)
    expect(await lab.lnbits.lookupIncoming(made.paymentHash, 21)).toEqual({ state: 'pending' })
    expect(await lab.lnbits.lookupIncoming(made.paymentHash, 21)).toEqual({
      state: 'unreachable',
      reason: 'node-unclear',
    })
    expect(await lab.lnbits.lookupIncoming(made.paymentHash, 21)).toMatchObject({ state: 'paid' })
  })

  test('never takes the word of an answer that is not about our own row (trap 3)', async () => {
    await using lab = await startLab()
    const made = await lab.invoice(21)
    await lab.payInside(made.bolt11)
    lab.play.faults.add('look', lies.foreignWallet)
    lab.play.faults.add('look', lies.otherHash)
    lab.play.faults.add('look', lies.otherAmount)
    lab.play.faults.add('look', lies.bare)
    for (const reason of ['foreign', 'foreign', 'foreign', 'no-details']) {
      expect(await lab.lnbits.lookupIncoming(made.paymentHash, 21)).toEqual({
        state: 'unreachable',
        reason,
      })
    }
  })

  // Trap 6: whoever knows the preimage has proved nothing, and here it is told to everybody.
  test('does not take a preimage for a payment (trap 6)', async () => {
    await using lab = await startLab()
    const made = await lab.invoice(21)
    const told = await rawCall(lab.play.url, `/payments/${made.paymentHash}`, {
      key: lab.play.bot.invoiceKey,
    })
    expect(told.json).toMatchObject({
      details: { preimage: expect.stringMatching(/^[0-9a-f]{64}$/) },
    })
    expect(await lab.lnbits.lookupIncoming(made.paymentHash, 21)).toEqual({ state: 'pending' })
  })

  test('finds what was paid while LNbits heard nothing, as long as it looks in time (traps 11, 16)', async () => {
    await using lab = await startLab()
    const inTime = await lab.invoice(21)
    const late = await lab.invoice(22, 1)
    lab.play.payFromOutside(inTime.paymentHash, { announced: false })
    lab.play.payFromOutside(late.paymentHash, { announced: false })
    const bulk = await lab.lnbits.listIncoming([inTime.paymentHash])
    expect(bulk.get(inTime.paymentHash)).toBe('pending')
    expect(await lab.lnbits.lookupIncoming(inTime.paymentHash, 21)).toMatchObject({ state: 'paid' })
    await askUntil(
      () => systemClock.now(),
      (now) => now > late.expiresAt * 1000,
    )
    expect(await lab.lnbits.lookupIncoming(late.paymentHash, 22)).toEqual({ state: 'failed' })
  })

  test('sees a failed invoice become paid after all (trap 11)', async () => {
    await using lab = await startLab()
    const made = await lab.invoice(21, 1)
    await askUntil(
      () => lab.lnbits.lookupIncoming(made.paymentHash, 21),
      ({ state }) => state === 'failed',
    )
    lab.play.payFromOutside(made.paymentHash)
    expect(await lab.lnbits.lookupIncoming(made.paymentHash, 21)).toMatchObject({ state: 'paid' })
  })

  test('rounds the fee of an incoming row up to what the wallet really lacks', async () => {
    await using lab = await startLab()
    const made = await lab.invoice(1000)
    const before = await lab.lnbits.balanceMsat()
    lab.play.payFromOutside(made.paymentHash, { feeMsat: 4_001 })
    expect(await lab.lnbits.lookupIncoming(made.paymentHash, 1000)).toMatchObject({
      state: 'paid',
      amountSats: 1000,
      feeSats: 5,
    })
    expect((await lab.lnbits.balanceMsat()) - before).toBe(995_999n)
  })

  test('learns which wallet is ours without the admin key, also after a restart', async () => {
    await using lab = await startLab()
    const made = await lab.invoice(21)
    await lab.payInside(made.bolt11)
    const fresh = createLnbits({
      url: lab.play.url,
      invoiceKey: lab.play.bot.invoiceKey,
      clock: systemClock,
      log: silentLog,
    })
    expect(await fresh.lookupIncoming(made.paymentHash, 21)).toMatchObject({ state: 'paid' })
    expect(await fresh.walletId()).toBe(lab.play.bot.id)
    fresh.close()
  })
})

/** The same hash, and the amount that was asked for everywhere but in the invoice. */
function withDearerInvoice(body: Record<string, unknown>) {
  const bolt11 = encodeBolt11(
    {
      ...{ amountMsat: 99_000n, paymentHash: String(body.payment_hash), description: 'dearer' },
      ...{ paymentSecret: '11'.repeat(32), createdAt: Math.floor(systemClock.now() / 1000) },
      expirySeconds: 600,
    },
    new Uint8Array(32).fill(5),
  )
  return { ...body, bolt11, payment_request: bolt11 }
}

describe('an invoice', () => {
  test.for([
    ['0.12', lies.createdBefore10],
    ['1.0 to 1.3', lies.bolt11Only],
    ['a version with payment_request only', lies.paymentRequestOnly],
  ] as const)('is read as %s answers it', async ([, fault]) => {
    await using lab = await startLab()
    lab.play.faults.add('create', fault)
    const made = await lab.invoice(21)
    await lab.payInside(made.bolt11)
    expect(await lab.lnbits.lookupIncoming(made.paymentHash, 21)).toMatchObject({ state: 'paid' })
  })

  test.for([
    ['another amount', lies.doubledAmount],
    ['a bolt11 over another amount', { kind: 'alter', alter: withDearerInvoice }],
    ['another hash', lies.otherHash],
    ['a list', lies.wrappedInList],
    ['no bolt11', { kind: 'alter', alter: () => ({ payment_hash: 'a'.repeat(64) }) }],
    ['a page', { kind: 'html', status: 201, after: true }],
  ] as [string, CallFault][])(
    'that comes back with %s is not shown to anybody (trap 10)',
    async ([, fault]) => {
      await using lab = await startLab()
      lab.play.faults.add('create', fault)
      await expect(lab.invoice(21)).rejects.toMatchObject({ kind: 'malformed', wroteMaybe: true })
    },
  )

  test.for([
    ['the answer is cut off', { kind: 'cut', after: true }, 'unreachable', true],
    ['LNbits dies after it', { kind: 'crash', after: true }, 'crashed', true],
    ['LNbits dies before it', { kind: 'crash' }, 'crashed', true],
    ['a proxy answers', { kind: 'html' }, 'unreachable', true],
    ['too many ask', { kind: 'rateLimited' }, 'rate-limited', false],
    ['LNbits is not installed', { kind: 'firstInstall' }, 'unreachable', false],
    [
      'the node is away',
      { kind: 'answer', status: 520, body: { detail: 'Unable to connect.', status: 'pending' } },
      'node-down',
      false,
    ],
    [
      'LNbits refuses',
      { kind: 'answer', status: 520, body: { detail: 'No.', status: 'failed' } },
      'refused',
      false,
    ],
    [
      'the body is wrong',
      { kind: 'answer', status: 400, body: { detail: [{ msg: 'x' }] } },
      'refused',
      false,
    ],
  ] as [string, CallFault, string, boolean][])(
    'tells whether it may exist when %s (trap 23)',
    async ([, fault, kind, wroteMaybe]) => {
      await using lab = await startLab()
      lab.play.faults.add('create', fault)
      await expect(lab.invoice(21)).rejects.toMatchObject({ kind, wroteMaybe })
      await expect(lab.invoice(21)).resolves.toMatchObject({ paymentHash: expect.any(String) })
    },
  )

  test('is not there, and that is known, when nobody listens', async () => {
    await using lab = await startLab()
    await lab.play.outage()
    await expect(lab.invoice(21)).rejects.toMatchObject({ kind: 'unreachable', wroteMaybe: false })
    await lab.play.recover()
    await expect(lab.invoice(21)).resolves.toMatchObject({ paymentHash: expect.any(String) })
  })

  // Trap 23: LNbits resets the connection just after a 500; the next call must not travel on it.
  test('is made on a fresh connection after a crash (trap 23)', async () => {
    await using lab = await startLab({ maxInFlight: 1 })
    for (let round = 0; round < 5; round++) {
      lab.play.faults.add('wallet', { kind: 'crash' })
      await expect(lab.lnbits.balanceMsat()).rejects.toMatchObject({ kind: 'crashed' })
      await expect(lab.invoice(21)).resolves.toMatchObject({ paymentHash: expect.any(String) })
    }
    expect(lab.play.faults.calls.create).toBe(5)
  })

  test.for([0, -1, 0.5, 1.9, Number.NaN, Number.POSITIVE_INFINITY, 10_000_001])(
    'of %s sats is refused before LNbits is asked (trap 10)',
    async (amountSats) => {
      await using lab = await startLab()
      await expect(lab.invoice(amountSats)).rejects.toMatchObject({ kind: 'refused' })
      expect(lab.play.faults.calls.create).toBe(0)
    },
  )

  test('carries a memo cut in bytes, on a character (trap 24)', () => {
    const cut = cutMemo(`${'a'.repeat(498)}⚡⚡`)
    expect(cut).toBe('a'.repeat(498))
    expect(Buffer.byteLength(cutMemo('é'.repeat(900)))).toBe(MEMO_BYTES)
    expect(cutMemo('👍'.repeat(300)).isWellFormed()).toBe(true)
    expect(cutMemo('\ud800')).toBe('\ufffd')
    expect(cutMemo('')).toBe('tithe')
  })
})

describe('bulk looks', () => {
  test('cost the same at ten thousand open invoices as at a hundred and one', async () => {
    await using lab = await startLab()
    const made = await lab.invoice(21)
    const none = Array.from({ length: 10_000 }, (_, at) => at.toString(16).padStart(64, '0'))
    await lab.lnbits.listIncoming(none)
    await lab.payInside(made.bolt11)
    const before = lab.play.faults.calls.list
    expect([...(await lab.lnbits.listIncoming([...none, made.paymentHash]))]).toEqual([
      [made.paymentHash, 'paid'],
    ])
    expect([...(await lab.lnbits.listIncoming([...none.slice(0, 101), made.paymentHash]))]).toEqual(
      [[made.paymentHash, 'paid']],
    )
    expect(lab.play.faults.calls.list - before).toBe(2)
  })

  test('cost one request each in the quiet after a burst of payments (trap 25)', async () => {
    await using lab = await startLab()
    const none = Array.from({ length: 200 }, (_, at) => at.toString(16).padStart(64, '0'))
    const made: string[] = []
    for (let round = 0; round < 120; round++) {
      const { paymentHash } = await lab.invoice(1)
      lab.play.payFromOutside(paymentHash)
      made.push(paymentHash)
    }
    const burst = await lab.lnbits.listIncoming([...none, ...made])
    expect([...burst.keys()].sort()).toEqual(made.toSorted())
    const before = lab.play.faults.calls.list
    for (let look = 0; look < 3; look++) await lab.lnbits.listIncoming(none)
    expect(lab.play.faults.calls.list - before).toBe(3)
  })

  test('name a payment again until nobody asks for it, whatever was paid since', async () => {
    await using lab = await startLab()
    const first = await lab.invoice(21)
    const none = Array.from({ length: 200 }, (_, at) => at.toString(16).padStart(64, '0'))
    await lab.payInside(first.bolt11)
    await lab.lnbits.listIncoming(none)
    for (let round = 0; round < 120; round++) {
      const made = await lab.invoice(1)
      lab.play.payFromOutside(made.paymentHash)
    }
    const seen = await lab.lnbits.listIncoming([...none, first.paymentHash])
    expect(seen.get(first.paymentHash)).toBe('paid')
  })

  test('ask by name where LNbits cannot sort by change', async () => {
    await using lab = await startLab()
    const made = await lab.invoice(21)
    await lab.payInside(made.bolt11)
    const none = Array.from({ length: 250 }, (_, at) => at.toString(16).padStart(64, '0'))
    lab.play.faults.add('list', {
      kind: 'answer',
      status: 400,
      body: { detail: 'Invalid sort field' },
    })
    const seen = await lab.lnbits.listIncoming([...none, made.paymentHash])
    expect(seen.get(made.paymentHash)).toBe('paid')
    expect(lab.play.faults.calls.list).toBe(4)
  })

  test('fail as a whole when LNbits fails, and say nothing of any invoice', async () => {
    await using lab = await startLab()
    lab.play.faults.add('list', { kind: 'html' })
    await expect(lab.lnbits.listIncoming(['a'.repeat(64)])).rejects.toMatchObject({
      kind: 'unreachable',
    })
    lab.play.faults.add('list', { kind: 'answer', status: 200, body: [] })
    await expect(lab.lnbits.listIncoming(['a'.repeat(64)])).rejects.toMatchObject({
      kind: 'malformed',
    })
  })

  test('for the books read page after page, each row once', async () => {
    const play = await startPlayLnbits()
    const lnbits = createLnbits({
      url: play.url,
      invoiceKey: play.bot.invoiceKey,
      clock: systemClock,
      log: silentLog,
    })
    const made = new Set<string>()
    for (let round = 0; round < 1_100; round++) {
      const { json } = await rawCall(play.url, '/payments', {
        key: play.bot.invoiceKey,
        body: { out: false, amount: 1 },
      })
      made.add(String(Object(json).payment_hash))
    }
    const read: string[] = []
    for await (const row of lnbits.listSince(0)) read.push(row.paymentHash)
    expect(read).toHaveLength(1_100)
    expect(new Set(read)).toEqual(made)
    expect(play.faults.calls.list).toBe(2)
    lnbits.close()
    await play.stop()
  })
})
