import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/clock.ts'
import { armFailpoints } from '../../src/failpoint.ts'
import { createDeliver } from '../../src/journey/deliver.ts'
import { storedReply } from '../../src/journey/signed.ts'
import { silentLog } from '../../src/log.ts'
import type { PublishOutcome } from '../../src/nostr/relay.ts'
import { inTransaction } from '../../src/store/database.ts'
import { outboxLane } from '../../src/store/lanes.ts'
import {
  type OutboxRow,
  putReplies,
  readEvents,
  replaceEvents,
  storeEvents,
} from '../../src/store/outbox.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { priced } from '../support/journey.ts'
import { until } from '../support/until.ts'

let db: TestDatabase

beforeAll(async () => {
  db = await freshDatabase()
})

afterEach(() => armFailpoints(undefined))
afterAll(() => db[Symbol.asyncDispose]())

const lease = { holder: 'test', seconds: 30 }

async function reply(jobId: number | null = null, step = 'help'): Promise<OutboxRow> {
  const row = { to: priced().to, jobId, step, reply: { type: 'help' } }
  const [put] = await putReplies(db.sql, [row], lease)
  if (!put) throw new Error('no reply was put')
  return put
}

/** The row as it is claimed the next time, whenever it is due. */
async function claimAgain({ id }: OutboxRow): Promise<OutboxRow> {
  await db.sql`update outbox set due_at = now() where id = ${id} and due_at is not null`
  const { rows } = await outboxLane.claim(db.sql, 10, 'test', 30)
  const row = rows.find((one) => one.id === id)
  if (!row) throw new Error('it is not due again')
  return row
}

const down: PublishOutcome = { outcome: 'unreachable' }
const taken: PublishOutcome = { outcome: 'acknowledged' }
const wantsWork: PublishOutcome = { outcome: 'refused', prefix: 'pow', message: 'pow: 9 bits' }

/**
 * A replica whose events say whether they carry work, and relays `one` and `two` that answer as told. What each
 * relay got is remembered.
 */
function replica(
  answer: (relay: 'one' | 'two', worked: boolean) => PublishOutcome,
  clock: Clock = systemClock,
) {
  const got = { one: new Set<string>(), two: new Set<string>() }
  let signed = 0
  const deliver = createDeliver({
    ...{ sql: db.sql, clock, log: silentLog },
    async sign(_row, bits = 0) {
      signed += 1
      const json = JSON.stringify({ nonce: Math.random(), worked: bits > 0 })
      return { events: [{ id: `${signed}`, json }], relays: ['one', 'two'] }
    },
    async publish({ json }, urls) {
      const answers = (['one', 'two'] as const).flatMap((relay) => {
        if (!urls.includes(relay)) return []
        const said = answer(relay, json.includes('"worked":true'))
        if (said.outcome !== 'unreachable') got[relay].add(json)
        return [[relay, said] as const]
      })
      return new Map(answers)
    },
    wake: () => undefined,
    delivered: () => undefined,
  })
  return { deliver, got, signed: () => signed }
}

test('a relay that took a reply and went away may have it, and there is no other event of it', async () => {
  const row = await reply()
  let two: PublishOutcome = { outcome: 'timeout' }
  const { deliver, got } = replica((relay, worked) => {
    if (relay === 'one') return worked ? taken : wantsWork
    return two
  })
  await deliver(row)
  two = down
  await deliver(await claimAgain(row))
  two = taken
  await deliver(await claimAgain(row))
  expect([...got.two]).toHaveLength(1)
})

test('a reply that waits for its work is shown to nobody before, whatever becomes of the process', async () => {
  let nowMs = 0
  // Each look at the clock takes a second, so that work takes time.
  const clock = { ...systemClock, now: () => (nowMs += 1_000) }
  let two = down
  const { deliver, got } = replica((relay, worked) => {
    if (relay === 'one') return worked ? taken : wantsWork
    return two
  }, clock)
  const [row, other] = [await reply(), await reply()]
  await deliver(row)
  await deliver(other)
  // The other one has used up what there is for work.
  await deliver(await claimAgain(other))
  two = taken
  armFailpoints((name) => {
    if (name === 'deliver:published') throw new Error('the process is gone')
  })
  await deliver(await claimAgain(row)).catch(() => undefined)
  armFailpoints(undefined)
  nowMs += 600_000
  await deliver(await claimAgain(row))
  expect([...got.two]).toHaveLength(1)
  expect([...got.one].at(-1)).toContain('"worked":true')
})

test('a replica that loses a reply while its other event is stored is told so', async () => {
  const row = await reply()
  const signed = storedReply({ events: [{ id: 'a', json: '{}' }], relays: ['one'] })
  await inTransaction(db.sql, async (tx) => {
    tx.endWith(storeEvents(tx, [{ outboxId: row.id, ...signed }]))
  })
  const worked = [{ part: 0, eventId: 'b', eventJson: '{"worked":true}' }]
  const [held, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const holding = inTransaction(db.sql, async (tx) => {
    await tx`select 1 from outbox_events where outbox_id = ${row.id} for update`
    held.resolve()
    await over.promise
  })
  await held.promise
  // Its lease is over, and another replica looks for what is due.
  await db.sql`update outbox set due_at = now() where id = ${row.id}`
  const replacing = replaceEvents(db.sql, row, worked)
  await until('the other event waits to be stored', async () => {
    const rows = await db.sql`
      select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%outbox_events e%'`
    return rows.length > 0
  })
  const { rows } = await outboxLane.claim(db.sql, 10, 'other', 30)
  const claimed = rows.some(({ id }) => id === row.id)
  over.resolve()
  await holding
  expect([claimed, await replacing]).not.toEqual([true, true])
})

test('a reply that was given back before it was sent is signed no more', async () => {
  const row = await reply()
  const signed = storedReply({ events: [{ id: 'a', json: '{}' }], relays: ['one'] })
  await inTransaction(db.sql, async (tx) => {
    tx.endWith(storeEvents(tx, [{ outboxId: row.id, ...signed }]))
  })
  await outboxLane.release(db.sql, [row])
  const { deliver, got, signed: times } = replica(() => taken)
  await deliver(await claimAgain(row))
  expect(times()).toBe(0)
  expect([...got.one]).toEqual(['{}'])
})

test('of two replicas that store a reply at once the slower one publishes what the other stored', async () => {
  const row = await reply()
  const [faster, slower] = [replica(() => down), replica(() => taken)]
  const [stored, signing] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let count = 0
  armFailpoints((name) => {
    if (name !== 'deliver:signed') return
    count += 1
    if (count === 2) signing.resolve()
    return count === 1 ? signing.promise : stored.promise
  })
  await Promise.all([faster.deliver(row).finally(stored.resolve), slower.deliver(row)])
  const { events } = await readEvents(db.sql, row.id)
  expect([...slower.got.one]).toEqual(events.map(({ eventJson }) => eventJson))
})

test('by a clock that is an hour behind a reply waits no longer for the one before it', async () => {
  const clock = { ...systemClock, now: () => systemClock.now() - 3_600_000 }
  const [row] = await db.sql<{ id: number }[]>`select nextval('jobs_id_seq') as id`
  const jobId = row?.id ?? 0
  await reply(jobId, 'working')
  const result = await reply(jobId, 'end')
  await db.sql`update outbox set created_at = now() - interval '1 minute' where id = ${result.id}`
  const { deliver, got } = replica(() => taken, clock)
  await deliver(await claimAgain(result))
  expect(got.one.size).toBe(1)
})

test('replies that are claimed together are in the order in which they were put', async () => {
  const [job] = await db.sql<{ id: number }[]>`select nextval('jobs_id_seq') as id`
  const jobId = job?.id ?? 0
  const put = [
    await reply(jobId, 'invoice'),
    await reply(jobId, 'working'),
    await reply(jobId, 'end'),
  ]
  const ids = put.map(({ id }) => id)
  await db.sql`update outbox set due_at = now() where id = any(${ids}::bigint[])`
  // A row that was changed lies behind the others.
  await db.sql`update outbox set due_at = now() - interval '1 second' where id = ${ids[0] ?? 0}`
  const { rows } = await outboxLane.claim(db.sql, 10, 'test', 30)
  expect(rows.map(({ id }) => id).filter((id) => ids.includes(id))).toEqual(ids)
})
