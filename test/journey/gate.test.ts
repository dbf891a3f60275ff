import { expect, test } from 'vitest'
import type { Accepted } from '../../src/journey/accept.ts'
import type { PricedRequest } from '../../src/journey/request.ts'
import { createTwinWindow } from '../../src/journey/twin-window.ts'
import { TWIN_SECONDS } from '../../src/limits.ts'
import { setBan, setGrantedTier } from '../../src/store/customers.ts'
import { inTransaction, type Sql } from '../../src/store/database.ts'
import { post } from '../../src/store/ledger.ts'
import { readPool } from '../../src/store/pool.ts'
import { freshDatabase } from '../support/database.ts'
import { journeyOn, priced, someKey, stepsOn } from '../support/journey.ts'
import { until } from '../support/until.ts'

const keys = { granted: someKey(), banned: someKey(), prepaid: someKey(), unknown: someKey() }

async function furnish(sql: Sql): Promise<void> {
  await setGrantedTier(sql, keys.granted, 'trusted', 'granted')
  await setBan(sql, keys.banned, { reason: 'spam' })
  await setGrantedTier(sql, keys.prepaid, 'established', 'granted')
  await inTransaction(sql, async (tx) => {
    const { day } = await readPool(tx)
    const credit = `customer:${keys.prepaid}`
    await post(tx, [{ kind: 'top_up', debit: 'lightning', credit, sats: 100, ref: 'test', day }])
  })
}

/** The same request by another door: another message with the same text. */
function byOtherDoor(request: PricedRequest): PricedRequest {
  const copy = priced({ customer: request.to.customer, requestHash: request.requestHash })
  copy.to.via = 'nip04'
  copy.message.via = 'nip04'
  return copy
}

/** Every kind of answer, several of them because of an earlier request of the list. */
function everyKind(): PricedRequest[] {
  const first = priced({ customer: keys.granted, estimatedSats: 120 })
  return [
    first,
    byOtherDoor(first),
    first,
    priced({ customer: keys.granted, estimatedSats: 100 }),
    priced({ customer: keys.granted, estimatedSats: 100 }),
    priced({ customer: keys.banned }),
    priced({ customer: keys.prepaid, estimatedSats: 90 }),
    priced({ customer: keys.prepaid, estimatedSats: 70 }),
    priced({ customer: keys.unknown }),
    priced({ customer: keys.unknown }),
  ]
}

const summary = (accepted: Accepted) => {
  const { outcome } = accepted
  if (outcome === 'refused') return { outcome, replies: accepted.replies.map((r) => r.reply) }
  if (outcome !== 'job') return { outcome }
  const { serve, paidFrom, chargeSats, promisedSats, reservedSats, paidSats } = accepted.job
  const said = accepted.replies.map(({ step }) => step)
  return { outcome, serve, paidFrom, chargeSats, promisedSats, reservedSats, paidSats, said }
}

// Facts that one request of a batch forgets to lower are given to the next one again.
test('a batch is answered as if its requests had come one by one', async () => {
  await using together = await freshDatabase()
  await using apart = await freshDatabase()
  const requests = everyKind()
  const batch = await journeyOn(together.sql)
  await furnish(together.sql)
  const atOnce = await Promise.all(requests.map((request) => batch.accept.add(request)))
  const alone = await journeyOn(apart.sql)
  await furnish(apart.sql)
  const oneByOne: Accepted[] = []
  for (const request of requests) oneByOne.push(await alone.accept.add(request))
  expect(atOnce.map(summary)).toEqual(oneByOne.map(summary))
  expect(atOnce.map((accepted) => summary(accepted).serve ?? accepted.outcome)).toEqual([
    ...['free', 'twin', 'replayed', 'partial', 'gate', 'refused', 'partial'],
    ...['gate', 'gate', 'gate'],
  ])
  await batch.expectClean()
  await alone.expectClean()
})

// What is handed to the deliver lane is not read again, so it must be what a reader would see.
test('the replies of a batch stand in the outbox as they were handed on', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  await furnish(db.sql)
  const requests = everyKind()
  const accepted = await Promise.all(requests.map((request) => journey.accept.add(request)))
  const handed = accepted.flatMap((one) => ('replies' in one ? one.replies : []))
  const stored = await db.sql`
    select id, customer, via, form, program_id, job_id, step, rumor_at, rumor_id, reply,
      floor(extract(epoch from created_at))::bigint as created_at, lease, epoch, tries,
      due_at between now() + interval '25 seconds' and now() + interval '30 seconds' as is_leased
    from outbox order by id`
  expect(handed.length).toBeGreaterThan(1)
  expect(stored).toEqual(
    handed
      .toSorted((a, b) => a.id - b.id)
      .map(({ givenUp, delivered, isBehind, ...row }) => ({
        ...row,
        lease: 'test',
        isLeased: !givenUp && !delivered && !isBehind,
      })),
  )
})

test('what another replica takes in meanwhile is replayed, and its batch stands', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const [raced, beside] = [priced(), priced()]
  const { rumorAt, rumorId, sender } = raced.message
  let commit = () => {}
  const meanwhile = db.sql.begin('write', async (tx) => {
    await tx`
      insert into inbox (rumor_at, rumor_id, sender, via)
      values (${rumorAt}, ${rumorId}, ${sender}, 'nip17')`
    await new Promise<void>((resolve) => {
      commit = resolve
    })
  })
  const both = Promise.all([journey.accept.add(raced), journey.accept.add(beside)])
  await until('the batch waits for the other', async () => {
    const [waiting] = await db.sql`
      select 1 from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    return waiting
  })
  commit()
  await meanwhile
  expect((await both).map(({ outcome }) => outcome)).toEqual(['replayed', 'job'])
  await journey.expectClean()
})

test('a text is a job of its own again when its first is older than minutes', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const first = priced()
  const job = await journey.job(first)
  expect(await journey.accept.add(byOtherDoor(first))).toEqual({ outcome: 'twin', jobId: job.id })
  await db.sql`
    update jobs set created_at = now() - make_interval(secs => ${TWIN_SECONDS})
    where id = ${job.id}`
  expect(await journey.accept.add(byOtherDoor(first))).toMatchObject({ outcome: 'job' })
})

test('a process that starts finds the twin of a job that another one made', async () => {
  await using db = await freshDatabase()
  const journey = await journeyOn(db.sql)
  const old = await journey.job(priced())
  await db.sql`
    update jobs set created_at = now() - interval '1 day' where id = ${old.id}`
  const first = priced()
  const job = await journey.job(first)
  const replica = stepsOn(db.sql)
  expect(await replica.accept.add(byOtherDoor(first))).toEqual({ outcome: 'twin', jobId: job.id })
})

test('a key that has come by two doors has its twins found by either, in one batch or in several', async () => {
  const doorsOf = async (db: { sql: Sql }, customer: string) => {
    const rows = await db.sql`select door from customers where pubkey = ${customer}`
    return rows.map(({ door }) => door)
  }
  for (const atOnce of [true, false]) {
    await using db = await freshDatabase()
    const journey = await journeyOn(db.sql)
    const customer = someKey()
    const first = priced({ customer })
    await journey.accept.add(first)
    expect(await doorsOf(db, customer)).toEqual(['nip17'])
    const second = byOtherDoor(priced({ customer }))
    const copy = { ...priced({ customer }), requestHash: second.requestHash }
    const adding = [second, byOtherDoor(first), copy].map(
      (request) => () => journey.accept.add(request),
    )
    const answers: Accepted[] = []
    if (atOnce) answers.push(...(await Promise.all(adding.map((add) => add()))))
    else for (const add of adding) answers.push(await add())
    expect(answers.map(({ outcome }) => outcome)).toEqual(['job', 'twin', 'twin'])
    expect(await doorsOf(db, customer)).toEqual(['several'])
  }
})

test('the window for twins follows the ids of minutes ago, never ahead of them', async () => {
  await using db = await freshDatabase()
  const window = createTwinWindow()
  expect(window.above()).toBeUndefined()
  expect(await inTransaction(db.sql, (tx) => window.open(tx))).toBe(0)
  const startedAt = 1_795_000_000
  const idAt = (second: number) => 1_000 + second * 10
  for (let second = 0; second < 3 * TWIN_SECONDS; second += 7) {
    window.note(startedAt + second, idAt(second))
    const above = window.above() ?? Number.NaN
    expect(above).toBeLessThanOrEqual(Math.max(0, idAt(second - TWIN_SECONDS)))
    if (second > 2 * TWIN_SECONDS) expect(above).toBeGreaterThan(idAt(second - 2 * TWIN_SECONDS))
  }
})
