import { once } from 'node:events'
import { appendFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { Agent, createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { decodeBolt11 } from '../../../src/lightning/bolt11.ts'
import { encodeBolt11 } from '../../../src/lightning/bolt11-encode.ts'
import { type PlayLnbits, startPlayLnbits } from '../../../src/sandbox/lnbits.ts'
import { at, listenTo, rawCall, textAt } from '../../support/lnbits-raw.ts'
import { askUntil } from '../../support/until.ts'

const create = (play: PlayLnbits, amount: number, key = play.bot.invoiceKey) =>
  rawCall(play.url, '/payments', { key, body: { out: false, amount, memo: 'a job' } })
const pay = (play: PlayLnbits, bolt11: string, key: string) =>
  rawCall(play.url, '/payments', { key, body: { out: true, bolt11 } })
const look = (play: PlayLnbits, hash: string) =>
  rawCall(play.url, `/payments/${hash}`, { key: play.bot.invoiceKey })
const outside = (hash: string, sats: number) =>
  encodeBolt11(
    {
      amountMsat: BigInt(sats) * 1000n,
      paymentHash: hash,
      paymentSecret: '11'.repeat(32),
      createdAt: Math.floor(systemClock.now() / 1000),
      expirySeconds: 600,
      description: 'elsewhere',
    },
    new Uint8Array(32).fill(3),
  )

describe('the books of the play-money LNbits', () => {
  let home: string
  let file: string
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'tithe-play-'))
    file = join(home, 'lnbits.json')
  })
  afterEach(() => rm(home, { recursive: true, force: true }))

  test('outlive it: wallets, keys, money, open invoices and the payee they name', async () => {
    const seedWallets = [{ name: 'customer', balanceSats: 500 }]
    const first = await startPlayLnbits({ file, seedWallets, botBalanceSats: 70 })
    const made = await create(first, 21)
    const bolt11 = textAt(made.json, 'bolt11')
    // As by kill -9: nothing is closed, nothing is written at the end.
    await first.outage()

    const second = await startPlayLnbits({ file, seedWallets, botBalanceSats: 70 })
    expect(second.bot).toEqual(first.bot)
    expect(second.wallet('customer')).toEqual(first.wallet('customer'))
    const paid = await pay(second, bolt11, second.wallet('customer')?.adminKey ?? '')
    expect(paid).toMatchObject({ status: 201, json: { status: 'success' } })
    expect(second.balanceMsat(second.bot.id)).toBe(91_000)
    expect(second.balanceMsat(second.wallet('customer')?.id ?? '')).toBe(479_000)
    const next = decodeBolt11(textAt((await create(second, 5)).json, 'bolt11'))
    const before = decodeBolt11(bolt11)
    expect(next.ok && before.ok && next.invoice.payee === before.invoice.payee).toBe(true)
    await second.stop()

    const third = await startPlayLnbits({ file })
    expect(third.books()).toEqual(second.books())
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    await third.stop()
    await first.stop()
  })

  test('are read up to a line that a kill cut in half', async () => {
    const first = await startPlayLnbits({ file, botBalanceSats: 70 })
    await first.stop()
    await appendFile(file, '{"row":{"checkingId":"ab')
    const second = await startPlayLnbits({ file })
    expect(second.balanceMsat(second.bot.id)).toBe(70_000)
    expect(await readFile(file, 'utf8')).not.toContain('"checkingId":"ab')
    await second.stop()
  })

  test('neither make nor lose a millisat, inside and to the outside', async () => {
    await using play = await startPlayLnbits({
      botBalanceSats: 10_000,
      seedWallets: [{ name: 'customer', balanceSats: 10_000 }],
      payWaitMs: 1,
    })
    const customer = play.wallet('customer')
    const wallets = [play.bot, customer ?? play.bot]
    const total = () => wallets.reduce((sum, { id }) => sum + play.balanceMsat(id), 0)
    for (let round = 0; round < 20; round++) {
      const [from, to] = round % 2 === 0 ? wallets : wallets.toReversed()
      const made = await create(play, 1 + round * 37, to?.invoiceKey)
      await pay(play, textAt(made.json, 'bolt11'), from?.adminKey ?? '')
    }
    expect(total()).toBe(20_000_000)
    play.node.behaviour = { kind: 'ok', feeMsat: 1_234 }
    await pay(play, outside('ab'.repeat(32), 100), play.bot.adminKey)
    expect(total()).toBe(20_000_000 - 100_000 - 1_234)
    play.node.behaviour = { kind: 'noRoute' }
    await pay(play, outside('cd'.repeat(32), 100), play.bot.adminKey)
    expect(total()).toBe(20_000_000 - 100_000 - 1_234)
    // A payment in flight holds its amount and the reserve until it ends.
    play.node.behaviour = { kind: 'inflight' }
    await pay(play, outside('ef'.repeat(32), 100), play.bot.adminKey)
    expect(total()).toBe(20_000_000 - 100_000 - 1_234 - 102_000)
  })
})

describe('the play-money LNbits', () => {
  test('answers a slow payment as pending, and shows its end to whoever asks (trap 5)', async () => {
    await using play = await startPlayLnbits({ botBalanceSats: 1_000, payWaitMs: 10 })
    const hash = 'ab'.repeat(32)
    play.node.script(hash, { kind: 'slow', ms: 60, feeMsat: 1_000 })
    const answer = await pay(play, outside(hash, 100), play.bot.adminKey)
    expect(answer).toMatchObject({ status: 201, json: { status: 'pending', fee: -2_000 } })
    const seen = await askUntil(
      () => look(play, hash),
      ({ json }) => at(json, ['paid']) === true,
    )
    expect(seen.json).toMatchObject({ details: { status: 'success', fee: -1_000 } })
  })

  test('keeps everybody waiting while it asks its node (trap 17)', async () => {
    await using play = await startPlayLnbits({ botBalanceSats: 1_000, payWaitMs: 80 })
    play.node.behaviour = { kind: 'inflight' }
    const order: string[] = []
    const paying = pay(play, outside('ab'.repeat(32), 100), play.bot.adminKey)
    await askUntil(
      () => play.books().length,
      (rows) => rows === 2,
    )
    const looking = rawCall(play.url, '/wallet', { key: play.bot.invoiceKey })
    await Promise.all([
      paying.then(() => order.push('paid')),
      looking.then(() => order.push('looked')),
    ])
    expect(order).toEqual(['paid', 'looked'])
  })

  test('says "unpaid" without a state while its node is away, and makes no invoice', async () => {
    await using play = await startPlayLnbits()
    const made = await create(play, 21)
    const hash = textAt(made.json, 'payment_hash')
    play.payFromOutside(hash, { announced: false })
    play.node.down = true
    const away = await look(play, hash)
    expect(away.json).toMatchObject({ paid: false, details: { status: 'pending' } })
    expect(at(away.json, ['status'])).toBeUndefined()
    expect(await create(play, 21)).toMatchObject({ status: 520, json: { status: 'pending' } })
    play.node.down = false
    const found = await look(play, hash)
    expect(found.json).toMatchObject({ paid: true, status: 'success' })
  })

  test('breaks the connection that carried a crash (trap 23)', async () => {
    await using play = await startPlayLnbits()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const health = async () => {
      const sent = request(`${play.url}/api/v1/health`, { agent })
      sent.end()
      const [response] = await once(sent, 'response')
      response.resume()
      await once(response, 'end')
      return response.statusCode
    }
    play.faults.add('health', { kind: 'crash' })
    expect(await health()).toBe(500)
    await expect(health()).rejects.toThrow()
    expect(await health()).toBe(200)
    agent.destroy()
  })

  test('tells an incoming payment twice, one that leaves once, and a hash to its listeners', async () => {
    await using play = await startPlayLnbits({ botBalanceSats: 100 })
    const other = play.createWallet('payee', 0)
    const made = await create(play, 5, other.invoiceKey)
    const hash = textAt(made.json, 'payment_hash')
    const [payer, payee, anybody] = await Promise.all([
      listenTo(play.url, play.bot.adminKey),
      listenTo(play.url, other.invoiceKey),
      listenTo(play.url, hash),
    ])
    await pay(play, textAt(made.json, 'bolt11'), play.bot.adminKey)
    await askUntil(
      () => anybody.messages.length,
      (count) => count === 3,
    )
    expect([payer, payee, anybody].map(({ messages }) => messages.length)).toEqual([1, 2, 3])
    expect(payee.messages[0]).toMatchObject({ wallet_balance: 5, payment: { amount: 5_000 } })
    for (const ears of [payer, payee, anybody]) ears.close()
  })

  test('comes back on its port after an outage, and its faults are used up', async () => {
    await using play = await startPlayLnbits()
    await play.outage()
    await expect(rawCall(play.url, '/health')).rejects.toThrow('ECONNREFUSED')
    await play.recover()
    play.faults.add('any', { kind: 'rateLimited' })
    play.faults.add('any', { kind: 'firstInstall' })
    expect(await rawCall(play.url, '/health')).toMatchObject({
      status: 429,
      json: { error: 'Rate limit exceeded: 200 per 1 minute' },
    })
    expect(await rawCall(play.url, '/health')).toMatchObject({
      status: 307,
      location: '/first_install',
    })
    expect((await rawCall(play.url, '/health')).status).toBe(200)
    expect(play.faults.calls.health).toBe(3)
  })
})

describe('a webhook of the play-money LNbits (trap 9)', () => {
  /** A play-money LNbits, and what comes to an address of somebody who answers 500. */
  async function hooked() {
    const play = await startPlayLnbits({ seedWallets: [{ name: 'payer', balanceSats: 500 }] })
    const heard: unknown[] = []
    const server = createServer(async (incoming, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk)
      heard.push(JSON.parse(Buffer.concat(chunks).toString('utf8')))
      response.writeHead(500).end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const invoice = async () => {
      const webhook = `http://127.0.0.1:${port}/paid`
      const { json } = await rawCall(play.url, '/payments', {
        key: play.bot.invoiceKey,
        body: { out: false, amount: 21, webhook },
      })
      expect(textAt(json, 'webhook')).toBe(webhook)
      return { bolt11: textAt(json, 'bolt11'), paymentHash: textAt(json, 'payment_hash') }
    }
    const end = async () => {
      await play.stop()
      server.closeAllConnections()
      server.close()
    }
    return { play, heard, invoice, [Symbol.asyncDispose]: end }
  }

  test('is JSON in a JSON text, comes twice for a payment inside, and a 500 is final', async () => {
    await using lab = await hooked()
    const made = await lab.invoice()
    await pay(lab.play, made.bolt11, lab.play.wallet('payer')?.adminKey ?? '')
    await askUntil(
      async () => lab.heard.length,
      (count) => count === 2,
    )
    const other = await lab.invoice()
    lab.play.payFromOutside(other.paymentHash)
    await askUntil(
      async () => lab.heard.length,
      (count) => count === 3,
    )
    const said = lab.heard.map((text) => JSON.parse(String(text)))
    expect(said.map((payment) => [payment.payment_hash, payment.status])).toEqual([
      [made.paymentHash, 'success'],
      [made.paymentHash, 'success'],
      [other.paymentHash, 'success'],
    ])
  })

  test('is the object itself in old versions, or never comes', async () => {
    await using lab = await hooked()
    lab.play.faults.webhook = 'missing'
    lab.play.payFromOutside((await lab.invoice()).paymentHash)
    lab.play.faults.webhook = 'object'
    const { paymentHash } = await lab.invoice()
    lab.play.payFromOutside(paymentHash)
    await askUntil(
      async () => lab.heard.length,
      (count) => count > 0,
    )
    expect(lab.heard).toEqual([expect.objectContaining({ payment_hash: paymentHash })])
  })

  test('to what is no web address is refused with the invoice', async () => {
    await using lab = await hooked()
    const { status } = await rawCall(lab.play.url, '/payments', {
      key: lab.play.bot.invoiceKey,
      body: { out: false, amount: 21, webhook: 'file:///etc/passwd' },
    })
    expect(status).toBe(400)
  })
})
