import { startPlayLnbits } from '../src/sandbox/lnbits.ts'
import { startRelay } from '../src/sandbox/relay.ts'

/*
 * A process of a bench: the relays and the play-money LNbits, so that neither shares a thread with the daemon
 * or with its customers. Ends with its parent.
 */

const PAYER_SATS = 1e9
const EVENTS_MAX = 400_000

const count = Number(process.argv[2] ?? '1')
const relays = await Promise.all(
  Array.from({ length: count }, () => startRelay({ eventsMax: EVENTS_MAX })),
)
const lnbits = await startPlayLnbits({
  seedWallets: [{ name: 'payer', balanceSats: PAYER_SATS }],
})
process.on('disconnect', () => process.exit())
process.send?.({
  relays: relays.map((relay) => relay.url),
  lnbitsUrl: lnbits.url,
  invoiceKey: lnbits.bot.invoiceKey,
  payerKey: lnbits.wallet('payer')?.adminKey,
})
