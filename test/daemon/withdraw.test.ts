import { expect, test } from 'vitest'
import { daemonLab } from '../support/daemon-lab.ts'
import { rawCall, textAt } from '../support/lnbits-raw.ts'
import { tithe } from '../support/tithe.ts'
import { until } from '../support/until.ts'

test('what a customer tops up, spends and takes out again is the same in both books', async () => {
  await using lab = await daemonLab()
  const daemon = await lab.start()
  const customer = await lab.customer()
  const payer = lab.lnbits.wallet('payer')
  const topUp = await customer.ask({ type: 'topup', sats: 1_000 })
  await customer.pay((await customer.reply(topUp)).bolt11)
  expect(await customer.reply(topUp)).toMatchObject({ type: 'balance', balanceSats: 1_000 })
  const job = await customer.ask({ type: 'job', request: 'from my balance' })
  expect(await customer.reply(job)).toMatchObject({ type: 'working', paidFrom: 'balance' })
  expect(await customer.reply(job)).toMatchObject({ type: 'result', balanceSats: 979 })
  const made = await rawCall(lab.lnbits.url, '/payments', {
    key: payer?.invoiceKey ?? '',
    body: { out: false, amount: 900, unit: 'sat', memo: 'mine' },
  })
  const to = textAt(made.json, 'bolt11')
  const taken = await customer.ask({ type: 'withdraw', to })
  expect(await customer.reply(taken)).toMatchObject({
    ...{ type: 'withdrawal', state: 'sent', sats: 900, balanceSats: 70 },
  })
  expect(await customer.reply(taken)).toMatchObject({
    ...{ type: 'withdrawal', state: 'done', feeSats: 0, balanceSats: 79 },
  })
  const own = await customer.ask({ type: 'withdraw', to })
  expect(await customer.reply(own)).toMatchObject({ type: 'refused', reason: 'own_invoice' })
  const env = {
    ...{ DATABASE_URL: lab.db.url, LNBITS_URL: lab.lnbits.url, RELAYS: lab.relay.url },
    ...{ LNBITS_INVOICE_KEY: lab.lnbits.bot.invoiceKey, NOSTR_SECRET_KEY: '01'.repeat(32) },
    ...{ BACKEND: 'echo', MODELS: '[{"name":"echo","satsPerRequest":21}]' },
  }
  const books = await tithe(['reconcile', '--json'], { env })
  expect(JSON.parse(books.stdout)).toMatchObject({
    ...{ ok: true, differences: [], compared: { lnbits: 2, invoices: 1, withdrawals: 1 } },
    balance: { lnbitsSats: 100, ledgerSats: 100, driftSats: 0 },
  })
  expect(books.status).toBe(0)
  const open = await tithe(['payouts', '--json'], { env })
  expect([open.stdout.trim(), open.status]).toEqual(['[]', 0])
  await until('the balance was compared', async () => {
    const metrics = await (await fetch(`${daemon.statusUrl}/metrics`)).text()
    return /^tithe_lightning_drift_sats 0$/m.test(metrics)
  })
})
