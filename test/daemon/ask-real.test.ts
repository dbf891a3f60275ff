import { expect, test } from 'vitest'
import { decodeBolt11 } from '../../src/lightning/bolt11.ts'
import { startPlayLnbits } from '../../src/sandbox/lnbits.ts'
import { startRelay } from '../../src/sandbox/relay.ts'
import { realSettings } from '../support/command.ts'
import { freshDatabase } from '../support/database.ts'
import { scratchDir, startTithe, tithe } from '../support/tithe.ts'
import { until } from '../support/until.ts'

// Settings for real sats, with a relay, an LNbits and a Postgres that the bot did not start itself.
test('a bot with real settings serves a customer whose own wallet pays', async () => {
  using scratch = scratchDir()
  await using db = await freshDatabase()
  await using relay = await startRelay()
  await using lnbits = await startPlayLnbits()
  const env = {
    ...realSettings(db.url),
    DATA_DIR: scratch.path,
    RELAYS: relay.url,
    LNBITS_URL: lnbits.url,
    LNBITS_INVOICE_KEY: lnbits.bot.invoiceKey,
    HTTP_PORT: '0',
    LOG_LEVEL: 'warn',
  }
  const daemon = startTithe(['start'], { env })
  try {
    await until('the greeting', () => daemon.stdout().includes('Ctrl-C'))
    expect(daemon.stdout()).toContain('deals in real sats')
    expect(daemon.stdout()).not.toMatch(/sandbox|play money/i)

    const customer = startTithe(['ask', 'Echo this'], { env })
    const bolt11 = await until('an invoice', () => /^ +(lnbc\w+)\n/m.exec(customer.stdout())?.[1])
    const decoded = decodeBolt11(bolt11)
    if (!decoded.ok) throw new Error(decoded.reason)
    expect(decoded.invoice.amountSats).toBe(21)
    const told = 'Pay 21 sats with your wallet; waiting for it…'
    await until('what to do with it', () => customer.stderr().includes(told))
    lnbits.payFromOutside(decoded.invoice.paymentHash)
    const ran = await customer.ended
    expect(ran.status).toBe(0)
    expect(ran.stdout).toContain('Job 1 cost 21 sats, paid by you.')
    expect(await tithe(['audit'], { env })).toMatchObject({ status: 0 })
  } finally {
    daemon.process.kill('SIGTERM')
  }
  expect(await daemon.ended).toMatchObject({ status: 0 })
})
