import { once } from 'node:events'
import { createServer } from 'node:http'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { createLnbits } from '../../../src/lightning/lnbits.ts'
import { LnbitsError } from '../../../src/lightning/lnbits-error.ts'
import { createGate } from '../../../src/lightning/lnbits-gate.ts'
import { watchPayments } from '../../../src/lightning/lnbits-events.ts'
import { LNBITS_WAITING } from '../../../src/limits.ts'
import { silentLog } from '../../../src/log.ts'
import { startLab } from '../../support/lnbits-lab.ts'
import { askUntil } from '../../support/until.ts'

/** Work that ends when it is told to. */
function held() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { work: () => promise, end: resolve }
}

describe('the gate', () => {
  test('lets a payment pass before quotes, and quotes before what can wait', async () => {
    const gate = createGate(1)
    const first = held()
    const order: string[] = []
    const running = gate.run('payment', first.work)
    const waiting = (['background', 'quote', 'payment'] as const).map((priority) =>
      gate.run(priority, async () => {
        order.push(priority)
      }),
    )
    expect(gate.load()).toEqual({
      inFlight: 1,
      waiting: { payment: 1, quote: 1, background: 1 },
    })
    first.end()
    await Promise.all([running, ...waiting])
    expect(order).toEqual(['payment', 'quote', 'background'])
    expect(gate.load()).toEqual({ inFlight: 0, waiting: { payment: 0, quote: 0, background: 0 } })
  })

  test('keeps a slot for payments that neither quotes nor looks can take', async () => {
    const gate = createGate(4)
    const all = Array.from({ length: 6 }, held)
    const quotes = all.map(({ work }) => gate.run('quote', work))
    const looks = all.map(({ work }) => gate.run('background', work))
    expect(gate.load().inFlight).toBe(3)
    await gate.run('payment', async () => undefined)
    for (const { end } of all) end()
    await Promise.all([...quotes, ...looks])
  })

  test('refuses at once when too much waits, and a failed call frees its slot', async () => {
    const gate = createGate(1)
    const first = held()
    const running = gate.run('quote', first.work)
    const waiting = Array.from({ length: LNBITS_WAITING }, () => gate.run('quote', async () => 1))
    await expect(gate.run('quote', async () => 1)).rejects.toMatchObject({
      kind: 'busy',
      wroteMaybe: false,
    })
    const failing = gate.run('payment', async () => {
      throw new Error('broken')
    })
    first.end()
    await expect(failing).rejects.toThrow('broken')
    await Promise.all([running, ...waiting])
    expect(gate.load().inFlight).toBe(0)
  })
})

describe('calls to LNbits', () => {
  test('are never more at once than allowed (trap 25)', async () => {
    await using lab = await startLab({ maxInFlight: 3 })
    lab.play.faults.add('create', { kind: 'hang', ms: 5 }, { times: Number.POSITIVE_INFINITY })
    let most = 0
    const watching = setInterval(() => {
      most = Math.max(most, lab.lnbits.load().inFlight)
    }, 1)
    await Promise.all(Array.from({ length: 40 }, () => lab.invoice(5)))
    clearInterval(watching)
    expect(most).toBe(2)
    expect(lab.play.faults.calls.create).toBe(40)
  })

  test('end after their time, and may have been carried out', async () => {
    await using lab = await startLab({ timeoutMs: 30 })
    lab.play.faults.add('create', { kind: 'hang', ms: 5_000 })
    await expect(lab.invoice(5)).rejects.toMatchObject({ kind: 'unreachable', wroteMaybe: true })
    lab.play.faults.add('look', { kind: 'hang', ms: 5_000 })
    expect(await lab.lnbits.lookupIncoming('a'.repeat(64), 5)).toEqual({
      state: 'unreachable',
      reason: 'unreachable',
    })
  })

  test('that can be asked again are, when LNbits closes an idle connection under them', async () => {
    await using lab = await startLab({ maxInFlight: 1 })
    expect(await lab.lnbits.health()).toEqual({ up: true })
    lab.play.faults.add('wallet', { kind: 'cut' })
    expect(await lab.lnbits.balanceMsat()).toBe(100_000_000n)
  })

  test('follow no redirect, so that a first installation is no wallet (trap 21)', async () => {
    await using lab = await startLab()
    lab.play.faults.add('any', { kind: 'firstInstall' }, { times: 2 })
    expect(await lab.lnbits.health()).toEqual({ up: false, reason: 'first-install' })
    await expect(lab.lnbits.balanceMsat()).rejects.toMatchObject({
      kind: 'unreachable',
      status: 307,
    })
  })

  test('read no more than a page of rows can be', async () => {
    await using lab = await startLab()
    const body = { balance: 1, padding: 'x'.repeat(9 * 1024 * 1024) }
    lab.play.faults.add('wallet', { kind: 'answer', status: 200, body })
    await expect(lab.lnbits.balanceMsat()).rejects.toBeInstanceOf(LnbitsError)
    expect(await lab.lnbits.balanceMsat()).toBe(100_000_000n)
  })

  test('end at once when the client is closed', async () => {
    await using lab = await startLab()
    lab.play.faults.add('wallet', { kind: 'hang', ms: 60_000 })
    const asked = lab.lnbits.balanceMsat()
    lab.lnbits.close()
    await expect(asked).rejects.toMatchObject({ kind: 'unreachable' })
    await expect(lab.lnbits.balanceMsat()).rejects.toMatchObject({ kind: 'unreachable' })
  })

  test('say zero rates as no rate, and fall back to the rule for the reserve (trap 13)', async () => {
    await using lab = await startLab()
    lab.play.faults.rateUsd = 0
    expect(await lab.lnbits.rate('USD')).toBeUndefined()
    const { bolt11 } = lab.outside(12_345)
    lab.play.faults.add('feeReserve', { kind: 'crash' })
    expect(await lab.lnbits.feeReserveSats(bolt11)).toBe(124)
    expect(await lab.lnbits.feeReserveSats(bolt11)).toBe(124)
  })
})

// Invariant C12: whoever reads our logs or errors can neither pay nor be paid with what is in them.
test('no key and no invoice is in a log or an error, whatever LNbits answers', async () => {
  let written = ''
  const sink = new Writable({
    write(chunk, _encoding, done) {
      written += String(chunk)
      done()
    },
  })
  await using lab = await startLab()
  const { invoiceKey, adminKey } = lab.play.bot
  const { bolt11, paymentHash } = lab.outside(1000)
  const log = pino({ level: 'trace' }, sink)
  const lnbits = createLnbits({ url: lab.play.url, invoiceKey, adminKey, clock: systemClock, log })
  const detail = `no: ${invoiceKey} ${adminKey} ${bolt11} ${bolt11.toUpperCase()}`
  const events = watchPayments({
    url: lab.play.url,
    invoiceKey,
    clock: systemClock,
    log,
    onHint: () => undefined,
    onUp: () => log.info('up'),
  })
  events.start()
  await askUntil(
    () => events.state(),
    (state) => state === 'up',
  )
  const calls = [
    () => lnbits.balanceMsat(),
    () => lnbits.createInvoice({ amountSats: 5, memo: 'm', expirySeconds: 60, extra: {} }),
    () => lnbits.listIncoming([paymentHash]),
    () => lnbits.rate('USD'),
    () => lnbits.pay(bolt11, paymentHash),
    () => lnbits.lookupIncoming(paymentHash, 1000),
    () => lnbits.feeReserveSats(bolt11),
  ]
  for (const status of [400, 401, 404, 429, 500, 520]) {
    for (const call of calls) {
      lab.play.faults.add('any', { kind: 'answer', status, body: { detail } })
      await call().then(
        (answer) => log.info({ answer: String(JSON.stringify(answer, bigintText)) }, 'answered'),
        (error) =>
          log.error({ err: error, cause: error.cause, detail: error.detail }, String(error)),
      )
    }
  }
  await events.stop()
  lnbits.close()
  expect(written.length).toBeGreaterThan(1_000)
  for (const secret of [invoiceKey, adminKey, bolt11, bolt11.toUpperCase()]) {
    expect(written.includes(secret)).toBe(false)
  }
})

const bigintText = (_: string, value: unknown) =>
  typeof value === 'bigint' ? String(value) : value

describe('what is sent to LNbits', () => {
  /** A server that keeps what it is asked, and refuses it. */
  async function startRecorder() {
    const seen: { path: string; key: unknown; body: unknown }[] = []
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const text = Buffer.concat(chunks).toString('utf8')
      const body: unknown = text === '' ? undefined : JSON.parse(text)
      seen.push({ path: request.url ?? '', key: request.headers['x-api-key'], body })
      response.writeHead(520).end('{"detail":"no","status":"failed"}')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    return { seen, url: `http://127.0.0.1:${port}/wallets/lnbits/`, close: () => server.close() }
  }

  // Traps 9, 18 and 22: webhooks are forgeable and refused for private hosts, `payments/lnurl` pays
  // anew each time it is called, and `internal` invoices fail by themselves.
  test('asks for no webhook, no LNURL payment and no internal invoice (traps 9, 18, 22)', async () => {
    await using lab = await startLab()
    const recorder = await startRecorder()
    const { bolt11, paymentHash } = lab.outside(1000)
    const lnbits = createLnbits({
      url: recorder.url,
      invoiceKey: 'invoice',
      adminKey: 'admin',
      clock: systemClock,
      log: silentLog,
    })
    const extra = { job: '7' }
    await expect(
      lnbits.createInvoice({ amountSats: 5, memo: 'm', expirySeconds: 60, extra }),
    ).rejects.toMatchObject({ kind: 'refused' })
    await lnbits.pay(bolt11, paymentHash)
    lnbits.close()
    recorder.close()
    expect(recorder.seen).toEqual([
      {
        path: '/wallets/lnbits/api/v1/payments',
        key: 'invoice',
        body: {
          out: false,
          unit: 'sat',
          amount: 5,
          memo: 'm',
          expiry: 60,
          extra: { tag: 'tithe', job: '7' },
        },
      },
      {
        path: '/wallets/lnbits/api/v1/payments',
        key: 'admin',
        body: { out: true, bolt11, extra: { tag: 'tithe' }, labels: [] },
      },
      { path: `/wallets/lnbits/api/v1/payments/${paymentHash}`, key: 'invoice', body: undefined },
    ])
  })
})
