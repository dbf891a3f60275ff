import { isIP } from 'node:net'
import { RELAY_URL_CHARS } from '../limits.ts'
import { isPublicName } from '../net-guard.ts'

export type RelayUrlFault =
  | 'not-a-url'
  | 'too-long'
  | 'scheme'
  | 'userinfo'
  | 'port'
  | 'ip-literal'
  | 'local-name'

export type RelayUrlCheck = { ok: true; url: string } | { ok: false; reason: RelayUrlFault }

/**
 * One spelling per relay, so that two spellings never make two sockets: lower-case scheme and host, no default port,
 * no user or password (this spelling is logged), no fragment, no slash at the end. Undefined when it is no `ws:` or
 * `wss:` URL.
 */
export function normaliseRelayUrl(text: string): string | undefined {
  const url = readUrl(text)
  return url === undefined ? undefined : spell(url)
}

/**
 * Judges a relay URL that came from the network (kinds 10050 and 10002, NIP-90 `relays`): `wss:` only,
 * no user or password, default port or one from 1024 up, a public DNS name. `allow` holds the
 * operator's own relays, which are taken as they are. What the name resolves to is checked when the
 * connection is made (`publicLookup`).
 */
export function checkRelayUrl(text: string, options: { allow: readonly string[] }): RelayUrlCheck {
  if (typeof text !== 'string') return { ok: false, reason: 'not-a-url' }
  if (text.length > RELAY_URL_CHARS) return { ok: false, reason: 'too-long' }
  const url = readUrl(text)
  if (url === undefined) return { ok: false, reason: 'not-a-url' }
  const spelled = spell(url)
  if (options.allow.some((own) => own === spelled || normaliseRelayUrl(own) === spelled)) {
    return { ok: true, url: spelled }
  }
  const reason = fault(url)
  return reason === undefined ? { ok: true, url: spelled } : { ok: false, reason }
}

/** The usable URLs of a stranger's list in its order, each relay once, at most `max`. */
export function usableRelayUrls(
  texts: readonly string[],
  options: { allow: readonly string[]; max: number },
): string[] {
  const urls = new Set<string>()
  for (const text of texts) {
    if (urls.size === options.max) break
    const check = checkRelayUrl(text, options)
    if (check.ok) urls.add(check.url)
  }
  return [...urls]
}

function fault(url: URL): RelayUrlFault | undefined {
  if (url.protocol !== 'wss:') return 'scheme'
  if (url.username !== '' || url.password !== '') return 'userinfo'
  // Low ports speak protocols whose servers may take a handshake for a command.
  if (url.port !== '' && Number(url.port) < 1024) return 'port'
  if (url.hostname.startsWith('[') || isIP(url.hostname) !== 0) return 'ip-literal'
  return isPublicName(url.hostname) ? undefined : 'local-name'
}

function readUrl(text: string): URL | undefined {
  // The URL parser deletes tabs and line ends silently; a list entry with them is no honest one.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\s\u0000-\u001f\u007f\\]/.test(text.trim())) return undefined
  const url = URL.parse(text.trim())
  if (url === null || (url.protocol !== 'wss:' && url.protocol !== 'ws:')) return undefined
  return url.hostname === '' ? undefined : url
}

function spell(url: URL): string {
  const host = url.host.replace(/\.(?=$|:)/, '')
  return `${url.protocol}//${host}${url.pathname.replace(/\/+$/, '')}${url.search}`
}
