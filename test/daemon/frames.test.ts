import { expect, test } from 'vitest'
import { startRelay } from '../../src/sandbox/relay.ts'
import { daemonLab } from '../support/daemon-lab.ts'
import type { Heard } from '../support/strangers/mailbox.ts'
import { rawStranger } from '../support/strangers/nostr-tools.ts'

/** `seq 1 9000`: every line of it must arrive, in order. */
const LINES = Array.from({ length: 9_000 }, (_, place) => String(place + 1))
const FRAME_BYTES = 16_384

const numbersIn = (text: string): string[] => text.match(/^\d+$/gm) ?? []

/** The parts of a result, once all of them are there, in the order of their numbers. */
async function partsOf(next: () => Promise<Heard>): Promise<string[]> {
  const parts = new Map<number, string>()
  for (let total = 1; parts.size < total; ) {
    const { text } = await next()
    const [, part, of] = /^\D*(\d+)\D+(\d+)\D/.exec(text.split('\n')[0] ?? '') ?? []
    parts.set(Number(part), text.slice(text.indexOf('\n') + 1))
    total = Number(of)
  }
  return [...parts].sort(([a], [b]) => a - b).map(([, text]) => text)
}

test('a long result comes in numbered parts that the relays of its customer take', async () => {
  await using small = await startRelay({ frameBytes: FRAME_BYTES })
  await using lab = await daemonLab()
  const daemon = await lab.start({
    RELAYS: `${lab.relay.url},${small.url}`,
    BACKEND: 'command',
    COMMAND: '["seq","1","9000"]',
  })
  await using one = await rawStranger({ bot: daemon.pubkey, relay: small.url })
  await one.begin()
  await one.announce()
  for (const via of ['nip17', 'nip04'] as const) {
    await one.say(via, `count by ${via}`)
    const fits = (heard: Heard) => heard.via === via
    const invoice = await one.hear('the invoice', fits)
    await lab.pay(/\bln[a-z0-9]{100,}\b/.exec(invoice.text)?.[0])
    await one.hear('at work', fits)
    const parts = await partsOf(() => one.hear('a part', fits))
    expect(parts.length).toBeGreaterThan(3)
    expect(numbersIn(parts.join('\n'))).toEqual(LINES)
  }
  for (const event of small.events()) {
    expect(JSON.stringify(['EVENT', event]).length).toBeLessThanOrEqual(FRAME_BYTES)
  }
})
