import { storedReply } from '../../../../src/journey/signed.ts'
import { expect, test } from 'vitest'
import { npub } from '../../../../src/nostr/identity.ts'
import { job } from '../../../../src/operator/commands/job.ts'
import { jobs } from '../../../../src/operator/commands/jobs.ts'
import { inTransaction, type Sql } from '../../../../src/store/database.ts'
import { settlePublications, storeEvents } from '../../../../src/store/outbox.ts'
import { commandOn } from '../../../support/command.ts'
import { freshDatabase } from '../../../support/database.ts'
import { journeyOn, priced } from '../../../support/journey.ts'
import { newIdentity } from '../../../support/relay-lab.ts'

const customer = newIdentity().pubkey

async function listed(url: string, options: Parameters<typeof jobs>[1]) {
  const context = commandOn(url)
  expect(await jobs(context, { ...options, json: true })).toBe(0)
  return JSON.parse(context.terminal.printed[0] ?? '')
}

test('the latest jobs come first, narrowed by state, customer and number', async () => {
  await using db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  const done = await lab.finish(await lab.paid(priced({ customer })), 30)
  const waiting = await lab.job(priced({ customer }))
  const other = await lab.job(priced({ customer: await lab.granted('elite') }))
  const ids = async (options: Parameters<typeof jobs>[1]) =>
    (await listed(db.url, options)).map((row: { id: number }) => row.id)
  expect(await ids({})).toEqual([other.id, waiting.id, done.id])
  expect(await ids({ limit: '1' })).toEqual([other.id])
  expect(await ids({ state: 'open' })).toEqual([other.id, waiting.id])
  expect(await ids({ state: 'done' })).toEqual([done.id])
  expect(await ids({ customer: npub(customer) })).toEqual([waiting.id, done.id])
  expect(await ids({ customer, state: 'working' })).toEqual([])
})

test('a list is a table that fits a hundred columns', async () => {
  await using db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  await lab.finish(await lab.paid(priced({ customer })), 30)
  const context = commandOn(db.url)
  await jobs(context, {})
  const [head = '', line = ''] = context.terminal.printed
  expect(head).toMatch(/^job +asked \(UTC\) +state +customer +via +serve +quote +paid +pool$/)
  expect(line).toMatch(
    /^ +1 {2}[-0-9]{10} [:0-9]{8} {2}done +npub1\w+…\w{4} {2}nip17 {2}gate +40 +30 +0$/,
  )
  expect(line.length).toBeLessThanOrEqual(100)
})

test('a list of nothing says so, and a state that does not exist is a wrong call', async () => {
  await using db = await freshDatabase()
  const context = commandOn(db.url)
  expect(await jobs(context, {})).toBe(0)
  expect(context.terminal.printed).toEqual(['No job is like that.'])
  await expect(jobs(context, { state: 'paid' })).rejects.toMatchObject({ status: 2 })
  await expect(jobs(context, { limit: '0' })).rejects.toMatchObject({ status: 2 })
  await expect(jobs(context, { customer: 'npub1x' })).rejects.toMatchObject({ status: 2 })
})

/** Publishes every reply of the job to two relays: one takes it, one refuses. */
async function deliver(sql: Sql, jobId: number): Promise<void> {
  const rows = await sql<{ id: number; epoch: number }[]>`
    select id, epoch from outbox where job_id = ${jobId} order by id`
  await inTransaction(sql, async (tx) => {
    for (const { id, epoch } of rows) {
      const events = [{ id: `event-${id}`, json: '{}' }]
      const relays = ['wss://one.example/secret', 'wss://two.example']
      await storeEvents(tx, [{ outboxId: id, ...storedReply({ events, relays }) }])
      const result = { outboxId: id, part: 0 }
      const [took = '', refused = ''] = relays
      await settlePublications(
        tx,
        [
          { ...result, relay: took, acknowledged: true, refused: false, error: null },
          { ...result, relay: refused, acknowledged: false, refused: true, error: 'blocked: no' },
        ],
        [{ id, epoch, delivered: true, againSeconds: null, error: null }],
      )
    }
  })
}

test('a job tells its whole story in order: states, sats, replies and relays', async () => {
  await using db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  const paid = await lab.paid(
    priced({ customer, estimatedSats: 40, request: 'a private question' }),
  )
  await lab.finish(paid, 30)
  await deliver(db.sql, paid.id)
  const context = commandOn(db.url)
  expect(await job(context, { id: String(paid.id) })).toBe(0)
  const { printed } = context.terminal
  const gap = printed.indexOf('')
  expect(printed.slice(0, gap)).toEqual([
    `job       ${paid.id}, done`,
    `customer  ${npub(customer)}`,
    'request   by nip17, 18 characters in, 4 characters out',
    'model     echo, at 100000 USD per bitcoin',
    'decision  gate, tier new (earned)',
    'quote     40 sats, of it 40 sats by the customer',
    'outcome   cost 30 sats, paid 40, back 10, pool 0, shortfall 0',
  ])
  const story = printed.slice(gap + 1)
  expect(story.every((line) => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2}/.test(line))).toBe(true)
  expect(
    story.map((line) =>
      line
        .slice(25)
        .replace(/ until .*/, '')
        .replace(/:\w+…/, ''),
    ),
  ).toEqual([
    'accepted: gate for tier new',
    'awaiting_payment',
    'invoice of 40 sats',
    'working, the invoice is paid',
    'invoice paid, fee 0 sats',
    'payment: 40 from lightning to job:1',
    'reply working in the outbox',
    'done',
    'earned: 30 from job:1 to operator',
    'refund: 10 from job:1 to customer',
    'credit: 3 from operator to pool',
    'reply end in the outbox',
    'acknowledged: working at one.example',
    'refused: working at two.example: blocked: no',
    'reply working delivered',
    'acknowledged: end at one.example',
    'refused: end at two.example: blocked: no',
    'reply end delivered',
  ])
  // What was asked and answered is the customer's, and a relay's path may be a token.
  expect(printed.join('\n')).not.toMatch(/private question|secret/)
})

test('the story is in order of time, and every moment but the present has one', async () => {
  await using db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  const row = await lab.paid(priced({ customer }))
  await db.sql`update jobs set last_error = 'the backend said no' where id = ${row.id}`
  const context = commandOn(db.url)
  await job(context, { id: String(row.id), json: true })
  const { story, job: view } = JSON.parse(context.terminal.printed[0] ?? '')
  expect(view).toMatchObject({ id: row.id, state: 'working', npub: npub(customer) })
  const times = story.flatMap(({ at }: { at: number | null }) => at ?? [])
  expect(times).toEqual(times.toSorted((a: number, b: number) => a - b))
  const now = story.filter(({ at }: { at: number | null }) => at === null)
  expect(now.map(({ what }: { what: string }) => what)).toEqual([
    expect.stringMatching(/^held by test, try 1, due \d{4}-/),
    'last failure: the backend said no',
    expect.stringMatching(/^reply working not delivered yet after 1 tries$/),
  ])
})

test('a free job was never waiting for a payment', async () => {
  await using db = await freshDatabase()
  const lab = await journeyOn(db.sql)
  const row = await lab.job(priced({ customer: await lab.granted('trusted') }))
  const context = commandOn(db.url)
  await job(context, { id: String(row.id) })
  const text = context.terminal.printed.join('\n')
  expect(text).toContain('working, paid from the pool')
  expect(text).toContain('reserve: 40 from pool to job:1')
  expect(text).not.toContain('awaiting_payment')
})

test('a job that does not exist is status 1, what is no number is a wrong call', async () => {
  await using db = await freshDatabase()
  const context = commandOn(db.url)
  await expect(job(context, { id: '7' })).rejects.toMatchObject({ status: 1 })
  await expect(job(context, { id: '-7' })).rejects.toMatchObject({ status: 2 })
})
