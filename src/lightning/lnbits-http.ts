import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as TlsAgent, request as httpsRequest } from 'node:https'
import type { Clock } from '../clock.ts'
import { looseJson } from '../json.ts'
import { LNBITS_ANSWER_BYTES } from '../limits.ts'
import { LnbitsError } from './lnbits-error.ts'

export interface LnbitsCall {
  method: 'GET' | 'POST'
  /** Below `/api/v1`, with its query. */
  path: string
  /** Sent in a header only: in a URL it would end in somebody's access log. */
  key?: string
  body?: object
  timeoutMs: number
}

export interface LnbitsAnswer {
  status: number
  /** Parsed JSON, or `undefined` when the body was none. */
  json: unknown
}

export interface LnbitsHttp {
  /**
   * Sends a call. Rejects with `LnbitsError` when there is no whole answer; any status is an
   * answer.
   */
  send(call: LnbitsCall): Promise<LnbitsAnswer>
  close(): void
}

/** Uvicorn closes idle connections after 5 s; reusing one that it is closing would cut a call. */
const IDLE_MS = 4_000
/** These happen before a byte of ours has arrived anywhere. */
const NEVER_SENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']

/**
 * HTTP to one LNbits. Own code over Node's client because of what LNbits needs and `fetch` hides:
 * no redirects (a first installation answers 307 to everything), a size cap, whether a call may
 * have arrived, and no second call on a connection that carried a 5xx, for LNbits resets it (trap
 * 23).
 */
export function createLnbitsHttp({
  url,
  clock,
  sockets,
}: {
  url: string
  clock: Clock
  sockets: number
}): LnbitsHttp {
  const base = new URL(url)
  const secure = base.protocol === 'https:'
  const prefix = `${base.pathname.replace(/\/+$/, '')}/api/v1`
  const options = { keepAlive: true, maxSockets: sockets, timeout: IDLE_MS }
  const agent = secure ? new TlsAgent(options) : new Agent(options)
  const running = new Set<ClientRequest>()
  let closed = false

  const attempt = (call: LnbitsCall): Promise<LnbitsAnswer> => {
    const text = call.body === undefined ? undefined : JSON.stringify(call.body)
    const sent = (secure ? httpsRequest : httpRequest)({
      protocol: base.protocol,
      hostname: base.hostname.replace(/^\[|\]$/g, ''),
      port: base.port,
      path: prefix + call.path,
      method: call.method,
      agent,
      headers: {
        accept: 'application/json',
        ...(call.key === undefined ? {} : { 'x-api-key': call.key }),
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
    })
    running.add(sent)
    const over = new AbortController()
    void clock.sleep(call.timeoutMs, over.signal).then(() => {
      if (!over.signal.aborted) sent.destroy(new TimedOut())
    })
    const answered = new Promise<LnbitsAnswer>((resolve, reject) => {
      sent.on('error', reject)
      sent.on('response', (response) => {
        const { socket, statusCode: status = 0 } = response
        if (status >= 500) response.once('end', () => socket.destroy())
        readJson(response).then((json) => resolve({ status, json }), reject)
      })
    })
    sent.end(text)
    return answered
      .catch((error: unknown) => {
        throw noAnswer(error, call, sent.reusedSocket)
      })
      .finally(() => {
        running.delete(sent)
        over.abort(ANSWERED)
      })
  }

  return {
    async send(call) {
      if (closed) throw new LnbitsError('unreachable', { detail: 'closed' })
      try {
        return await attempt(call)
      } catch (error) {
        // A look-up on a connection that LNbits was just closing is asked again; it changes
        // nothing.
        if (call.method !== 'GET' || closed || !wasStale(error)) throw error
        return attempt(call)
      }
    },
    close() {
      closed = true
      for (const sent of running) sent.destroy(new Error('closed'))
      agent.destroy()
    },
  }
}

/** A reason given spares the making of an error, with its stack, for each call that went well. */
const ANSWERED = 'answered'

class TimedOut extends Error {
  readonly code = 'ETIMEDOUT'
}

/**
 * A POST may have arrived unless the connection never came to be; a look-up changes nothing anyhow.
 */
function noAnswer(error: unknown, call: LnbitsCall, reused: boolean): LnbitsError {
  const named = error instanceof Error && 'code' in error && typeof error.code === 'string'
  const code = named ? String(error.code) : 'broken'
  const wroteMaybe = call.method === 'POST' && !NEVER_SENT.includes(code)
  return new LnbitsError('unreachable', { wroteMaybe, detail: code, cause: { code, reused } })
}

function wasStale(error: unknown): boolean {
  if (!(error instanceof LnbitsError)) return false
  const { cause } = error
  if (typeof cause !== 'object' || cause === null || !('reused' in cause) || !('code' in cause)) {
    return false
  }
  return cause.reused === true && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE')
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    bytes += chunk.length
    if (bytes > LNBITS_ANSWER_BYTES) {
      response.destroy()
      return undefined
    }
    chunks.push(chunk)
  }
  return looseJson(Buffer.concat(chunks).toString('utf8'))
}
