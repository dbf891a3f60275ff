import { randomBytes } from 'node:crypto'
import { systemClock } from '../../src/clock.ts'
import { decodeBolt11 } from '../../src/lightning/bolt11.ts'
import { encodeBolt11 } from '../../src/lightning/bolt11-encode.ts'
import { createLnbits, type Lnbits } from '../../src/lightning/lnbits.ts'
import { silentLog } from '../../src/log.ts'
import { type PlayLnbits, startPlayLnbits } from '../../src/sandbox/lnbits.ts'
import { rawCall, textAt } from './lnbits-raw.ts'

/** A play-money LNbits, tithe's client on the bot's wallet, and somebody who pays. */
export interface LnbitsLab extends AsyncDisposable {
  play: PlayLnbits
  lnbits: Lnbits
  /** An invoice of the bot, made by the client. */
  invoice(amountSats: number, expirySeconds?: number): ReturnType<Lnbits['createInvoice']>
  /** Pays a bolt11 from another wallet of the same LNbits. */
  payInside(bolt11: string): Promise<void>
  /** An invoice of a node that is not this one. */
  outside(amountSats: number): { bolt11: string; paymentHash: string }
}

const FAR_KEY = new Uint8Array(32).fill(5)

export interface LabOptions {
  payWaitMs?: number
  timeoutMs?: number
  payTimeoutMs?: number
  maxInFlight?: number
}

export async function startLab(options: LabOptions = {}): Promise<LnbitsLab> {
  const { payWaitMs = 50, ...clientOptions } = options
  const play = await startPlayLnbits({
    botBalanceSats: 100_000,
    seedWallets: [{ name: 'payer', balanceSats: 1_000_000 }],
    payWaitMs,
  })
  const lnbits = createLnbits({
    url: play.url,
    invoiceKey: play.bot.invoiceKey,
    adminKey: play.bot.adminKey,
    clock: systemClock,
    log: silentLog,
    ...clientOptions,
  })
  return {
    play,
    lnbits,
    invoice: (amountSats, expirySeconds = 600) =>
      lnbits.createInvoice({ amountSats, memo: 'a job', expirySeconds, extra: {} }),
    async payInside(bolt11) {
      const key = play.wallet('payer')?.adminKey ?? ''
      const paid = await rawCall(play.url, '/payments', { key, body: { out: true, bolt11 } })
      if (textAt(paid.json, 'status') !== 'success') throw new Error('the payer could not pay')
    },
    outside(amountSats) {
      const paymentHash = randomBytes(32).toString('hex')
      const bolt11 = encodeBolt11(
        {
          amountMsat: BigInt(amountSats) * 1000n,
          paymentHash,
          paymentSecret: '11'.repeat(32),
          createdAt: Math.floor(systemClock.now() / 1000),
          expirySeconds: 3600,
          description: 'elsewhere',
        },
        FAR_KEY,
      )
      if (!decodeBolt11(bolt11).ok) throw new Error('the invoice is not one')
      return { bolt11, paymentHash }
    },
    async [Symbol.asyncDispose]() {
      lnbits.close()
      await play.stop()
    },
  }
}
