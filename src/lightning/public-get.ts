import type { LookupAddress } from 'node:dns'
import { request } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { LNURL_BYTES, LNURL_MS } from '../limits.ts'
import { isPublicName, publicLookup } from '../net-guard.ts'

/** Why a URL that a stranger named was not read. */
export type GetRefusal = 'url' | 'unreachable' | 'answer'

export type GetAnswer = { ok: true; json: unknown } | { ok: false; reason: GetRefusal }

export interface PublicGetOptions {
  /** Gives the addresses of a host, checked; the Internet's own unless a test says otherwise. */
  lookup?: LookupFunction
  timeoutMs?: number
  /** Where tests listen, and whose certificates they show. */
  testing?: { port: number; ca: string }
}

/**
 * Reads JSON from https URLs that strangers name, without becoming their hands inside our network:
 * https on its own port only, no address literals, no credentials in the URL, public addresses
 * only, each host resolved once and its address kept for as long as this function lives (a second
 * answer could be another one), no redirects, at most `LNURL_BYTES`, at most `LNURL_MS` from the
 * look-up to the last byte. Never throws.
 */
export function createPublicGet(options: PublicGetOptions = {}): (url: URL) => Promise<GetAnswer> {
  const lookup = pinned(options.lookup ?? publicLookup())
  return async (url) => {
    if (!isAllowed(url)) return { ok: false, reason: 'url' }
    const text = await read(url, lookup, options)
    if (text === undefined) return { ok: false, reason: 'unreachable' }
    try {
      return { ok: true, json: JSON.parse(text) }
    } catch {
      return { ok: false, reason: 'answer' }
    }
  }
}

/**
 * A URL writes an IPv4 address in many ways; the parser has made them one by the time it is asked.
 */
function isAllowed(url: URL): boolean {
  return (
    url.protocol === 'https:' &&
    url.port === '' &&
    url.username === '' &&
    url.password === '' &&
    isPublicName(url.hostname)
  )
}

function read(
  url: URL,
  lookup: LookupFunction,
  { timeoutMs = LNURL_MS, testing }: PublicGetOptions,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const sent = request({
      hostname: url.hostname,
      port: testing?.port ?? 443,
      path: url.pathname + url.search,
      agent: false,
      lookup,
      signal: AbortSignal.timeout(timeoutMs),
      headers: { accept: 'application/json', host: url.host },
      servername: url.hostname,
      ...(testing === undefined ? {} : { ca: testing.ca }),
    })
    const giveUp = () => {
      sent.destroy()
      resolve(undefined)
    }
    sent.on('error', giveUp)
    sent.on('response', (response) => {
      if (response.statusCode !== 200) return giveUp()
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('error', giveUp)
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > LNURL_BYTES) return giveUp()
        chunks.push(chunk)
      })
      response.on('end', () => {
        resolve(Buffer.concat(chunks).toString('utf8'))
        sent.destroy()
      })
    })
    sent.end()
  })
}

/** Asks for a host's addresses once. A refusal is kept as well. */
function pinned(lookup: LookupFunction): LookupFunction {
  const kept = new Map<string, Promise<LookupAddress[]>>()
  const ask = (hostname: string) =>
    new Promise<LookupAddress[]>((resolve, reject) => {
      lookup(hostname, { all: true }, (error, found, family) => {
        if (error) return reject(error)
        if (typeof found !== 'string') return resolve(found)
        resolve([{ address: found, family: family ?? isIP(found) }])
      })
    })
  return (hostname, options, callback) => {
    const asked = kept.get(hostname) ?? ask(hostname)
    kept.set(hostname, asked)
    asked.then(
      (addresses) => {
        if (options.all) return callback(null, addresses)
        const [first] = addresses
        if (first) return callback(null, first.address, first.family)
        callback(new Error('no address'), '', 0)
      },
      (error) => callback(error instanceof Error ? error : new Error('no address'), '', 0),
    )
  }
}
