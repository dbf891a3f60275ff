import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRelay } from '../../src/sandbox/relay.ts'
import { setGrantedTier } from '../../src/store/customers.ts'
import { brokenBooks } from '../support/checkers.ts'
import { type DatabaseGate, databaseGate } from '../support/database-gate.ts'
import { type DaemonLab, daemonLab, type LabCustomer } from '../support/daemon-lab.ts'
import type { DaemonProcess } from '../support/daemon-process.ts'
import { until } from '../support/until.ts'

/*
 * One daemon, and the days on which something that it needs is gone: it says what, takes in nothing that it
 * cannot store, and goes on by itself when it is back.
 */

let lab: DaemonLab
let gate: DatabaseGate
let daemon: DaemonProcess
let customer: LabCustomer

const ready = async (url: string) => {
  const answer = await fetch(`${url}/readyz`)
  const said = await answer.text()
  return { status: answer.status, detail: String(JSON.parse(said).detail) }
}

const saysNotReady = (detail: string) =>
  until(`not ready: ${detail}`, async () => {
    const said = await ready(daemon.statusUrl)
    return said.status === 503 && said.detail.includes(detail)
  })

const saysReady = () =>
  until('ready again', async () => (await ready(daemon.statusUrl)).status === 200, 30_000)

const invariants = () => brokenBooks({ sql: lab.db.sql, play: lab.lnbits })

beforeAll(async () => {
  lab = await daemonLab()
  gate = await databaseGate({ target: lab.db.connection })
  daemon = await lab.start({
    DATABASE_URL: gate.url(lab.db.name),
    BACKEND: 'command',
    COMMAND: '["sh","-c","sleep 0.5; cat"]',
  })
  customer = await lab.customer()
})

afterAll(async () => {
  await gate?.[Symbol.asyncDispose]()
  await lab?.[Symbol.asyncDispose]()
})

test('with the database gone it keeps its relays, stores nothing, and answers once it is back', async () => {
  const { connections } = lab.relay.counters
  await gate.close()
  await saysNotReady('the database does not answer')
  const id = await customer.ask({ type: 'help' })
  expect(await customer.replies(id, 1_000)).toEqual([])
  await gate.open()
  expect(await customer.reply(id)).toMatchObject({ type: 'help' })
  expect(await customer.replies(id, 500)).toEqual([])
  await saysReady()
  expect(lab.relay.counters.connections).toBe(connections)
})

/** As a table answers on a disk that is full; disposing makes room. */
async function fullDisk(table: 'inbox' | 'transfers'): Promise<AsyncDisposable> {
  const { sql } = lab.db
  await sql`
    create or replace function disk_full() returns trigger language plpgsql as $$
    begin raise exception 'could not extend file' using errcode = '53100'; end $$`
  await sql`
    create trigger full_disk before insert on ${sql(table)} execute function disk_full()`
  return {
    [Symbol.asyncDispose]: async () => {
      await sql`drop trigger full_disk on ${sql(table)}`
    },
  }
}

test('with a full disk it takes in nothing, and answers once there is room', async () => {
  const disk = await fullDisk('inbox')
  const help = await customer.ask({ type: 'help' })
  const job = await customer.ask({ type: 'job', request: 'hello' })
  expect(await customer.replies(help, 700)).toEqual([])
  await disk[Symbol.asyncDispose]()
  expect(await customer.reply(help)).toMatchObject({ type: 'help' })
  expect(await customer.reply(job)).toMatchObject({ type: 'invoice' })
  expect(await customer.replies(help, 500)).toEqual([])
  expect(await invariants()).toEqual([])
})

test('a payment that comes while the disk is full is booked once there is room, once', async () => {
  const id = await customer.ask({ type: 'job', request: 'hello' })
  const { bolt11 } = await customer.reply(id)
  const disk = await fullDisk('transfers')
  await customer.pay(bolt11)
  expect(await customer.replies(id, 700)).toEqual([])
  await disk[Symbol.asyncDispose]()
  expect(await customer.reply(id)).toMatchObject({ type: 'working' })
  expect(await customer.reply(id)).toMatchObject({ type: 'result', result: 'hello' })
  expect(await invariants()).toEqual([])
})

test('with LNbits gone no invoice is made, and what is paid for is worked on and delivered', async () => {
  const paid = await customer.ask({ type: 'job', request: 'hello' })
  const { bolt11 } = await customer.reply(paid)
  await customer.pay(bolt11)
  expect(await customer.reply(paid)).toMatchObject({ type: 'working' })
  await lab.lnbits.outage()
  expect(await customer.reply(paid)).toMatchObject({ type: 'result', result: 'hello' })
  await setGrantedTier(lab.db.sql, customer.pubkey, 'elite', 'granted')
  const free = await customer.ask({ type: 'job', request: 'for free' })
  expect(await customer.reply(free)).toMatchObject({ type: 'working', paidFrom: 'pool' })
  expect(await customer.reply(free)).toMatchObject({ type: 'result', result: 'for free' })
  await setGrantedTier(lab.db.sql, customer.pubkey, 'new', 'granted')
  const unpaid = await customer.ask({ type: 'job', request: 'not yet' })
  expect(await customer.replies(unpaid, 700)).toEqual([])
  await lab.lnbits.recover()
  expect(await customer.reply(unpaid)).toMatchObject({ type: 'invoice' })
  expect(await invariants()).toEqual([])
})

test('with every relay gone the work goes on, and the result is delivered when one is back', async () => {
  const id = await customer.ask({ type: 'job', request: 'hello' })
  const { bolt11, jobId } = await customer.reply(id)
  const { port } = lab.relay
  await lab.relay.stop()
  await saysNotReady('no relay is connected')
  await customer.pay(bolt11)
  await until('the job is done', async () => {
    const [job] = await lab.db.sql<{ state: string }[]>`
      select state from jobs where id = ${Number(jobId)}`
    return job?.state === 'done'
  })
  await using _ = await startRelay({ port })
  // Which of its replies is tried again first is left to chance.
  const replies = [await customer.reply(id, 60_000), await customer.reply(id, 60_000)]
  expect(replies.map(({ type }) => type).sort()).toEqual(['result', 'working'])
  expect(await customer.replies(id, 500)).toEqual([])
  await saysReady()
  expect(await invariants()).toEqual([])
})

test('a schema that is newer than the program ends it with what to do', async () => {
  await using other = await daemonLab()
  await other.db.sql`
    insert into schema_migrations (version, name, sha256) values (99, '0099_more.sql', 'x')`
  const newer = other.begin()
  expect(await newer.gone).toBe(1)
  expect(newer.log()).toMatch(/schema version 99 .* Start the newer tithe .* nothing was changed/)
  expect(newer.log()).not.toMatch(/^ +at /m)
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

test('a database that is not there yet is named and waited for', async () => {
  await using other = await daemonLab()
  await using closed = await databaseGate({ target: other.db.connection, closed: true })
  const httpPort = String(await freePort())
  const url = closed.url(other.db.name).replace('@', ':hunter2@')
  const environment = { DATABASE_URL: url, HTTP_PORT: httpPort }
  const impatient = other.begin({ ...environment, HTTP_PORT: '0' })
  const starting = other.begin(environment)
  const statusUrl = `http://127.0.0.1:${httpPort}`
  const said = await until('it says what it waits for', async () => {
    const answer = await ready(statusUrl).catch(() => undefined)
    return answer?.detail.includes('DATABASE_URL') ? answer : undefined
  })
  expect(said.status).toBe(503)
  expect(said.detail).toMatch(
    /^DATABASE_URL: \S+:\*\*\*@127\.0\.0\.1:\d+\/tithe_\S+ cannot be used/,
  )
  expect((await fetch(`${statusUrl}/healthz`)).status).toBe(200)
  await until('the log says so too', () => starting.log().includes('nothing listens there'))
  expect(starting.log() + said.detail).not.toContain('hunter2')
  // Who does not want to wait can end it.
  await until('the other waits too', () => impatient.log().includes('nothing listens there'))
  expect(await impatient.kill('SIGTERM')).toBe(0)
  await closed.open()
  const up = await starting.up
  expect(await until('it is ready', async () => (await ready(up.statusUrl)).status)).toBe(200)
})
