import { randomBytes } from 'node:crypto'
import { silentLog } from '../../src/log.ts'
import { type DatabaseTarget, openDatabase } from '../../src/store/database.ts'
import { checkWorld, readUnfinished } from './checks.ts'
import { createCustomers, type Customer } from './customers.ts'
import { openSession, prepareSimulated, type SharedSession } from './database.ts'
import { createWorld, introduce, type World, type WorldOptions } from './world.ts'

/** A database of its own with simulated time; disposing drops it. */
export async function freshSession(
  target: DatabaseTarget,
): Promise<{ session: SharedSession } & AsyncDisposable> {
  const name = `tithe_sim_${randomBytes(6).toString('hex')}`
  const admin = openDatabase({
    ...target,
    ...{ max: 1, applicationName: 'tithe simulator', log: silentLog },
  })
  await admin`create database ${admin(name)}`
  await prepareSimulated({ ...target, database: name })
  const session = await openSession({ ...target, database: name })
  return {
    session,
    async [Symbol.asyncDispose]() {
      await session.close()
      await admin`drop database if exists ${admin(name)} with (force)`
      await admin.end()
    },
  }
}

const MINUTE_MS = 60_000
/** Nothing that a scenario waits for takes longer. */
const PATIENCE_MS = 30 * MINUTE_MS

/** A world for one scripted story. */
export interface Stage extends Disposable {
  world: World
  /** Somebody who writes to the bot, known to its operator or not. */
  customer(known?: Parameters<typeof introduce>[2]): Promise<Customer>
  /** So many new ones. */
  customers(count: number): Customer[]
  /** Lets time pass; none when there is only something to be looked at. */
  later(ms: number): Promise<void>
  /** Lets time pass until `condition` holds, or fails. */
  until(what: string, condition: () => boolean): Promise<void>
  /** Waits for the `count`-th reply of a type. */
  hears(customer: Customer, type: string, count?: number): Promise<Record<string, unknown>>
  /** Buys balance. */
  topUp(customer: Customer, sats: number): Promise<void>
  balance(customer: Customer): Promise<number>
  /** The bot's own view of its jobs, oldest first. */
  jobs(): Promise<{ state: string; reason: string | null; paidSats: number; tries: number }[]>
  /** Waits until nothing is left to do, and answers everything that is wrong then. */
  faults(): Promise<string[]>
}

export async function openStage(options: WorldOptions): Promise<Stage> {
  const world = await createWorld({ strict: true, ...options })
  const customers = createCustomers(world)
  const { sql } = world.session

  const stage: Stage = {
    world,
    async customer(known) {
      const customer = customers.add()
      await world.time.run(0)
      if (known) await introduce(world, customer.pubkey, known)
      return customer
    },
    customers: (count) => Array.from({ length: count }, () => customers.add()),
    later: (ms) => world.time.run(ms),
    async until(what, condition) {
      await world.time.run(PATIENCE_MS, condition)
      if (!condition()) throw new Error(`${what}: not within ${PATIENCE_MS / MINUTE_MS} minutes`)
    },
    async hears(customer, type, count = 1) {
      const heard = () => customer.heard.filter(({ reply }) => reply.type === type)
      await stage.until(`${type} number ${count}`, () => heard().length >= count)
      return heard()[count - 1]?.reply ?? {}
    },
    async topUp(customer, sats) {
      const count = customer.heard.filter(({ reply }) => reply.type === 'balance').length
      customer.writes(`/topup ${sats}`)
      await stage.until('an invoice', () => customer.last('invoice')?.reply.chargeSats === sats)
      customer.pays()
      await stage.hears(customer, 'balance', count + 1)
    },
    async balance({ pubkey }) {
      await world.time.run(0)
      const [row] = await sql<{ sats: number }[]>`
        select balance_sats as sats from customers where pubkey = ${pubkey}`
      return row?.sats ?? 0
    },
    async jobs() {
      await world.time.run(0)
      const rows = await sql<Awaited<ReturnType<Stage['jobs']>>>`
        select state, reason, paid_sats, tries from jobs order by id`
      return [...rows]
    },
    async faults() {
      const untilMs = world.time.now() + PATIENCE_MS
      for (let open = ['?']; open.length > 0; ) {
        await world.time.run(1_000)
        open = await readUnfinished(world, customers.messages)
        if (open.length > 0 && world.time.now() > untilMs) return open
      }
      return [...world.faults, ...(await checkWorld(world, customers.messages))]
    },
    [Symbol.dispose]: () => world.end(),
  }
  return stage
}
