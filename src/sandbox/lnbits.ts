import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Clock, systemClock } from '../clock.ts'
import { looseJson } from '../json.ts'
import type { Answer } from './lnbits-answers.ts'
import { openBooks, type PlayRow, type PlayWallet } from './lnbits-books.ts'
import { type CallFault, createFaults, type PlayFaults } from './lnbits-faults.ts'
import { createPlayNode, type PlayNode } from './lnbits-node.ts'
import { loadNodeSignature } from './node-signature.ts'
import { addInvoice, type PaymentsParts, settleIncoming } from './lnbits-payments.ts'
import { answer, type PlayParts, type PlayRequest, routeOf } from './lnbits-routes.ts'
import { createListeners } from './lnbits-listeners.ts'
import { createWebhooks } from './lnbits-webhooks.ts'

export interface PlayLnbitsOptions {
  /** 0 takes a free port. */
  port?: number
  /** USD per BTC. */
  rateUsd?: number
  /** Where the books are kept; without it they die with the process. */
  file?: string
  /** Sats the bot's wallet starts with. */
  botBalanceSats?: number
  /** Wallets that exist from the start; one that `file` already holds keeps its money. */
  seedWallets?: { name: string; balanceSats: number }[]
  /** How long a payment may take before LNbits answers `pending`. */
  payWaitMs?: number
  clock?: Clock
}

export interface PlayLnbits extends AsyncDisposable {
  readonly url: string
  readonly bot: PlayWallet & { walletId: string }
  readonly faults: PlayFaults
  readonly node: PlayNode
  createWallet(name: string, balanceSats: number): PlayWallet
  wallet(name: string): PlayWallet | undefined
  /** Every row of every wallet: the outside truth that checkers add up. */
  books(): PlayRow[]
  balanceMsat(walletId: string): number
  /**
   * Somebody outside pays this invoice. `announced` false is a node whose stream LNbits was not
   * listening to: nothing is known until somebody asks by hash, in time.
   */
  payFromOutside(paymentHash: string, how?: { announced?: boolean; feeMsat?: number }): void
  /** As a crash or a stopped container: nothing listens, every connection is cut. */
  outage(): Promise<void>
  recover(): Promise<void>
  stop(): Promise<void>
}

const BODY_BYTES_MAX = 1024 * 1024
const PAY_WAIT_MS = 5000

/** Starts a play-money LNbits on loopback, speaking the API of LNbits 1.6.2 with its oddities. */
export async function startPlayLnbits(options: PlayLnbitsOptions = {}): Promise<PlayLnbits> {
  const clock = options.clock ?? systemClock
  const books = openBooks({ clock, ...(options.file === undefined ? {} : { file: options.file }) })
  const faults = createFaults(options.rateUsd ?? 100_000)
  const node = createPlayNode(clock)
  const stopping = new AbortController()
  const listeners = createListeners({ books, faults, signal: stopping.signal })
  const parts: PlayParts = {
    books,
    node,
    sign: await loadNodeSignature(),
    clock,
    faults,
    payWaitMs: options.payWaitMs ?? PAY_WAIT_MS,
    signal: stopping.signal,
    announce: listeners.announce,
    callWebhook: createWebhooks(faults, stopping.signal),
    forge: listeners.forge,
    startedAt: clock.now(),
  }
  const door = createDoor(parts, faults, listeners)
  const port = await door.open(options.port ?? 0)
  const createWallet = (name: string, balanceSats: number) => {
    const wallet = books.addWallet(name)
    if (balanceSats > 0) credit(parts, wallet, balanceSats)
    return wallet
  }
  const named = (name: string) => books.wallets().find((wallet) => wallet.name === name)
  for (const { name, balanceSats } of options.seedWallets ?? []) {
    if (!named(name)) createWallet(name, balanceSats)
  }
  const bot = named('bot') ?? createWallet('bot', options.botBalanceSats ?? 0)
  const lnbits: PlayLnbits = {
    url: `http://127.0.0.1:${port}`,
    bot: { ...bot, walletId: bot.id },
    faults,
    node,
    createWallet,
    wallet: named,
    books: () => books.rows().map((row) => ({ ...row })),
    balanceMsat: books.balanceMsat,
    payFromOutside(paymentHash, { announced = true, feeMsat = 0 } = {}) {
      node.receive(paymentHash)
      if (announced) settleIncoming(parts, paymentHash, feeMsat)
    },
    outage: door.close,
    recover: async () => void (await door.open(port)),
    async stop() {
      stopping.abort()
      await door.close()
    },
    [Symbol.asyncDispose]: () => lnbits.stop(),
  }
  return lnbits
}

/**
 * What an operator's credit in LNbits' own pages makes: a success row that no invoice was asked
 * for.
 */
function credit(parts: PaymentsParts, wallet: PlayWallet, sats: number): void {
  const row = addInvoice(parts, wallet, {
    amountMsat: sats * 1000,
    memo: 'Admin credit',
    expirySeconds: 3600,
    extra: {},
    labels: [],
    externalId: null,
  })
  parts.announce(parts.books.save(row, { status: 'success' }), 1)
}

interface Door {
  /** Listens; answers the port. */
  open(port: number): Promise<number>
  close(): Promise<void>
}

function createDoor(
  parts: PlayParts,
  faults: ReturnType<typeof createFaults>,
  listeners: ReturnType<typeof createListeners>,
): Door {
  const sockets = new Set<Socket>()
  const broken = new WeakSet<Socket>()
  /** LNbits holds its database while it waits for its node; everything else stands in line. */
  let busy: Promise<unknown> = Promise.resolve()

  const respond = async (incoming: IncomingMessage, response: ServerResponse) => {
    if (broken.has(incoming.socket)) return void incoming.socket.resetAndDestroy()
    const request = await readRequest(incoming)
    const route = routeOf(request)
    const fault = faults.take(route.call, route.paymentHash)
    if (fault?.kind === 'hang') await parts.clock.sleep(fault.ms, parts.signal)
    const early = fault && answerInstead(fault, false)
    if (early === 'cut') return void incoming.socket.resetAndDestroy()
    await busy
    const working = early ?? answer(parts, route, request)
    if (route.call === 'pay') busy = Promise.resolve(working).catch(() => undefined)
    const real = await working
    const sent = (fault && answerInstead(fault, true, real)) ?? real
    if (sent === 'cut') return void incoming.socket.resetAndDestroy()
    send(response, sent)
    if (sent.breaks) broken.add(incoming.socket)
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, response) => {
    respond(incoming, response).catch(() => incoming.socket.destroy())
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (incoming, socket, head) => listeners.accept(incoming, socket, head))

  return {
    async open(port) {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      return typeof address === 'object' && address !== null ? address.port : port
    },
    async close() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      listeners.drop()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** What a fault answers before (`after` false) or after the effect, if it answers at all then. */
function answerInstead(
  fault: CallFault,
  after: boolean,
  real?: Answer,
): Answer | 'cut' | undefined {
  if (fault.kind === 'alter') {
    if (!after || !real || typeof real.body !== 'object' || real.body === null) return undefined
    return real.status < 400 ? { ...real, body: fault.alter({ ...real.body }) } : undefined
  }
  if (fault.kind === 'hang') return undefined
  const later = 'after' in fault && fault.after === true
  if (later !== after) return undefined
  switch (fault.kind) {
    case 'crash':
      return { status: 500, body: { detail: 'Unexpected error! ID: play' }, breaks: true }
    case 'cut':
      return 'cut'
    case 'rateLimited':
      return { status: 429, body: { error: 'Rate limit exceeded: 200 per 1 minute' } }
    case 'html':
      return { status: fault.status ?? 520, body: '<html><title>Web server error</title></html>' }
    case 'firstInstall':
      return { status: 307, body: '' }
    case 'answer':
      return { status: fault.status, body: fault.body }
  }
}

function send(response: ServerResponse, { status, body }: Answer): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, {
    'content-type': typeof body === 'string' ? 'text/html' : 'application/json',
    'content-length': Buffer.byteLength(text),
    ...(status === 307 ? { location: '/first_install' } : {}),
  })
  response.end(text)
}

async function readRequest(incoming: IncomingMessage): Promise<PlayRequest> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) throw new Error('the body is too large')
    chunks.push(chunk)
  }
  const url = new URL(incoming.url ?? '/', 'http://play')
  const key = incoming.headers['x-api-key']
  return {
    method: incoming.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    key: typeof key === 'string' ? key : undefined,
    body: looseJson(Buffer.concat(chunks).toString('utf8')),
  }
}
