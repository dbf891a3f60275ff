import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { HTTP_ANSWER_MS, HTTP_CONNECTIONS, HTTP_HEADER_BYTES, HTTP_REQUEST_MS } from '../limits.ts'
import type { Log } from '../log.ts'

/** An answer about the daemon. `detail` is for the operator and holds no secret. */
export interface Health {
  ok: boolean
  detail: string
}

/** A file of the status page, kept in memory. */
export interface PageFile {
  contentType: string
  body: string | Buffer
}

export interface HttpOptions {
  /** 0 takes any free port. */
  port: number
  host?: string
  log: Log
  /** Is the process worth keeping? A supervisor restarts it on false. */
  health(): Health
  /** Can it serve now? A load balancer or a person looks here. */
  ready(): Promise<Health>
  metrics: { render(): Promise<string>; readonly contentType: string }
  /** By path, such as `/` and `/page.js`. */
  page?: ReadonlyMap<string, PageFile>
}

/** The port for the operator, open until `stop`, which waits and may be called twice. */
export interface HttpDoor extends AsyncDisposable {
  readonly port: number
  readonly url: string
  stop(): Promise<void>
}

/** An open answer is cut off this long after `stop`, milliseconds. */
const STOP_MS = 1_000
/** How often Node looks for requests that take too long, milliseconds. */
const CHECK_MS = 1_000

/**
 * Serves `/healthz`, `/readyz`, `/metrics` and the status page. Reads are all it knows: GET and
 * HEAD, no body, no query, nothing from the request reaches an answer.
 * @throws Error with the remedy when the port cannot be had.
 */
export async function startHttp(options: HttpOptions): Promise<HttpDoor> {
  const { port: asked, host = '127.0.0.1', log } = options
  const limits = {
    maxHeaderSize: HTTP_HEADER_BYTES,
    headersTimeout: HTTP_REQUEST_MS,
    requestTimeout: HTTP_REQUEST_MS,
    keepAliveTimeout: HTTP_REQUEST_MS,
    connectionsCheckingInterval: CHECK_MS,
  }
  const server = createServer(limits, (request, response) => {
    answer(options, request)
      .catch((error: unknown) => {
        log.error({ err: error }, 'an HTTP answer failed')
        return text(500, 'something failed; the log says what')
      })
      .then((reply) => write(response, request, reply))
  })
  server.maxConnections = HTTP_CONNECTIONS
  await listen(server, asked, host)
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : asked
  const name = host.includes(':') ? `[${host}]` : host
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= close(server)
    return stopped
  }
  return { port, url: `http://${name}:${port}`, stop, [Symbol.asyncDispose]: stop }
}

interface Reply {
  status: number
  contentType: string
  body: string | Buffer
  headers?: Record<string, string>
}

async function answer(options: HttpOptions, request: IncomingMessage): Promise<Reply> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { ...text(405, 'only GET and HEAD'), headers: { allow: 'GET, HEAD' } }
  }
  const path = request.url?.split('?', 1)[0] ?? '/'
  const file = options.page?.get(path)
  if (file) return { status: 200, ...file }
  switch (path) {
    case '/':
      return text(200, 'tithe: /healthz, /readyz and /metrics are here')
    case '/healthz':
      return health(options.health())
    case '/readyz':
      return health(await within(options.ready(), { ok: false, detail: 'no answer in time' }))
    case '/metrics': {
      const { metrics } = options
      const body = await within(metrics.render(), undefined)
      return body === undefined
        ? text(503, 'no answer in time')
        : { status: 200, contentType: metrics.contentType, body }
    }
    default:
      return text(404, 'nothing is here')
  }
}

const text = (status: number, body: string): Reply => ({
  status,
  contentType: 'text/plain; charset=utf-8',
  body: `${body}\n`,
})

const health = ({ ok, detail }: Health): Reply => ({
  status: ok ? 200 : 503,
  contentType: 'application/json; charset=utf-8',
  body: `${JSON.stringify({ ok, detail })}\n`,
})

/** What `promise` gives, or `late` when it takes longer than an answer may. */
async function within<T, L>(promise: Promise<T>, late: L): Promise<T | L> {
  const limit = AbortSignal.timeout(HTTP_ANSWER_MS)
  return Promise.race([promise, once(limit, 'abort').then(() => late)])
}

/**
 * The page talks to relays and loads nothing from anywhere else, so scripts, styles and pictures
 * come from here alone and connections go to WebSockets alone.
 */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

function write(response: ServerResponse, request: IncomingMessage, reply: Reply): void {
  // A body is never read. The connection it would have come by cannot be used again.
  const hasBody = 'content-length' in request.headers || 'transfer-encoding' in request.headers
  if (hasBody || request.method === 'POST') response.shouldKeepAlive = false
  response.writeHead(reply.status, {
    ...HEADERS,
    ...reply.headers,
    'content-type': reply.contentType,
    'content-length': Buffer.byteLength(reply.body),
  })
  response.end(request.method === 'HEAD' ? undefined : reply.body)
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  server.listen({ port, host, exclusive: true })
  try {
    await once(server, 'listening')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    const why = refusals.get(code) ?? `cannot be opened (${code})`
    throw new Error(
      `HTTP port ${port} on ${host} ${why}. Set HTTP_PORT to a free one, or to 0 for any.`,
      { cause },
    )
  }
}

const refusals = new Map<unknown, string>([
  ['EADDRINUSE', 'is in use by another program'],
  ['EACCES', 'is reserved for the system'],
  ['EADDRNOTAVAIL', 'is no address of this machine; see HTTP_HOST'],
])

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  const limit = AbortSignal.timeout(STOP_MS)
  limit.addEventListener('abort', () => server.closeAllConnections())
  await closed
}
