import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRelay } from '../../src/sandbox/relay.ts'
import { type DaemonLab, daemonLab } from '../support/daemon-lab.ts'
import type { DaemonProcess } from '../support/daemon-process.ts'
import type { Heard } from '../support/strangers/mailbox.ts'
import { moreRelays } from '../support/strangers/more-relays.ts'
import { ndkStranger } from '../support/strangers/ndk.ts'
import { nostrToolsStranger } from '../support/strangers/nostr-tools.ts'
import { startLooseRelay, startNostrRelay } from '../support/strangers/relays.ts'
import { rustNostrStranger } from '../support/strangers/rust-nostr.ts'
import type { Stranger, StrangerKind } from '../support/strangers/stranger.ts'

/*
 * Clients and relays that are not ours against one spawned daemon: nobody here knows more of tithe than its
 * key. The daemon reads all the relays, each stranger knows one of them.
 */

const relayKinds: Record<string, () => Promise<{ url: string } & AsyncDisposable>> = {
  'our sandbox relay': () => startRelay(),
  'our sandbox relay with AUTH': () => startRelay({ requireAuth: true, authToWrite: true }),
  '@nostr-relay/core': () => startNostrRelay(),
  '@nostr-relay/core with AUTH': () => startNostrRelay({ auth: true }),
  'the npm package relays': () => startLooseRelay(),
  ...moreRelays(),
}

const kinds = [nostrToolsStranger, ndkStranger, rustNostrStranger]
const relayNames = Object.keys(relayKinds)
const pairs = relayNames.flatMap((relay) => kinds.map((kind) => ({ relay, kind, name: kind.name })))

const stack = new AsyncDisposableStack()
const urls = new Map<string, string>()
let lab: DaemonLab
let daemon: DaemonProcess

beforeAll(async () => {
  lab = stack.use(await daemonLab())
  for (const [name, start] of Object.entries(relayKinds)) {
    urls.set(name, stack.use(await start()).url)
  }
  daemon = await lab.start({ RELAYS: [...urls.values()].join(',') })
})

afterAll(() => stack.disposeAsync())

const stranger = (kind: StrangerKind, relay: string): Promise<Stranger> =>
  kind.create({ bot: daemon.pubkey, relay: urls.get(relay) ?? '' })

const bolt11In = (heard: Heard): string => /\bln[a-z0-9]{100,}\b/.exec(textOf(heard))?.[0] ?? ''
const textOf = (heard: Heard): string => heard.text

/** A job by DM, from the request to its result. */
async function converse(one: Stranger, via: 'nip17' | 'nip04', text: string): Promise<void> {
  const hears = (what: string, pattern: RegExp) =>
    one.hear(`${what} by ${via}`, (heard) => heard.via === via && pattern.test(heard.text))
  await one.say(via, text)
  const invoice = await hears('the invoice', /\bln[a-z0-9]{100,}\b/)
  expect(invoice.text).toContain('21 sats')
  await lab.pay(bolt11In(invoice))
  expect((await hears('the result', new RegExp(text))).text).toContain(text)
}

/** A job by NIP-90, from the request to its result. */
async function vend(one: Stranger, encrypted: false | 'nip04' | 'nip44'): Promise<void> {
  const text = `count to ${encrypted || 'three'}`
  const about = await one.request(text, encrypted)
  const hears = async (status: string) => {
    const heard = await one.hear(
      `${status} of ${encrypted || 'clear'}`,
      (heard) => heard.via === 'nip90' && heard.about === about && heard.status === status,
    )
    return heard as Extract<Heard, { via: 'nip90' }>
  }
  const due = await hears('payment-required')
  expect(due.amountMsat).toBe(21_000)
  await lab.pay(due.bolt11)
  await hears('processing')
  const result = await hears('result')
  expect(result).toMatchObject({ text, amountMsat: 21_000 })
}

test.each(pairs)('on $relay, $name is served by every door', async ({ relay, kind }) => {
  await using one = await stranger(kind, relay)
  await one.begin()
  await one.announce()
  await Promise.all([
    converse(one, 'nip17', `hello from ${kind.name}`),
    converse(one, 'nip04', `bonjour from ${kind.name}`),
    ...kind.schemes.map((scheme) => vend(one, scheme)),
  ])
})

test('a stranger that names no relays is answered where it wrote', async () => {
  await using one = await stranger(ndkStranger, '@nostr-relay/core')
  await one.begin()
  await converse(one, 'nip17', 'nobody knows where I read')
})
