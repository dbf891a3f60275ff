import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { decodeBolt11 } from '../../src/lightning/bolt11.ts'
import { encodeBolt11, hexField, signFields } from '../../src/lightning/bolt11-encode.ts'
import { bytesToWords } from '../../src/lightning/bolt11-words.ts'
import { createLnbits, type Lnbits } from '../../src/lightning/lnbits.ts'
import { silentLog } from '../../src/log.ts'
import { at, listenTo, type RawAnswer, rawCall, textAt } from '../support/lnbits-raw.ts'
import { askUntil } from '../support/until.ts'

/** An LNbits with two funded wallets: the play-money one, or a real one. */
export interface LnbitsSubject extends AsyncDisposable {
  url: string
  bot: { invoiceKey: string; adminKey: string }
  payer: { invoiceKey: string; adminKey: string }
}

const FIELDS = [
  'amount',
  'bolt11',
  'checking_id',
  'created_at',
  'expiry',
  'extension',
  'external_id',
  'extra',
  'fee',
  'fiat_provider',
  'labels',
  'memo',
  'payment_hash',
  'payment_request',
  'preimage',
  'status',
  'tag',
  'time',
  'updated_at',
  'wallet_id',
  'webhook',
  'webhook_status',
]
const NODE_KEY = new Uint8Array(32).fill(9)

/**
 * What tithe relies on in LNbits 1.6.2, said once and held against both: the API as it is, then
 * tithe's client on it. Whatever the play-money LNbits would get wrong here, the real one shows.
 */
export function describeLnbits(name: string, start: () => Promise<LnbitsSubject>): void {
  describe(`LNbits (${name})`, () => {
    let subject: LnbitsSubject
    let lnbits: Lnbits
    beforeAll(async () => {
      subject = await start()
      lnbits = createLnbits({
        url: subject.url,
        ...subject.bot,
        clock: systemClock,
        log: silentLog,
      })
    })
    afterAll(async () => {
      lnbits.close()
      await subject[Symbol.asyncDispose]()
    })

    const ask = (path: string, key?: string) =>
      rawCall(subject.url, path, key === undefined ? {} : { key })
    const create = (body: object, key = subject.bot.invoiceKey) =>
      rawCall(subject.url, '/payments', { key, body: { out: false, ...body } })
    const pay = (bolt11: string, key = subject.payer.adminKey) =>
      rawCall(subject.url, '/payments', { key, body: { out: true, bolt11 } })
    const invoice = async (amount: number) => {
      const made = await create({ amount, memo: 'a job', expiry: 600, extra: { tag: 'tithe' } })
      return { bolt11: textAt(made.json, 'bolt11'), hash: textAt(made.json, 'payment_hash') }
    }
    const outside = (amountMsat: bigint) =>
      encodeBolt11(
        {
          amountMsat,
          paymentHash: randomBytes(32).toString('hex'),
          paymentSecret: randomBytes(32).toString('hex'),
          createdAt: Math.floor(Date.now() / 1000),
          expirySeconds: 600,
          description: 'elsewhere',
        },
        NODE_KEY,
      )

    describe('an invoice made', () => {
      test('is answered with a payment object and a bolt11 that fits it', async () => {
        const { status, json } = await create({
          amount: 1000,
          memo: 'a job',
          expiry: 600,
          extra: { tag: 'tithe', job: '7' },
        })
        expect(status).toBe(201)
        expect(Object.keys(Object(json)).sort()).toEqual(FIELDS)
        expect(json).toMatchObject({
          amount: 1_000_000,
          fee: 0,
          status: 'pending',
          memo: 'a job',
          tag: 'tithe',
          extra: { tag: 'tithe', job: '7' },
          labels: [],
        })
        expect(textAt(json, 'payment_request')).toBe(textAt(json, 'bolt11'))
        const decoded = decodeBolt11(textAt(json, 'bolt11'))
        expect(decoded).toMatchObject({
          ok: true,
          invoice: { paymentHash: textAt(json, 'payment_hash'), amountSats: 1000 },
        })
      })

      test('tells its expiry without a zone when made, with one when looked at (trap 15)', async () => {
        const made = await create({ amount: 5, expiry: 600 })
        expect(textAt(made.json, 'expiry')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/)
        const hash = textAt(made.json, 'payment_hash')
        const seen = await ask(`/payments/${hash}`, subject.bot.invoiceKey)
        expect(textAt(seen.json, 'details', 'expiry')).toMatch(/\+00:00$/)
      })

      test('floors fractions after its look for zero (trap 10)', async () => {
        expect(at((await create({ amount: 1.9 })).json, ['amount'])).toBe(1000)
        expect(at((await create({ amount: '5' })).json, ['amount'])).toBe(5000)
        const amountless = await create({ amount: 0.5 })
        expect(amountless).toMatchObject({ status: 201, json: { amount: 0 } })
        expect(decodeBolt11(textAt(amountless.json, 'bolt11'))).toEqual({
          ok: false,
          reason: 'amountless',
        })
      })

      test('is refused with a list, a text, or a crash, depending on what is wrong (trap 21)', async () => {
        const negative = await create({ amount: -1 })
        expect(negative.status).toBe(400)
        expect(Array.isArray(at(negative.json, ['detail']))).toBe(true)
        expect(await create({ amount: 0 })).toMatchObject({
          status: 520,
          json: { detail: 'Amountless invoices not supported.', status: 'failed' },
        })
        const missing = await create({ memo: 'no amount' })
        expect(missing.status).toBe(500)
        expect(textAt(missing.json, 'detail')).toMatch(/^Unexpected error! ID: /)
        const huge = await create({ amount: 10_000_001 })
        expect(huge).toMatchObject({ status: 520, json: { status: 'failed' } })
      })

      test('has a memo limited in bytes, below its own limit in characters (trap 24)', async () => {
        expect((await create({ amount: 5, memo: 'a'.repeat(639) })).status).toBe(201)
        for (const memo of ['a'.repeat(640), 'é'.repeat(320)]) {
          const refused = await create({ amount: 5, memo })
          expect(refused.status).toBe(400)
          expect(textAt(refused.json, 'detail')).toBeTypeOf('string')
        }
      })

      test('needs the word that nothing is to be paid (trap 20)', async () => {
        const answer = await rawCall(subject.url, '/payments', {
          key: subject.bot.invoiceKey,
          body: { amount: 5, memo: 'no out' },
        })
        expect(answer).toMatchObject({
          status: 403,
          json: { detail: 'Invoice (or Admin) key required.' },
        })
      })

      test('takes the key alone as proof of who asks', async () => {
        expect(await create({ amount: 5 }, 'f'.repeat(32))).toMatchObject({
          status: 404,
          json: { detail: 'Wallet not found.' },
        })
        const { status, json } = await rawCall(subject.url, '/payments', {
          body: { out: false, amount: 5 },
        })
        expect({ status, json }).toEqual({ status: 401, json: { detail: 'No Api Key provided.' } })
      })
    })

    describe('a look at one payment', () => {
      test('says pending, then paid without a word on the state', async () => {
        const { bolt11, hash } = await invoice(21)
        const before = await ask(`/payments/${hash}`, subject.bot.invoiceKey)
        expect(before).toMatchObject({
          status: 200,
          json: { paid: false, status: 'pending', preimage: null, details: { status: 'pending' } },
        })
        const paid = await pay(bolt11)
        expect(paid).toMatchObject({
          status: 201,
          json: { status: 'success', amount: -21_000, checking_id: `internal_${hash}`, fee: 0 },
        })
        const after = await ask(`/payments/${hash}`, subject.bot.invoiceKey)
        expect(after).toMatchObject({
          json: { paid: true, details: { status: 'success', amount: 21_000, payment_hash: hash } },
        })
        expect(at(after.json, ['status'])).toBeUndefined()
      })

      test('has no details without a key that is known, and is 404 for another wallet', async () => {
        const { hash } = await invoice(5)
        for (const key of [undefined, 'f'.repeat(32)]) {
          const { status, json } = await ask(`/payments/${hash}`, key)
          expect(status).toBe(200)
          expect(json).toMatchObject({ paid: false })
          expect(at(json, ['details'])).toBeUndefined()
        }
        const absent = { status: 404, json: { detail: 'Payment does not exist.' } }
        expect(await ask(`/payments/${hash}`, subject.payer.invoiceKey)).toMatchObject(absent)
        expect(await ask(`/payments/${'0'.repeat(64)}`, subject.bot.invoiceKey)).toMatchObject(
          absent,
        )
      })

      test('shows the payment that left when one wallet is on both sides (trap 12)', async () => {
        const { bolt11, hash } = await invoice(5)
        await pay(bolt11, subject.bot.adminKey)
        expect((await ask(`/payments/${hash}`, subject.bot.invoiceKey)).json).toMatchObject({
          paid: true,
          details: { amount: -5000 },
        })
      })

      test('after expiry makes the row failed, with a label, for good (trap 11)', async () => {
        const made = await create({ amount: 5, expiry: 1 })
        const hash = textAt(made.json, 'payment_hash')
        const seen = await askUntil(
          () => ask(`/payments/${hash}`, subject.bot.invoiceKey),
          ({ json }) => at(json, ['status']) !== 'pending',
        )
        expect(seen.json).toMatchObject({
          paid: false,
          status: 'failed',
          details: { status: 'failed', labels: ['expired'] },
        })
        const late = await pay(textAt(made.json, 'bolt11'))
        expect([201, 520]).toContain(late.status)
        const after = await ask(`/payments/${hash}`, subject.bot.invoiceKey)
        expect(after.json).toMatchObject({ paid: false, status: 'failed' })
        // The answer to such a payment may be the payee's own row: positive, and not ours (trap 3).
        if (late.status === 201) expect(at(late.json, ['amount'])).toBe(5000)
      })
    })

    describe('a payment', () => {
      test('of what is paid already looks like a failure (trap 4)', async () => {
        const { bolt11 } = await invoice(5)
        expect((await pay(bolt11)).status).toBe(201)
        expect(await pay(bolt11)).toMatchObject({
          status: 520,
          json: { detail: 'Internal invoice already paid.', status: 'failed' },
        })
      })

      test('happens once however many ask at once', async () => {
        const { bolt11 } = await invoice(5)
        const answers = await Promise.all(Array.from({ length: 4 }, () => pay(bolt11)))
        const statuses = answers.map(({ status }) => status).sort()
        expect(statuses).toEqual([201, 520, 520, 520])
      })

      test('is refused before anything is written when it cannot be', async () => {
        const refusals: [Promise<RawAnswer>, number, object][] = [
          [pay('lightning:lnbc1'), 520, { detail: 'Bolt11 decoding failed.', status: 'failed' }],
          [pay(''), 400, { detail: 'Missing BOLT11 invoice' }],
          [pay((await invoice(5)).bolt11, subject.payer.invoiceKey), 403, {}],
          [
            pay(outside(9_000_000_000n)),
            520,
            { detail: 'Insufficient balance.', status: 'failed' },
          ],
        ]
        for (const [answer, status, json] of refusals) {
          expect(await answer).toMatchObject({ status, json })
        }
      })

      test('of a forged copy with another amount is refused', async () => {
        const { hash } = await invoice(500)
        const forged = signFields(
          'lnbc50n',
          Math.floor(Date.now() / 1000),
          [
            hexField('p', hash),
            hexField('s', '11'.repeat(32)),
            { letter: 'd', words: bytesToWords(Buffer.from('cheap')) },
          ],
          NODE_KEY,
        )
        expect(await pay(forged)).toMatchObject({
          status: 520,
          json: { detail: 'Invalid invoice. Bolt11 changed.', status: 'failed' },
        })
      })
    })

    describe('a list', () => {
      test('holds ten rows unless asked otherwise, and leaves out what it does not know (trap 14)', async () => {
        for (let made = 0; made < 12; made++) await invoice(3)
        const plain = await ask('/payments', subject.bot.invoiceKey)
        expect(plain.json).toHaveLength(10)
        const unknown = await ask('/payments?statuss=failed&limit=12', subject.bot.invoiceKey)
        expect(unknown.json).toHaveLength(12)
        const page = await ask('/payments/paginated?limit=5', subject.bot.invoiceKey)
        expect(at(page.json, ['data'])).toHaveLength(5)
        expect(at(page.json, ['total'])).toBeGreaterThanOrEqual(12)
        const sorted = await ask('/payments/paginated?sortby=nonsense', subject.bot.invoiceKey)
        expect(sorted.status).toBe(400)
      })

      test('finds rows by hash, by time and by change', async () => {
        const made = [await invoice(3), await invoice(4), await invoice(6)]
        const [first] = made
        if (first) await pay(first.bolt11)
        const hashes = made.map(({ hash }) => hash).join(',')
        const byHash = await ask(
          `/payments/paginated?payment_hash[in]=${hashes}&sortby=time&direction=asc&limit=100`,
          subject.bot.invoiceKey,
        )
        expect(byHash.json).toMatchObject({
          total: 3,
          data: [{ status: 'success' }, { status: 'pending' }, { status: 'pending' }],
        })
        const byChange = await ask(
          '/payments/paginated?status=success&amount[gt]=0&sortby=updated_at&direction=desc&limit=1',
          subject.bot.invoiceKey,
        )
        expect(byChange.json).toMatchObject({ data: [{ payment_hash: first?.hash }] })
        const since = Math.floor(Date.now() / 1000) + 3600
        const later = await ask(`/payments/paginated?time[ge]=${since}`, subject.bot.invoiceKey)
        expect(later.json).toMatchObject({ total: 0, data: [] })
      })
    })

    describe('the rest', () => {
      test('the wallet tells its id to the admin key only', async () => {
        const read = await ask('/wallet', subject.bot.invoiceKey)
        expect(Object.keys(Object(read.json)).sort()).toEqual(['balance', 'name'])
        const full = await ask('/wallet', subject.bot.adminKey)
        expect(at(full.json, ['id'])).toMatch(/^[0-9a-f]{32}$/)
      })

      test('a rate is both ways round, and zero where there is none (trap 13)', async () => {
        const { json } = await ask('/rate/usd')
        expect(json).toMatchObject({ rate: expect.any(Number), price: expect.any(Number) })
        expect(Number(at(json, ['rate'])) * Number(at(json, ['price']))).toBeCloseTo(1e8)
        expect(await ask('/rate/JPY')).toMatchObject({ status: 200, json: { rate: 0, price: 0 } })
        expect((await ask('/rate/XXX')).status).toBe(400)
      })

      test('the fee reserve is one percent, at least two sats, and a bad invoice is a crash', async () => {
        const { bolt11 } = await invoice(1000)
        expect((await ask(`/payments/fee-reserve?invoice=${bolt11}`)).json).toEqual({
          fee_reserve: 10_000,
        })
        const small = (await invoice(5)).bolt11
        expect((await ask(`/payments/fee-reserve?invoice=${small}`)).json).toEqual({
          fee_reserve: 2000,
        })
        expect((await ask('/payments/fee-reserve?invoice=nonsense')).status).toBe(500)
      })

      test('the first of two hashes is the one LNbits reads (trap 7)', async () => {
        const two = signFields(
          'lnbc50n',
          Math.floor(Date.now() / 1000),
          [
            hexField('p', 'aa'.repeat(32)),
            hexField('s', '11'.repeat(32)),
            { letter: 'd', words: bytesToWords(Buffer.from('two')) },
            hexField('p', 'bb'.repeat(32)),
          ],
          NODE_KEY,
        )
        const read = await rawCall(subject.url, '/payments/decode', { body: { data: two } })
        expect(read).toMatchObject({ status: 200, json: { payment_hash: 'aa'.repeat(32) } })
        expect(decodeBolt11(two)).toEqual({ ok: false, reason: 'repeated-field' })
      })

      test('health needs no key', async () => {
        expect((await ask('/health')).json).toMatchObject({
          server_time: expect.any(Number),
          up_time: expect.any(String),
        })
      })

      test('the websocket tells a payment more than once, to any listener of the key', async () => {
        const { bolt11, hash } = await invoice(8)
        const ears = await listenTo(subject.url, subject.bot.invoiceKey)
        await pay(bolt11)
        const heard = await askUntil(
          () =>
            ears.messages.filter((message) => at(message, ['payment', 'payment_hash']) === hash),
          (messages) => messages.length >= 2,
        )
        ears.close()
        expect(heard[0]).toMatchObject({
          wallet_balance: expect.any(Number),
          payment: { status: 'success', amount: 8000 },
        })
      })

      test('anybody may say anything on the websocket (trap 8)', async () => {
        const { hash } = await invoice(8)
        const ears = await listenTo(subject.url, hash)
        const lie = { pending: false, status: 'success' }
        const path = `/ws/${hash}?data=${encodeURIComponent(JSON.stringify(lie))}`
        await rawCall(subject.url, path, { method: 'POST' })
        await askUntil(
          () => ears.messages,
          (messages) => messages.length > 0,
        )
        ears.close()
        expect(ears.messages[0]).toEqual(lie)
        expect(await lnbits.lookupIncoming(hash, 8)).toEqual({ state: 'pending' })
      })
    })

    describe('our client', () => {
      const make = (amountSats: number, expirySeconds = 600) =>
        lnbits.createInvoice({ amountSats, memo: 'a job', expirySeconds, extra: { job: '1' } })

      test('makes an invoice whose expiry is the bolt11’s (trap 15)', async () => {
        const made = await make(42)
        const decoded = decodeBolt11(made.bolt11)
        expect(decoded).toMatchObject({
          ok: true,
          invoice: { amountSats: 42, paymentHash: made.paymentHash, expiresAt: made.expiresAt },
        })
        expect(made.expiresAt - Date.now() / 1000).toBeGreaterThan(590)
      })

      test('cuts a memo that nodes would refuse (trap 24)', async () => {
        const memo = '⚡'.repeat(400)
        await expect(
          lnbits.createInvoice({ amountSats: 5, memo, expirySeconds: 600, extra: {} }),
        ).resolves.toMatchObject({ paymentHash: expect.any(String) })
      })

      test('sees a payment by hash and in bulk', async () => {
        const made = await make(42)
        expect(await lnbits.lookupIncoming(made.paymentHash, 42)).toEqual({ state: 'pending' })
        await pay(made.bolt11)
        expect(await lnbits.lookupIncoming(made.paymentHash, 42)).toMatchObject({
          state: 'paid',
          amountSats: 42,
          feeSats: 0,
          at: expect.any(Number),
        })
        const other = await make(43)
        const states = await lnbits.listIncoming([
          made.paymentHash,
          other.paymentHash,
          '0'.repeat(64),
        ])
        expect([...states]).toEqual(
          expect.arrayContaining([
            [made.paymentHash, 'paid'],
            [other.paymentHash, 'pending'],
          ]),
        )
        expect(states.size).toBe(2)
      })

      test('finds one payment among more open invoices than it may name, in one request', async () => {
        const made = await make(42)
        const many = Array.from({ length: 500 }, () => randomBytes(32).toString('hex'))
        await pay(made.bolt11)
        const states = await lnbits.listIncoming([...many, made.paymentHash])
        expect([...states]).toEqual([[made.paymentHash, 'paid']])
      })

      test('takes another amount, another wallet or the wrong sign for no payment', async () => {
        const made = await make(42)
        await pay(made.bolt11)
        expect(await lnbits.lookupIncoming(made.paymentHash, 41)).toEqual({
          state: 'unreachable',
          reason: 'foreign',
        })
        const own = await make(7)
        await pay(own.bolt11, subject.bot.adminKey)
        expect(await lnbits.lookupIncoming(own.paymentHash, 7)).toEqual({ state: 'pending' })
        expect(await lnbits.lookupIncoming('0'.repeat(64), 7)).toEqual({ state: 'absent' })
      })

      test('pays once, and knows it the second time (trap 4)', async () => {
        const made = await create({ amount: 30, memo: 'payee' }, subject.payer.invoiceKey)
        const bolt11 = textAt(made.json, 'bolt11')
        const hash = textAt(made.json, 'payment_hash')
        expect(await lnbits.lookupOutgoing(hash)).toEqual({ state: 'absent' })
        expect(await lnbits.pay(bolt11, hash)).toEqual({ state: 'success', feeSats: 0 })
        expect(await lnbits.pay(bolt11, hash)).toEqual({ state: 'success', feeSats: 0 })
        expect(await lnbits.lookupOutgoing(hash, 30)).toEqual({ state: 'success', feeSats: 0 })
        expect(await lnbits.confirmFailed(bolt11, hash)).toEqual({ state: 'success', feeSats: 0 })
      })

      test('knows a refusal from a failure', async () => {
        const bolt11 = outside(9_000_000_000n)
        const decoded = decodeBolt11(bolt11)
        const hash = decoded.ok ? decoded.invoice.paymentHash : ''
        expect(await lnbits.pay(bolt11, hash)).toEqual({
          state: 'absent',
          refusal: 'Insufficient balance.',
        })
        await expect(lnbits.pay(bolt11, '0'.repeat(64))).rejects.toMatchObject({ kind: 'refused' })
      })

      test('reads balance, rate, reserve and health', async () => {
        const before = await lnbits.balanceMsat()
        const made = await make(11)
        await pay(made.bolt11)
        expect((await lnbits.balanceMsat()) - before).toBe(11_000n)
        expect(await lnbits.rate('USD')).toMatchObject({
          satsPerUnit: expect.any(Number),
          btcPrice: expect.any(Number),
        })
        expect(await lnbits.rate('JPY')).toBeUndefined()
        expect(await lnbits.feeReserveSats(made.bolt11)).toBe(2)
        expect(await lnbits.health()).toEqual({ up: true })
        expect(await lnbits.walletId()).toMatch(/^[0-9a-f]{32}$/)
      })

      test('walks all rows from a date, and they add up to the balance', async () => {
        let sumMsat = 0n
        const seen = new Set<string>()
        for await (const row of lnbits.listSince(0)) {
          seen.add(row.checkingId)
          const counts =
            row.status === 'success' || (row.direction === 'out' && row.status === 'pending')
          if (!counts) continue
          const sign = row.direction === 'in' ? 1n : -1n
          sumMsat += sign * row.amountMsat - row.feeMsat
        }
        expect(sumMsat).toBe(await lnbits.balanceMsat())
        expect(seen.size).toBeGreaterThan(20)
      })

      test('tells a wrong key apart from everything else', async () => {
        const stranger = createLnbits({
          url: subject.url,
          invoiceKey: 'f'.repeat(32),
          clock: systemClock,
          log: silentLog,
        })
        await expect(stranger.balanceMsat()).rejects.toMatchObject({ kind: 'unauthorised' })
        const made = await make(5)
        expect(await stranger.lookupIncoming(made.paymentHash, 5)).toEqual({
          state: 'unreachable',
          reason: 'unauthorised',
        })
        await expect(stranger.pay(made.bolt11, made.paymentHash)).rejects.toMatchObject({
          kind: 'unauthorised',
        })
        stranger.close()
      })
    })
  })
}
