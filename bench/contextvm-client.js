import { EncryptionMode } from '@contextvm/sdk/core'
import { withClientPayments } from '@contextvm/sdk/payments'
import { PrivateKeySigner } from '@contextvm/sdk/signer'
import { NostrClientTransport } from '@contextvm/sdk/transport'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { generateSecretKey } from 'nostr-tools/pure'

/*
 * Customers of the paid server, each with a key and a client of its own: they call the tool until its invoice is
 * there, and call again. A process of a bench.
 */

const { relay, server, clients, seconds } = JSON.parse(process.argv[2])
const CALL_MS = 120_000
/** As long as the customers of tithe get. */
const WARM_UP_SECONDS = 1

async function connect() {
  const waiting = []
  const transport = new NostrClientTransport({
    signer: new PrivateKeySigner(Buffer.from(generateSecretKey()).toString('hex')),
    relayHandler: [relay],
    serverPubkey: server,
    encryptionMode: EncryptionMode.REQUIRED,
    logLevel: 'error',
  })
  const paying = withClientPayments(transport, {
    handlers: [
      {
        pmi: 'bitcoin-lightning-bolt11',
        // The invoice is what was waited for; nobody pays it.
        async handle() {
          waiting.shift()?.()
        },
      },
    ],
  })
  const client = new Client({ name: 'customer', version: '1.0.0' })
  await client.connect(paying)
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve)
      client.callTool({ name: 'ask', arguments: {} }, undefined, { timeout: CALL_MS }).catch(() => {})
    })
}

const calls = []
for (let count = 0; count < clients; count += 1) calls.push(await connect())
await converse(WARM_UP_SECONDS)
process.send(await converse(seconds))
process.on('disconnect', () => process.exit())

async function converse(seconds) {
  const times = []
  const began = performance.now()
  const until = began + seconds * 1000
  await Promise.all(
    calls.map(async (call) => {
      while (performance.now() < until) {
        const asked = performance.now()
        await call()
        times.push(performance.now() - asked)
      }
    }),
  )
  return { count: times.length, seconds: (performance.now() - began) / 1000, times }
}
