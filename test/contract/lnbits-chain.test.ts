import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RealLnbits, type RealWallet, startRealLnbits } from '../../scripts/lnbits/instance.ts'
import { systemClock } from '../../src/clock.ts'
import { createLnbits, type Lnbits } from '../../src/lightning/lnbits.ts'
import { watchPayments } from '../../src/lightning/lnbits-events.ts'
import { silentLog } from '../../src/log.ts'
import { lightningTestSettings } from '../support/lnbits-env.ts'
import { rawCall, textAt } from '../support/lnbits-raw.ts'
import { askUntil } from '../support/until.ts'

const { lnbitsHome } = lightningTestSettings()
const SLOW_MS = 120_000

/**
 * One real LNbits whose node is another: what leaves the first really leaves it, its node can hang
 * or die in the midst, and money can come while it is down. FakeWallet alone shows none of that.
 */
if (lnbitsHome !== undefined) {
  describe('LNbits with another LNbits for its node', { timeout: SLOW_MS }, () => {
    let node: RealLnbits
    let front: RealLnbits
    let lnbits: Lnbits
    let payee: RealWallet
    let payer: RealWallet
    let account: RealWallet

    beforeAll(async () => {
      node = await startRealLnbits(lnbitsHome)
      account = await node.createWallet('front', 50_000)
      payee = await node.createWallet('payee', 0)
      payer = await node.createWallet('payer', 100_000)
      front = await startRealLnbits(lnbitsHome, {
        LNBITS_BACKEND_WALLET_CLASS: 'LNbitsWallet',
        LNBITS_ENDPOINT: node.url,
        LNBITS_KEY: account.adminKey,
      })
      const bot = await front.createWallet('bot', 200_000)
      lnbits = createLnbits({ url: front.url, ...bot, clock: systemClock, log: silentLog })
      events = watchPayments({
        url: front.url,
        invoiceKey: bot.invoiceKey,
        clock: systemClock,
        log: silentLog,
        onHint: (hash) => hints.push(hash),
        onUp: () => undefined,
      })
      events.start()
    }, SLOW_MS)
    afterAll(async () => {
      await events?.stop()
      lnbits?.close()
      await front?.stop()
      await node?.stop()
    })
    let events: ReturnType<typeof watchPayments> | undefined
    const hints: (string | undefined)[] = []

    const invoiceElsewhere = async (amount: number) => {
      const { json } = await rawCall(node.url, '/payments', {
        key: payee.invoiceKey,
        body: { out: false, amount, memo: 'withdrawal', expiry: 600 },
      })
      return { bolt11: textAt(json, 'bolt11'), paymentHash: textAt(json, 'payment_hash') }
    }
    const payFromElsewhere = (bolt11: string) =>
      rawCall(node.url, '/payments', { key: payer.adminKey, body: { out: true, bolt11 } })
    const invoice = (amountSats: number, expirySeconds = 600) =>
      lnbits.createInvoice({ amountSats, memo: 'a job', expirySeconds, extra: {} })
    const received = async (paymentHash: string) => {
      const { json } = await rawCall(node.url, `/payments/${paymentHash}`, {
        key: payee.invoiceKey,
      })
      return Object(json).paid === true
    }

    /** LNbits forgets what its node's stream says while it is not listening, as after a restart. */
    const listensToItsNode = () =>
      askUntil(
        async () => {
          const probe = await invoice(3)
          await payFromElsewhere(probe.bolt11)
          const heard = askUntil(
            () => hints.includes(probe.paymentHash),
            (isThere) => isThere,
            2_000,
          )
          return heard.catch(() => false)
        },
        (isHeard) => isHeard,
        60_000,
      )

    test('money that comes over the node is hinted at and found', async () => {
      await listensToItsNode()
      const made = await invoice(210)
      expect(await payFromElsewhere(made.bolt11)).toMatchObject({ status: 201 })
      await askUntil(
        () => hints,
        (heard) => heard.includes(made.paymentHash),
      )
      expect(await lnbits.lookupIncoming(made.paymentHash, 210)).toMatchObject({ state: 'paid' })
    })

    test('money that leaves arrives once, however often it is sent (traps 2, 4)', async () => {
      const { bolt11, paymentHash } = await invoiceElsewhere(300)
      expect(await lnbits.pay(bolt11, paymentHash)).toMatchObject({ state: 'success' })
      expect(await lnbits.pay(bolt11, paymentHash)).toMatchObject({ state: 'success' })
      expect(await received(paymentHash)).toBe(true)
    })

    test('a clear no is not confirmed by a node that keeps no record of it (traps 1, 3)', async () => {
      const { bolt11, paymentHash } = await invoiceElsewhere(90_000)
      const first = await lnbits.pay(bolt11, paymentHash)
      expect(first).toEqual({ state: 'failed-unconfirmed' })
      const again = await lnbits.confirmFailed(bolt11, paymentHash)
      expect(['failed-unconfirmed', 'failed']).toContain(again.state)
      expect(await received(paymentHash)).toBe(false)
    })

    test('a node that hangs leaves a payment pending until its truth is known (traps 1, 5)', async () => {
      const { bolt11, paymentHash } = await invoiceElsewhere(310)
      node.suspend()
      const said = await lnbits.pay(bolt11, paymentHash)
      node.resume()
      expect(['pending', 'unreachable']).toContain(said.state)
      for (let round = 0; round < 3; round++) {
        const state = await lnbits.lookupOutgoing(paymentHash)
        const arrived = await received(paymentHash)
        if (state.state === 'success') expect(arrived).toBe(true)
        else expect(state.state).toBe('pending')
        // The end of a pending payment is never called a failure.
        expect((await lnbits.confirmFailed(bolt11, paymentHash)).state).not.toBe('failed')
      }
    })

    test('a node that is dead leaves a payment pending, never failed (trap 1)', async () => {
      const { bolt11, paymentHash } = await invoiceElsewhere(320)
      await node.kill()
      const said = await lnbits.pay(bolt11, paymentHash)
      expect(['pending', 'unreachable']).toContain(said.state)
      await expect(invoice(5)).rejects.toMatchObject({ kind: 'node-down' })
      await node.restart()
      expect((await lnbits.confirmFailed(bolt11, paymentHash)).state).not.toBe('failed')
    })

    test('money that came while LNbits was down is found by asking in time (traps 11, 16)', async () => {
      const made = await invoice(220)
      await front.kill()
      expect(await lnbits.lookupIncoming(made.paymentHash, 220)).toEqual({
        state: 'unreachable',
        reason: 'unreachable',
      })
      expect(await payFromElsewhere(made.bolt11)).toMatchObject({ status: 201 })
      await front.restart()
      const found = await askUntil(
        () => lnbits.lookupIncoming(made.paymentHash, 220),
        ({ state }) => state !== 'unreachable',
        60_000,
      )
      expect(found).toMatchObject({ state: 'paid', amountSats: 220 })
    })

    test('an invoice called failed at expiry can be paid after all (trap 11)', async () => {
      await listensToItsNode()
      const made = await invoice(230, 2)
      await askUntil(
        () => lnbits.lookupIncoming(made.paymentHash, 230),
        ({ state }) => state === 'failed',
      )
      expect(await payFromElsewhere(made.bolt11)).toMatchObject({ status: 201 })
      const after = await askUntil(
        () => lnbits.lookupIncoming(made.paymentHash, 230),
        ({ state }) => state === 'paid',
        20_000,
      )
      expect(after).toMatchObject({ state: 'paid' })
    })

    test('creates cut by kill -9 leave a whole invoice or none (trap 23)', async () => {
      const creating = Promise.allSettled(Array.from({ length: 20 }, () => invoice(7)))
      await askUntil(
        () => lnbits.load().inFlight,
        (count) => count > 0,
      )
      await front.kill()
      const made = await creating
      await front.restart()
      for (const one of made) {
        if (one.status === 'rejected') {
          expect(one.reason).toMatchObject({ kind: 'unreachable' })
          continue
        }
        const state = await askUntil(
          () => lnbits.lookupIncoming(one.value.paymentHash, 7),
          (answer) => answer.state !== 'unreachable',
          60_000,
        )
        expect(state).toEqual({ state: 'pending' })
      }
    })
  })
} else {
  test('a real LNbits is started by `npm run test:lnbits` only', () => {
    expect(lnbitsHome).toBeUndefined()
  })
}
