import { startRealLnbits } from '../../scripts/lnbits/instance.ts'
import { startPlayLnbits } from '../../src/sandbox/lnbits.ts'
import { lightningTestSettings } from '../support/lnbits-env.ts'
import { describeLnbits } from './lnbits.ts'

describeLnbits('play money', async () => {
  const play = await startPlayLnbits({
    botBalanceSats: 100_000,
    seedWallets: [{ name: 'payer', balanceSats: 1_000_000 }],
  })
  const payer = play.wallet('payer')
  if (!payer) throw new Error('the seed wallet is missing')
  return {
    url: play.url,
    bot: play.bot,
    payer,
    [Symbol.asyncDispose]: () => play.stop(),
  }
})

const { lnbitsHome, real } = lightningTestSettings()
if (lnbitsHome !== undefined) {
  describeLnbits('real, started here', async () => {
    const lnbits = await startRealLnbits(lnbitsHome)
    return {
      url: lnbits.url,
      bot: await lnbits.createWallet('bot', 100_000),
      payer: await lnbits.createWallet('payer', 1_000_000),
      [Symbol.asyncDispose]: () => lnbits.stop(),
    }
  })
}
if (real) {
  describeLnbits('real, given', async () => ({
    url: real.url,
    bot: { invoiceKey: real.invoiceKey, adminKey: real.adminKey },
    payer: { invoiceKey: real.payerInvoiceKey, adminKey: real.payerAdminKey },
    [Symbol.asyncDispose]: async () => undefined,
  }))
}
