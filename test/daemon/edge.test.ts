import { afterAll, beforeAll, expect, test } from 'vitest'
import { encryptNip04 } from '../../src/nostr/nip04.ts'
import { type DaemonLab, daemonLab } from '../support/daemon-lab.ts'
import type { DaemonProcess } from '../support/daemon-process.ts'
import { newIdentity, nowSeconds, signed, talk } from '../support/relay-lab.ts'
import type { Heard } from '../support/strangers/mailbox.ts'
import { type RawStranger, rawStranger } from '../support/strangers/nostr-tools.ts'
import { until } from '../support/until.ts'

/*
 * What customers may do at the doors beside asking for a job and paying it, through a spawned daemon. The
 * clients are nostr-tools over a bare socket, so that they can also say what no client would.
 */

const FULL_MSAT = 1_400_000

const stack = new AsyncDisposableStack()
let lab: DaemonLab
let daemon: DaemonProcess

beforeAll(async () => {
  lab = stack.use(await daemonLab())
  const tokens = { name: 'tokens', inputUsdPerMillion: 0, outputUsdPerMillion: 1000 }
  daemon = await lab.start({
    BTC_USD: '100000',
    MODELS: JSON.stringify([
      { name: 'echo', satsPerRequest: 21 },
      { ...tokens, maxOutputTokens: 1000 },
    ]),
  })
})

afterAll(() => stack.disposeAsync())

async function newStranger(): Promise<RawStranger> {
  const one = await rawStranger({ bot: daemon.pubkey, relay: lab.relay.url })
  await one.begin()
  await one.announce()
  return one
}

type Job = Extract<Heard, { via: 'nip90' }>

async function hearJob(one: RawStranger, about: string, status: string): Promise<Job> {
  const fits = (heard: Heard) =>
    heard.via === 'nip90' && heard.about === about && heard.status === status
  return (await one.hear(`${status} of ${about}`, fits)) as Job
}

const hearText = (one: RawStranger, pattern: RegExp) =>
  one.hear(String(pattern), (heard) => pattern.test(heard.text))

const toBot = () => [['p', daemon.pubkey]]

const BOLT11 = /\bln[a-z0-9]{100,}\b/

test('an output cap of the request lowers the price and never raises it', async () => {
  await using one = await newStranger()
  const ask = (cap: string) =>
    one.publish(5050, [
      ['p', daemon.pubkey],
      ['i', `up to ${cap}`, 'text'],
      ['param', 'model', 'tokens'],
      ['param', 'max_tokens', cap],
    ])
  const [less, more] = [await ask('100'), await ask('1000000')]
  expect(await hearJob(one, less, 'payment-required')).toMatchObject({ amountMsat: 140_000 })
  expect(await hearJob(one, more, 'payment-required')).toMatchObject({ amountMsat: FULL_MSAT })
})

test('a bid below the price is refused with the price, a bid at the price is not', async () => {
  await using one = await newStranger()
  const ask = (bid: string) =>
    one.publish(5050, [
      ['p', daemon.pubkey],
      ['i', `for ${bid}`, 'text'],
      ['bid', bid],
    ])
  const [low, fair] = [await ask('20999'), await ask('21000')]
  expect((await hearJob(one, low, 'error')).message).toContain('21 sats')
  await hearJob(one, fair, 'payment-required')
})

test('inputs that would have to be fetched are refused with a reason', async () => {
  await using one = await newStranger()
  const id = await one.publish(5050, [
    ['p', daemon.pubkey],
    ['i', 'https://example.com/', 'url'],
  ])
  expect((await hearJob(one, id, 'error')).message).toContain('only text')
})

test('a job request is taken back by its author and by nobody else', async () => {
  await using one = await newStranger()
  await using other = await newStranger()
  const id = await one.request('to be taken back', false)
  await hearJob(one, id, 'payment-required')
  await other.takeBack(id)
  // Not even named to the bot: its kind alone must be enough.
  await one.publish(5, [
    ['e', id],
    ['k', '5050'],
  ])
  expect((await hearJob(one, id, 'error')).message).toContain('cancelled')
  expect(other.unheard()).toEqual([])
  const jobs = await lab.db.sql`select reason from jobs where customer = ${one.pubkey}`
  expect(jobs).toEqual([{ reason: 'cancelled' }])
})

// A client without a network keeps what it wrote, and its date, until there is one.
test.each([4, 5050])(
  'a kind %i that was sent long after it was written is answered',
  async (kind) => {
    const one = newIdentity()
    await using line = await talk(lab.relay.url)
    const content = kind === 4 ? encryptNip04(one, daemon.pubkey, 'late') : ''
    const tags = kind === 4 ? toBot() : [...toBot(), ['i', 'late', 'text']]
    line.say('EVENT', signed(one, { kind, content, tags, created_at: nowSeconds() - 3_000 }))
    const reply = await until(
      'an invoice',
      async () => (await lab.db.sql`select step from outbox where customer = ${one.pubkey}`)[0],
      3_000,
    )
    expect(reply).toMatchObject({ step: 'invoice' })
  },
)

// A relay sends both in one breath, by two subscriptions: the second may be read before the first is a job.
test('a job request that is taken back in the same breath is no job that waits for payment', async () => {
  const one = newIdentity()
  await using line = await talk(lab.relay.url)
  const request = signed(one, { kind: 5050, tags: [...toBot(), ['i', 'at once', 'text']] })
  line.say('EVENT', request)
  line.say('EVENT', signed(one, { kind: 5, tags: [...toBot(), ['e', request.id]] }))
  const ends = await until(
    'the job is cancelled, or never made',
    async () => {
      const [seen] = await lab.db.sql<{ taken: boolean; left: boolean }[]>`
        select exists (select 1 from inbox where sender = ${one.pubkey}) as taken,
          exists (select 1 from jobs where customer = ${one.pubkey} and reason is distinct from 'cancelled')
            as left`
      return seen?.taken && !seen.left && 'cancelled'
    },
    3_000,
  )
  expect(ends).toBe('cancelled')
})

test('a wrapped deletion takes a DM back', async () => {
  await using one = await newStranger()
  const id = await one.whisper(14, [['p', daemon.pubkey]], 'never mind')
  await hearText(one, BOLT11)
  await one.whisper(
    5,
    [
      ['e', id],
      ['k', '14'],
    ],
    '',
  )
  expect((await hearText(one, /expired|cancelled/)).via).toBe('nip17')
})

test('a file is refused in words', async () => {
  await using one = await newStranger()
  await one.whisper(15, [['p', daemon.pubkey]], 'https://example.com/file')
  expect((await hearText(one, /cannot read files/)).via).toBe('nip17')
})

test('the same text by NIP-17 and NIP-04 is one job', async () => {
  await using one = await newStranger()
  await Promise.all([one.say('nip17', 'both ways'), one.say('nip04', 'both ways')])
  await hearText(one, BOLT11)
  await until('both messages are taken in', async () => {
    const rows = await lab.db.sql`select via from inbox where sender = ${one.pubkey}`
    return rows.length === 2
  })
  expect(await lab.db.sql`select id from jobs where customer = ${one.pubkey}`).toHaveLength(1)
  expect(await lab.db.sql`select id from outbox where customer = ${one.pubkey}`).toHaveLength(1)
})

test('who writes kind 4 is answered by kind 4 alone', async () => {
  await using one = await newStranger()
  await one.say('nip04', '/help')
  expect((await hearText(one, /balance/)).via).toBe('nip04')
  const wraps = lab.relay.events().filter(({ kind, tags }) => {
    return kind === 1059 && tags.some(([, value]) => value === one.pubkey)
  })
  expect(wraps).toEqual([])
})

test('what says of itself that it is a bot is not answered in words, and is in JSON', async () => {
  await using one = await newStranger()
  await one.publish(0, [], JSON.stringify({ name: 'parrot', bot: true }))
  await one.say('nip17', 'hello, fellow bot')
  await one.say('nip17', JSON.stringify({ type: 'balance', id: 'mine' }))
  await hearText(one, /"id":"mine"/)
  await until('the words were given up', async () => {
    const rows = await lab.db.sql`
      select due_at, delivered_at from outbox where customer = ${one.pubkey} and form = 'words'`
    return rows.every(({ dueAt, deliveredAt }) => dueAt === null && deliveredAt === null)
  })
  expect(one.unheard()).toEqual([])
})

test('relays hear what the bot is and what it takes', async () => {
  const own = lab.relay.events().filter((event) => event.pubkey === daemon.pubkey)
  const handler = own.find((event) => event.kind === 31_990)
  expect(handler?.tags).toContainEqual(['k', '5050'])
  expect(JSON.parse(own.find((event) => event.kind === 0)?.content ?? '{}')).toMatchObject({
    bot: true,
  })
})
