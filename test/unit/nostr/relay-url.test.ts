import { expect, test } from 'vitest'
import {
  checkRelayUrl,
  normaliseRelayUrl,
  type RelayUrlFault,
  usableRelayUrls,
} from '../../../src/nostr/relay-url.ts'

const REFUSED: [string, RelayUrlFault][] = [
  ['', 'not-a-url'],
  ['relay.one.tld', 'not-a-url'],
  ['wss://', 'not-a-url'],
  ['wss:///path', 'local-name'],
  ['https://relay.one.tld', 'not-a-url'],
  ['file:///etc/passwd', 'not-a-url'],
  ['javascript:alert(1)', 'not-a-url'],
  ['wss://relay one.tld', 'not-a-url'],
  ['wss://relay.one.tld/\n127.0.0.1', 'not-a-url'],
  ['wss://relay.one.tld\\@10.0.0.1', 'not-a-url'],
  ['wss://relay.one.tld:99999', 'not-a-url'],
  [`wss://relay.one.tld/${'a'.repeat(300)}`, 'too-long'],
  ['ws://relay.one.tld', 'scheme'],
  ['WS://RELAY.ONE.TLD', 'scheme'],
  ['wss://me@relay.one.tld', 'userinfo'],
  ['wss://me:secret@relay.one.tld', 'userinfo'],
  ['wss://relay.one.tld@127.0.0.1', 'userinfo'],
  ['wss://relay.one.tld:22', 'port'],
  ['wss://relay.one.tld:80', 'port'],
  ['wss://relay.one.tld:1023', 'port'],
  ['wss://relay.one.tld:0', 'port'],
  ['wss://127.0.0.1', 'ip-literal'],
  ['wss://127.1', 'ip-literal'],
  ['wss://0x7f000001', 'ip-literal'],
  ['wss://2130706433', 'ip-literal'],
  ['wss://0177.0.0.1', 'ip-literal'],
  ['wss://%31%32%37.0.0.1', 'ip-literal'],
  ['wss://１２７.0.0.1', 'ip-literal'],
  ['wss://127.0.0.1.', 'ip-literal'],
  ['wss://8.8.8.8', 'ip-literal'],
  ['wss://169.254.169.254/latest/meta-data', 'ip-literal'],
  ['wss://[::1]', 'ip-literal'],
  ['wss://[::ffff:127.0.0.1]:7777', 'ip-literal'],
  ['wss://[2606:4700::1111]', 'ip-literal'],
  ['wss://localhost', 'local-name'],
  ['wss://localhost:7777', 'local-name'],
  ['wss://localhost.', 'local-name'],
  ['wss://postgres:5432', 'local-name'],
  ['wss://metadata.google.internal', 'local-name'],
  ['wss://nas.local', 'local-name'],
  ['wss://abcdefghij.onion', 'local-name'],
]

test.each(REFUSED)('%j is refused: %s', (url, reason) => {
  const check = checkRelayUrl(url, { allow: [] })
  expect(check.ok ? check.url : check.reason).toBe(reason)
})

const ACCEPTED: [string, string][] = [
  ['wss://relay.one.tld', 'wss://relay.one.tld'],
  ['wss://relay.one.tld/', 'wss://relay.one.tld'],
  [' wss://relay.one.tld ', 'wss://relay.one.tld'],
  ['WSS://Relay.One.TLD', 'wss://relay.one.tld'],
  ['wss://relay.one.tld:443', 'wss://relay.one.tld'],
  ['wss://relay.one.tld:7443/', 'wss://relay.one.tld:7443'],
  ['wss://relay.one.tld.:7443/', 'wss://relay.one.tld:7443'],
  ['wss://relay.one.tld/inbox/', 'wss://relay.one.tld/inbox'],
  ['wss://relay.one.tld/Inbox?for=me#x', 'wss://relay.one.tld/Inbox?for=me'],
  ['wss://bücher.tld', 'wss://xn--bcher-kva.tld'],
]

test.each(ACCEPTED)('%j becomes %s', (url, spelled) => {
  expect(checkRelayUrl(url, { allow: [] })).toEqual({ ok: true, url: spelled })
})

test('relays of the operator are exempt, in any spelling, and nothing beside them', () => {
  const allow = ['ws://127.0.0.1:7777/', 'ws://relay:8080']
  expect(checkRelayUrl('ws://127.0.0.1:7777', { allow })).toEqual({
    ok: true,
    url: 'ws://127.0.0.1:7777',
  })
  expect(checkRelayUrl('WS://Relay:8080/', { allow }).ok).toBe(true)
  for (const near of ['ws://127.0.0.1:7778', 'ws://127.0.0.1:7777/admin', 'wss://127.0.0.1:7777']) {
    expect(checkRelayUrl(near, { allow }).ok).toBe(false)
  }
})

test('a list keeps its order, names each relay once and ends at its bound', () => {
  const list = ['wss://b.tld/', 'ws://10.0.0.1', 'wss://B.tld', 'wss://a.tld', 'wss://c.tld']
  expect(usableRelayUrls(list, { allow: [], max: 2 })).toEqual(['wss://b.tld', 'wss://a.tld'])
})

test('a spelling for logs carries no password', () => {
  expect(normaliseRelayUrl('wss://me:secret@relay.one.tld/')).toBe('wss://relay.one.tld')
  expect(normaliseRelayUrl('http://relay.one.tld')).toBeUndefined()
})
