import { afterAll, beforeAll, expect, test } from 'vitest'
import { setGrantedTier } from '../../src/store/customers.ts'
import type { NostrEvent } from '../../src/nostr/types.ts'
import { brokenBooks } from '../support/checkers.ts'
import { type DaemonLab, daemonLab, type LabCustomer } from '../support/daemon-lab.ts'
import type { DaemonProcess } from '../support/daemon-process.ts'
import { type Talk, talk } from '../support/relay-lab.ts'
import { until } from '../support/until.ts'

/*
 * Daemons with the same key on the same database: they share the load, one that dies is replaced within its
 * lease, and one that wakes up too late changes nothing. A job takes a second here, a lease two.
 */

let lab: DaemonLab
let daemons: DaemonProcess[] = []
let customer: LabCustomer
/** Hears every pool status, from before the first daemon on. */
let subscriber: Talk

const slow = {
  BACKEND: 'command',
  COMMAND: '["sh","-c","sleep 1; cat"]',
  WORK_SLOTS: '4',
  POOL_STATUS_INTERVAL_SECONDS: '60',
}
const LEASE_SECONDS = 2

interface AtWork {
  id: number
  lease: string | null
}

const atWork = () =>
  lab.db.sql<AtWork[]>`select id, lease from jobs where state = 'working' and lease is not null`

/** The process that holds a lease: holders are named after machine and process. */
const holderOf = ({ lease }: AtWork): DaemonProcess | undefined =>
  daemons.find(({ pid }) => lease?.includes(`:${pid}:`))

const ask = (count: number): Promise<string[]> =>
  Promise.all(
    Array.from({ length: count }, (_, at) => customer.ask({ type: 'job', request: `job ${at}` })),
  )

/** Each job ends in one result, after one word that it is at work, and nothing more comes. */
async function expectOneResultEach(ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const types = [await customer.reply(id), await customer.reply(id)].map(({ type }) => type)
    expect(types.sort()).toEqual(['result', 'working'])
  }
  const late = await Promise.all(ids.map((id) => customer.replies(id, 500)))
  expect(late.flat()).toEqual([])
  const [row] = await lab.db.sql<{ states: string[] }[]>`
    select array_agg(distinct state) as states from jobs where id > 0`
  expect(row?.states).toEqual(['done'])
  expect(await brokenBooks({ sql: lab.db.sql, play: lab.lnbits })).toEqual([])
}

/** Sequence and date of each pool status, in the order of their coming. */
const statuses = () =>
  subscriber.frames
    .filter(([type]) => type === 'EVENT')
    .map(([, , event]) => event as NostrEvent)
    .map(({ content, created_at }) => ({ seq: Number(JSON.parse(content).seq), at: created_at }))

beforeAll(async () => {
  lab = await daemonLab()
  subscriber = await talk(lab.relay.url)
  subscriber.say('REQ', 'status', { kinds: [30_078] })
  daemons = await Promise.all([lab.start(slow), lab.start(slow), lab.start(slow)])
  customer = await lab.customer()
  await setGrantedTier(lab.db.sql, customer.pubkey, 'elite', 'granted')
})

afterAll(async () => {
  await subscriber?.[Symbol.asyncDispose]()
  await lab?.[Symbol.asyncDispose]()
})

test('three replicas share the load, and the pool status is the word of one of them', async () => {
  // One of them takes all of these in; what it has no slot for is worked on by the others.
  const ids = await ask(15)
  const holders = new Set<DaemonProcess | undefined>()
  await until('each of the three has worked', async () => {
    for (const row of await atWork()) holders.add(holderOf(row))
    return holders.size === 3
  })
  await expectOneResultEach(ids)
  const told = await until('the change was told', () =>
    statuses().length > 1 ? statuses() : undefined,
  )
  // Three that published each for itself would have told the same more than once.
  expect(new Set(told.map(({ seq }) => seq)).size).toBe(told.length)
  expect(told).toEqual(told.toSorted((a, b) => a.at - b.at || a.seq - b.seq))
  const turns = await lab.db.sql`select holder from outbox_turns where name = 'pool-status'`
  expect(turns.length).toBe(1)
})

test('a killed replica is replaced within its lease, and each of its jobs is done once', async () => {
  const ids = await ask(6)
  const busy = await until('jobs are at work', async () => {
    const rows = await atWork()
    return rows.length === 6 ? rows : undefined
  })
  const [first] = busy
  const dying = first && holderOf(first)
  if (!dying) throw new Error('nobody holds a job')
  const theirs = busy.filter((row) => holderOf(row) === dying).map(({ id }) => id)
  const began = performance.now()
  await dying.kill('SIGKILL')
  await until('others have its jobs', async () => {
    const rows = await lab.db.sql<AtWork[]>`select id, lease from jobs where id = any(${theirs})`
    return rows.every((row) => row.lease === null || holderOf(row) !== dying)
  })
  const seconds = (performance.now() - began) / 1000
  // A second for a machine that is busy with more than this.
  expect(seconds).toBeLessThan(LEASE_SECONDS + 1)
  await expectOneResultEach(ids)
  daemons = daemons.filter((one) => one !== dying)
})

test('a replica that was stopped for longer than its lease wakes up and changes nothing', async () => {
  const ids = await ask(4)
  const busy = await until('jobs are at work', async () => {
    const rows = await atWork()
    return rows.length === 4 ? rows : undefined
  })
  const [first] = busy
  const sleeping = first && holderOf(first)
  if (!sleeping) throw new Error('nobody holds a job')
  sleeping.send('SIGSTOP')
  await until('others have done its jobs', async () => {
    const rows = await lab.db.sql`select from jobs where state <> 'done'`
    return rows.length === 0
  })
  const before = await lab.db.sql`select id, state, epoch, finished_at from jobs order by id`
  sleeping.send('SIGCONT')
  await expectOneResultEach(ids)
  expect(await lab.db.sql`select id, state, epoch, finished_at from jobs order by id`).toEqual(
    before,
  )
  // It is of use again.
  await Promise.all(daemons.filter((one) => one !== sleeping).map((one) => one.kill('SIGKILL')))
  daemons = [sleeping]
  await expectOneResultEach(await ask(1))
})

test('a state of a newer version is left alone', async () => {
  const { sql } = lab.db
  await sql`alter table jobs drop constraint jobs_state`
  await sql`
    update jobs set state = 'judged', finished_at = null, due_at = now(), lease = null, epoch = 7
    where id = (select max(id) from jobs)`
  await sql`select pg_notify('tithe_lane', 'jobs')`
  const [id] = await ask(1)
  expect(await customer.reply(id ?? '')).toMatchObject({ type: 'working' })
  expect(await customer.reply(id ?? '')).toMatchObject({ type: 'result' })
  const judged = await sql`select lease, epoch, finished_at from jobs where state = 'judged'`
  expect(judged).toEqual([{ lease: null, epoch: 7, finishedAt: null }])
})

test('a stop waits for work within its grace, and gives back what takes longer', async () => {
  await using other = await daemonLab()
  const patient = await other.start({ ...slow, STOP_GRACE_SECONDS: '10' })
  const asking = await other.customer()
  await setGrantedTier(other.db.sql, asking.pubkey, 'elite', 'granted')
  const isAtWork = () =>
    until('the job is at work', async () => {
      const rows = await other.db.sql`select from jobs where state = 'working'`
      return rows.length === 1
    })
  const first = await asking.ask({ type: 'job', request: 'in time' })
  await isAtWork()
  expect(await patient.kill('SIGTERM')).toBe(0)
  expect(await asking.reply(first)).toMatchObject({ type: 'working' })
  expect(await asking.reply(first)).toMatchObject({ type: 'result', result: 'in time' })
  const long = { ...slow, COMMAND: '["sh","-c","sleep 60; cat"]', STOP_GRACE_SECONDS: '1' }
  const impatient = await other.start(long)
  const second = await asking.ask({ type: 'job', request: 'too long' })
  expect(await asking.reply(second)).toMatchObject({ type: 'working' })
  expect(await impatient.kill('SIGTERM')).toBe(0)
  const rows = await other.db.sql`
    select lease, due_at <= now() as due, tries from jobs where state = 'working'`
  expect(rows).toEqual([{ lease: null, due: true, tries: 0 }])
  await other.start(slow)
  expect(await asking.reply(second)).toMatchObject({ type: 'result', result: 'too long' })
  expect(await brokenBooks({ sql: other.db.sql, play: other.lnbits })).toEqual([])
})
