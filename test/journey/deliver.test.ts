import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { createDeliver } from '../../src/journey/deliver.ts'
import { createEnvelope, type Envelope } from '../../src/journey/envelope.ts'
import { LeaseLost } from '../../src/journey/lane.ts'
import { type SignedReply, storeSigned } from '../../src/journey/signed.ts'
import { silentLog } from '../../src/log.ts'
import { parseEvent } from '../../src/nostr/event.ts'
import { openGiftWrap } from '../../src/nostr/giftwrap.ts'
import { committedPow } from '../../src/nostr/pow.ts'
import type { PublishOutcome } from '../../src/nostr/relay.ts'
import type { RelayList } from '../../src/nostr/relay-lists.ts'
import { inTransaction } from '../../src/store/database.ts'
import { outboxLane } from '../../src/store/lanes.ts'
import { type OutboxRow, putReplies, readEvents } from '../../src/store/outbox.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { priced } from '../support/journey.ts'
import { newIdentity } from '../support/relay-lab.ts'

let db: TestDatabase

beforeAll(async () => {
  db = await freshDatabase()
})

afterAll(() => db[Symbol.asyncDispose]())

const lease = { holder: 'test', seconds: 30 }
const relays = ['ws://one', 'ws://two']

async function reply(customer?: string): Promise<OutboxRow> {
  const { to } = priced(customer === undefined ? {} : { customer })
  const row = { to, jobId: null, step: 'help', reply: { type: 'help' } }
  const [put] = await putReplies(db.sql, [row], lease)
  if (!put) throw new Error('no reply was put')
  return put
}

/**
 * A replica that signs anew whenever it signs, and relays that answer as told. What it published is
 * remembered as `part at relay`, and the bytes of each part.
 */
function replica(answer: (part: string, relay: string) => PublishOutcome['outcome'], parts = 1) {
  const published: string[] = []
  const bytes = new Set<string>()
  let signed = 0
  const deliver = createDeliver({
    ...{ sql: db.sql, clock: systemClock, log: silentLog },
    async sign(): Promise<SignedReply> {
      signed += 1
      const events = Array.from({ length: parts }, (_, part) => {
        const nonce = Math.random()
        return { id: `${part} ${nonce}`, json: JSON.stringify({ part, nonce }) }
      })
      return { events, relays }
    },
    async publish({ id, json }, urls) {
      const part = id.split(' ')[0] ?? ''
      bytes.add(json)
      published.push(...urls.map((relay) => `${part} at ${relay}`))
      return new Map(urls.map((relay) => [relay, { outcome: answer(part, relay) }]))
    },
    wake: () => undefined,
    delivered: () => undefined,
  })
  return { deliver, published, bytes, signed: () => signed }
}

/** The row as it is claimed the next time, whenever it is due. */
async function claimAgain(id: number): Promise<OutboxRow | undefined> {
  await db.sql`update outbox set due_at = now() where id = ${id} and due_at is not null`
  const { rows } = await outboxLane.claim(db.sql, 10, 'test', 30)
  return rows.find((row) => row.id === id)
}

const isDelivered = async (id: number) => {
  const [row] = await db.sql<{ delivered: boolean; over: boolean }[]>`
    select delivered_at is not null as delivered, due_at is null as over from outbox where id = ${id}`
  return row
}

test('a reply is stored before it is published, and every try publishes the same bytes', async () => {
  const first = await reply()
  const one = replica(() => 'unreachable')
  await one.deliver(first)
  const again = await claimAgain(first.id)
  if (!again) throw new Error('it is not due again')
  // By another replica, which would sign something else.
  const other = replica(() => 'acknowledged')
  await other.deliver(again)
  expect(other.signed()).toBe(0)
  expect([...other.bytes]).toEqual([...one.bytes])
  expect(await isDelivered(first.id)).toEqual({ delivered: true, over: true })
})

test('a reply that was stored with what it tells is signed once, whoever publishes it', async () => {
  const { sign } = signing({ state: 'found', urls: relays })
  const put = () =>
    inTransaction(db.sql, async (tx) => {
      const row = { to: priced({ customer: customer.pubkey }).to, jobId: null, step: 'help' }
      const rows = await putReplies(tx, [{ ...row, reply: { type: 'help' } }], lease)
      return storeSigned(tx, rows, sign)
    })
  const [row] = await put()
  if (!row?.stored) throw new Error('it was not stored')
  const one = replica(() => 'unreachable')
  await one.deliver(row)
  const again = await claimAgain(row.id)
  if (!again) throw new Error('it is not due again')
  const other = replica(() => 'acknowledged')
  await other.deliver(again)
  expect([one.signed(), other.signed()]).toEqual([0, 0])
  expect([...other.bytes]).toEqual([...one.bytes])
  expect([...other.bytes]).toEqual([row.stored.events[0]?.eventJson])
  expect(await isDelivered(row.id)).toEqual({ delivered: true, over: true })
})

/** A relay that takes what carries so many bits of work; the others take nothing. */
function wantsWork(bits: number, sign: Envelope['sign']) {
  const seen: { id: string; work: number }[] = []
  const deliver = createDeliver({
    ...{ sql: db.sql, clock: systemClock, log: silentLog, sign },
    async publish({ json }, urls) {
      const event = parseEvent(JSON.parse(json))
      if (!event) throw new Error('no event')
      const work = committedPow(event)
      seen.push({ id: event.id, work })
      const message = `pow: difficulty ${work} is less than ${bits}`
      const refused: PublishOutcome = { outcome: 'refused', prefix: 'pow', message }
      return new Map(urls.map((url) => [url, work < bits ? refused : { outcome: 'acknowledged' }]))
    },
    wake: () => undefined,
    delivered: () => undefined,
  })
  return { deliver, seen }
}

test.each(['nip17', 'nip04'] as const)(
  'by %s a relay that wants proof of work gets the same message again, with it',
  async (via) => {
    const { sign } = signing({ state: 'found', urls: ['ws://inbox'] })
    const row = { ...(await reply(customer.pubkey)), via }
    const { deliver, seen } = wantsWork(9, sign)
    await deliver(row)
    const again = await claimAgain(row.id)
    if (!again) throw new Error('it is not due again')
    await deliver({ ...again, via })
    expect(seen.map(({ work }) => work >= 9)).toEqual([false, true])
    expect(await isDelivered(row.id)).toEqual({ delivered: true, over: true })
    const stored = await readEvents(db.sql, row.id)
    expect(stored.events.map(({ eventId }) => eventId)).toEqual([seen[1]?.id])
  },
)

test('work that nobody does is not asked for twice', async () => {
  const { sign } = signing({ state: 'found', urls: ['ws://inbox'] })
  const row = await reply(customer.pubkey)
  const { deliver, seen } = wantsWork(200, sign)
  await deliver(row)
  expect(seen).toHaveLength(1)
  expect(await isDelivered(row.id)).toEqual({ delivered: false, over: true })
})

test('a replica that lost the reply to another does not change what that one publishes', async () => {
  const { sign } = signing({ state: 'found', urls: ['ws://inbox'] })
  const row = await reply(customer.pubkey)
  const { deliver, seen } = wantsWork(9, sign)
  await deliver(row)
  const again = await claimAgain(row.id)
  if (!again) throw new Error('it is not due again')
  await claimAgain(row.id)
  await expect(deliver(again)).rejects.toThrow(LeaseLost)
  const stored = await readEvents(db.sql, row.id)
  expect(stored.events.map(({ eventId }) => eventId)).toEqual([seen[0]?.id])
})

test('only what is known is signed at once', async () => {
  const row = await reply(customer.pubkey)
  const listed = signing({ state: 'found', urls: ['ws://inbox'] })
  expect((await listed.signAtOnce(row))?.relays).toEqual(['ws://inbox'])
  // The relay it came by is in the database, and a job request too.
  expect(await signing({ state: 'absent', urls: [] }).signAtOnce(row)).toBeUndefined()
  expect(await signing({ state: 'failed', urls: [] }).signAtOnce(row)).toBeUndefined()
  expect(await listed.signAtOnce({ ...row, via: 'nip90' })).toBeUndefined()
})

test('a reply in two parts has arrived when both have', async () => {
  const row = await reply()
  const half = replica((part) => (part === '0' ? 'acknowledged' : 'timeout'), 2)
  await half.deliver(row)
  expect(await isDelivered(row.id)).toEqual({ delivered: false, over: false })
  const again = await claimAgain(row.id)
  if (!again) throw new Error('it is not due again')
  const rest = replica(() => 'acknowledged', 2)
  await rest.deliver(again)
  // What one relay has is not sent to it again.
  expect(rest.published).toEqual(['1 at ws://one', '1 at ws://two'])
  expect(await isDelivered(row.id)).toEqual({ delivered: true, over: true })
})

test('a relay that refused for the moment, or said nothing, has not taken a reply', async () => {
  const row = await reply()
  const refusing = replica((_, relay) => (relay === 'ws://one' ? 'refused' : 'timeout'))
  await refusing.deliver(row)
  expect(await isDelivered(row.id)).toEqual({ delivered: false, over: false })
})

const [bot, customer] = [newIdentity(), newIdentity()]

/** Wraps replies for a customer whose list of DM relays is this. */
const signing = (dm: RelayList, isConnected = true) =>
  createEnvelope({
    isConnected: () => isConnected,
    ...{ sql: db.sql, identity: bot, clock: systemClock, fallback: 'nip65+inbound' as const },
    lookup: async () => ({ dm, read: { state: 'absent', urls: [] } }),
    known: () => (dm.state === 'failed' ? undefined : { dm, read: { state: 'absent', urls: [] } }),
    checkRelay: (url) => url,
    frameBytes: () => 65_536,
    ownRelays: ['ws://own'],
  })

function rumorIdOf(json = ''): string {
  const wrap = parseEvent(JSON.parse(json))
  const opened = wrap && openGiftWrap({ wrap, identity: customer, nowSeconds: wrap.created_at })
  if (!opened?.ok) throw new Error('the customer cannot read it')
  return opened.rumor.id
}

test('a reply that is wrapped twice, by whichever claim, is one message to its customer', async () => {
  const row = await reply(customer.pubkey)
  const { sign } = signing({ state: 'found', urls: ['ws://inbox'] })
  const [once, twice] = [await sign(row), await sign({ ...row, tries: row.tries + 1 })]
  expect(once.events[0]?.id).not.toBe(twice.events[0]?.id)
  expect(rumorIdOf(once.events[0]?.json)).toBe(rumorIdOf(twice.events[0]?.json))
})

test('a reply goes where its customer reads; a list that was not found out is asked for again', async () => {
  const row = await reply(customer.pubkey)
  const found = await signing({ state: 'found', urls: ['ws://inbox'] }).sign(row)
  expect(found.relays).toEqual(['ws://inbox'])
  const { sign: failed } = signing({ state: 'failed', urls: [] })
  await expect(failed(row)).rejects.toThrow('could not be looked up')
  expect((await failed({ ...row, tries: 3 })).relays).toEqual(['ws://own'])
})

// A machine that starts before its network has replies to sign and nobody to ask.
test('without a relay to ask a reply waits for one, and does not go elsewhere', async () => {
  const row = { ...(await reply(customer.pubkey)), tries: 9 }
  const alone = signing({ state: 'failed', urls: [] }, false)
  await expect(alone.sign(row)).rejects.toThrow('could not be looked up')
  const known = signing({ state: 'found', urls: ['ws://inbox'] }, false)
  expect((await known.sign(row)).relays).toEqual(['ws://inbox'])
})
