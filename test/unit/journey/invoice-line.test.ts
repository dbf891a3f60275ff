import { expect, test } from 'vitest'
import { createInvoiceLine } from '../../../src/journey/invoice-line.ts'

/** An LNbits that makes an invoice whenever it is let, and a clock that stands still. */
function line(options: { waiting?: number } = {}) {
  let nowMs = 0
  const open: { make(): void; fail(): void }[] = []
  const made = createInvoiceLine({
    lightning: {
      createInvoice: () =>
        new Promise((resolve, reject) => {
          open.push({
            make: () => resolve({ paymentHash: '', bolt11: '', expiresAt: 0 }),
            fail: () => reject(new Error('no')),
          })
        }),
    },
    countWaiting: async () => options.waiting ?? 0,
    clock: { now: () => nowMs, sleep: () => Promise.resolve() },
  })
  const ask = () =>
    made.maker
      .createInvoice({ amountSats: 1, memo: '', expirySeconds: 1, extra: {} })
      .then(() => true)
      .catch(() => false)
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  return {
    ...made,
    ask,
    options,
    settle,
    /** Time passes, and then the oldest call is answered. */
    async after(ms: number, how: 'make' | 'fail' = 'make') {
      nowMs += ms
      open.shift()?.[how]()
      await settle()
    },
    pass(ms: number) {
      nowMs += ms
    },
  }
}

test('with nobody before, a customer waits for nothing', () => {
  expect(line().tooLong()).toBeUndefined()
  expect(line().wait()).toEqual({ ahead: 0, waitMs: 0 })
})

test('the wait is as many as stand before, at the pace of the last invoices', async () => {
  const lnbits = line()
  for (let count = 0; count < 50; count += 1) {
    void lnbits.ask()
    await lnbits.after(40)
  }
  for (let count = 0; count < 500; count += 1) lnbits.joined()
  const { ahead, waitMs } = lnbits.wait()
  expect(ahead).toBe(500)
  expect(waitMs).toBeCloseTo(20_000, -3)
  expect(lnbits.tooLong()).toBeUndefined()
  expect(lnbits.tooLong(300)).toMatchObject({ ahead: 800 })
})

test('an LNbits that stands still with somebody waiting is too long after half a minute', async () => {
  const lnbits = line()
  void lnbits.ask()
  lnbits.pass(29_000)
  expect(lnbits.tooLong()).toBeUndefined()
  lnbits.pass(2_000)
  expect(lnbits.tooLong()).toMatchObject({ ahead: 1 })
  await lnbits.after(0)
  expect(lnbits.tooLong()).toBeUndefined()
})

test('calls that fail are no invoices: the line stands as long as somebody is in it', async () => {
  const lnbits = line({ waiting: 3 })
  lnbits.wait()
  await lnbits.settle()
  for (let count = 0; count < 40; count += 1) {
    void lnbits.ask()
    await lnbits.after(1_000, 'fail')
  }
  expect(lnbits.tooLong()).toMatchObject({ ahead: 3 })
  await lnbits.settle()
  // They have given up: whoever comes next is let in and finds out.
  lnbits.options.waiting = 0
  lnbits.pass(1_000)
  lnbits.wait()
  await lnbits.settle()
  expect(lnbits.tooLong()).toBeUndefined()
})

test('one long pause does not count as the pace', async () => {
  const lnbits = line()
  for (let count = 0; count < 20; count += 1) {
    void lnbits.ask()
    await lnbits.after(40)
  }
  void lnbits.ask()
  await lnbits.after(60_000)
  lnbits.joined()
  expect(lnbits.wait().waitMs).toBeLessThan(400)
})

test('who was counted twice does not stand before the first customer after a lull', async () => {
  const lnbits = line({ waiting: 1 })
  lnbits.wait()
  lnbits.joined()
  await lnbits.settle()
  lnbits.joined()
  void lnbits.ask()
  await lnbits.after(40)
  lnbits.options.waiting = 0
  expect(lnbits.wait().ahead).toBeGreaterThan(0)
  lnbits.pass(600_000)
  expect(lnbits.wait()).toEqual({ ahead: 0, waitMs: 0 })
  expect(lnbits.tooLong()).toBeUndefined()
})
