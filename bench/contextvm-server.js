import { EncryptionMode } from '@contextvm/sdk/core'
import { LnBolt11LnbitsPaymentProcessor, withServerPayments } from '@contextvm/sdk/payments'
import { PrivateKeySigner } from '@contextvm/sdk/signer'
import { NostrServerTransport } from '@contextvm/sdk/transport'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'

/*
 * The paid server of the ContextVM SDK as its documentation puts it together: one tool with a price, invoices of
 * LNbits, every message encrypted. A process of a bench.
 */

const { relay, lnbitsUrl, lnbitsApiKey, privateKey } = JSON.parse(process.argv[2])
const server = new McpServer({ name: 'paid', version: '1.0.0' })
server.registerTool('ask', { description: 'answers' }, async () => ({
  content: [{ type: 'text', text: 'an answer' }],
}))
const transport = new NostrServerTransport({
  signer: new PrivateKeySigner(privateKey),
  relayHandler: [relay],
  encryptionMode: EncryptionMode.REQUIRED,
  isAnnouncedServer: false,
  logLevel: 'error',
  maxSessions: 1000,
})
withServerPayments(transport, {
  processors: [new LnBolt11LnbitsPaymentProcessor({ lnbitsUrl, lnbitsApiKey })],
  pricedCapabilities: [{ method: 'tools/call', name: 'ask', amount: 21, currencyUnit: 'sats' }],
})
await server.connect(transport)
process.on('disconnect', () => process.exit())
process.send('ready')
