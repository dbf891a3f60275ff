import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { type PaymentEvents, watchPayments } from '../../../src/lightning/lnbits-events.ts'
import { silentLog } from '../../../src/log.ts'
import { type PlayLnbits, startPlayLnbits } from '../../../src/sandbox/lnbits.ts'
import { rawCall, textAt } from '../../support/lnbits-raw.ts'
import { askUntil } from '../../support/until.ts'

let play: PlayLnbits
let events: PaymentEvents
let hints: (string | undefined)[] = []
let ups = 0

beforeEach(async () => {
  play = await startPlayLnbits({
    botBalanceSats: 100,
    seedWallets: [{ name: 'payer', balanceSats: 10_000 }],
  })
  hints = []
  ups = 0
  events = watch(play.url)
})
afterEach(async () => {
  await events.stop()
  await play.stop()
})

function watch(url: string, pingMs = 20_000): PaymentEvents {
  return watchPayments({
    url,
    invoiceKey: play.bot.invoiceKey,
    clock: systemClock,
    log: silentLog,
    onHint: (hash) => hints.push(hash),
    onUp: () => {
      ups += 1
    },
    pingMs,
    retryMsMax: 50,
  })
}

const isUp = () =>
  askUntil(
    () => ups,
    (count) => count > 0,
  )

async function payOne(): Promise<string> {
  const made = await rawCall(play.url, '/payments', {
    key: play.bot.invoiceKey,
    body: { out: false, amount: 5 },
  })
  const key = play.wallet('payer')?.adminKey ?? ''
  await rawCall(play.url, '/payments', {
    key,
    body: { out: true, bolt11: textAt(made.json, 'bolt11') },
  })
  return textAt(made.json, 'payment_hash')
}

test('a payment is hinted at, as often as LNbits tells it', async () => {
  events.start()
  await isUp()
  const hash = await payOne()
  await askUntil(
    () => hints.length,
    (count) => count >= 2,
  )
  expect(new Set(hints)).toEqual(new Set([hash]))
})

test('what leaves the wallet is no hint', async () => {
  events.start()
  await isUp()
  const other = play.createWallet('payee', 0)
  const made = await rawCall(play.url, '/payments', {
    key: other.invoiceKey,
    body: { out: false, amount: 5 },
  })
  await rawCall(play.url, '/payments', {
    key: play.bot.adminKey,
    body: { out: true, bolt11: textAt(made.json, 'bolt11') },
  })
  const hash = await payOne()
  await askUntil(
    () => hints.length,
    (count) => count >= 2,
  )
  expect(new Set(hints)).toEqual(new Set([hash]))
})

// Trap 8: the socket is open to everybody. A forged message may cost a question, nothing more.
test('a forged or broken message is a hint without a hash at most (trap 8)', async () => {
  events.start()
  await isUp()
  const lies = [
    '{"payment":{"payment_hash":"zz","amount":1}}',
    'not json',
    '[]',
    '{"pending":false}',
  ]
  for (const lie of lies) {
    const path = `/ws/${play.bot.invoiceKey}?data=${encodeURIComponent(lie)}`
    await rawCall(play.url, path, { method: 'POST' })
  }
  await askUntil(
    () => hints.length,
    (count) => count === lies.length,
  )
  expect(hints).toEqual(Array(lies.length).fill(undefined))
})

test('after an outage the line comes back and asks to catch up', async () => {
  events.start()
  await isUp()
  await play.outage()
  await askUntil(
    () => events.state(),
    (state) => state === 'down',
  )
  await play.recover()
  await askUntil(
    () => ups,
    (count) => count === 2,
  )
  expect(events.state()).toBe('up')
  const hash = await payOne()
  await askUntil(
    () => hints,
    (heard) => heard.includes(hash),
  )
})

test('a line that answers no ping is given up', async () => {
  const mute = createServer((socket) => {
    socket.on('error', () => undefined)
    // Accepts the upgrade and then says nothing, not even a pong.
    socket.once('data', (head) => {
      const key = /sec-websocket-key: (.+)\r\n/i.exec(String(head))?.[1] ?? ''
      socket.write(acceptUpgrade(key))
    })
  })
  mute.listen(0, '127.0.0.1')
  await once(mute, 'listening')
  const address = mute.address()
  const port = typeof address === 'object' && address ? address.port : 0
  let nowMs = 0
  const clock = {
    now: () => nowMs,
    sleep: (ms: number, signal?: AbortSignal) => {
      nowMs += ms
      return systemClock.sleep(1, signal)
    },
  }
  const deaf = watchPayments({
    url: `http://127.0.0.1:${port}`,
    invoiceKey: 'k'.repeat(32),
    clock,
    log: silentLog,
    onHint: () => undefined,
    onUp: () => {
      ups += 1
    },
  })
  deaf.start()
  await askUntil(
    () => ups,
    (count) => count >= 2,
  )
  await deaf.stop()
  mute.close()
})

test('stopping ends the line, before and after it has started', async () => {
  await events.stop()
  events.start()
  expect(events.state()).toBe('stopped')
  await events.stop()
  expect(ups).toBe(0)
})

/** RFC 6455, section 4.2.2. */
function acceptUpgrade(key: string): string {
  const digest = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
  const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
  return `${head.join('\r\n')}\r\nSec-WebSocket-Accept: ${digest.digest('base64')}\r\n\r\n`
}
