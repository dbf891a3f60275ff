import { setConfig } from '../../src/store/pool.ts'
import { checkWorld, readUnfinished } from './checks.ts'
import { createCustomers, type Customer, type Customers } from './customers.ts'
import type { SharedSession } from './database.ts'
import { type MessagePlan, type Mishap, type Plan, planOf } from './plan.ts'
import type { Heard } from './relays.ts'
import type { Replica } from './replica.ts'
import { CANARY } from './watched-log.ts'
import { createWorld, introduce, type World } from './world.ts'

/** What one seed came to. */
export interface Outcome {
  seed: string
  /** SHA-256 of everything that happened. */
  hash: string
  faults: string[]
  lines: readonly string[]
  counts: Counts
}

export interface Counts {
  messages: number
  jobs: number
  paid: number
  done: number
  failed: number
  payouts: number
  crashes: number
  /** Crashes among them, and whatever else befell the bot. */
  mishaps: number
  replies: number
  statements: number
  virtualMs: number
}

/** The world must have come to rest within this time after everything is well again. */
const REST_MS = 30 * 60_000

/** Runs one world from its seed: trouble, then peace, then every check. */
export async function runUniverse(session: SharedSession, seed: string): Promise<Outcome> {
  const plan = planOf(seed)
  const world = await createWorld({ ...plan, session })
  const customers = createCustomers(world)
  const fate = live(world, plan)
  try {
    for (const { tier, banned } of plan.customers) {
      const { pubkey } = customers.add()
      await introduce(world, pubkey, { ...(tier ? { tier } : {}), banned })
    }
    for (let left = plan.replicas; left > 0; left -= 1) fate.begin()
    for (const message of plan.messages) write(world, plan, customers, message)
    for (const mishap of plan.mishaps) fate.befall(mishap)
    await world.time.run(plan.chaosMs)
    world.heal()
    fate.heal()
    world.feed.again(plan.resubscribes ? 'everything' : 'missing')
    await comeToRest(world, customers)
    world.faults.push(...(await checkWorld(world, customers.messages)))
  } catch (error) {
    world.faults.push(`it broke: ${error instanceof Error ? error.stack : String(error)}`)
  } finally {
    world.end()
  }
  return outcomeOf(world, plan, customers, fate.crashes())
}

/** Waits in steps that grow, since each look is a statement. */
async function comeToRest(world: World, { messages }: Customers): Promise<void> {
  const untilMs = world.time.now() + REST_MS
  for (let stepMs = 1_000; ; stepMs = Math.min(stepMs * 1.5, 30_000)) {
    await world.time.run(stepMs)
    const open = await readUnfinished(world, messages)
    if (open.length === 0) return
    if (world.time.now() < untilMs) continue
    world.faults.push(`after ${REST_MS / 60_000} minutes of peace there are ${open.join(', ')}`)
    return
  }
}

/** Replicas that come and go. */
function live(world: World, plan: Plan) {
  let started = 0
  let crashes = 0
  let healed = false
  const restarts = new Map<Replica, number>()

  world.onDeath((replica) => {
    crashes += 1
    world.time.after(healed ? 0 : (restarts.get(replica) ?? 0), undefined, () => {
      // When all is well somebody is there, and need not be replaced.
      if (!healed || world.alive().length === 0) begin()
    })
  })

  return { begin, befall, heal, crashes: () => crashes }

  function begin(): void {
    const skewMs = healed ? 0 : plan.skewsMs[started % plan.skewsMs.length]
    world.start({ skewMs: skewMs ?? 0 })
    started += 1
  }

  function befall(mishap: Mishap): void {
    world.time.after(mishap.atMs, undefined, () => {
      if (healed) return
      if (mishap.kind === 'pause-pool') return pausePool(mishap.paused)
      if (mishap.kind === 'clock') return world.session.stepClock(mishap.ms)
      const [replica] = world.alive()
      if (!replica) return
      restarts.set(replica, mishap.restartMs)
      strike(replica, mishap)
      if (mishap.kind.startsWith('suspend') && world.alive().length === 1) begin()
    })
  }

  /** The operator's own command, over a connection of its own. */
  function pausePool(paused: boolean): void {
    world.time.atRest(() => setConfig(world.session.sql, 'pool_paused', paused))
  }

  /** Nothing more befalls anybody, and somebody is there. */
  function heal(): void {
    healed = true
    for (const replica of world.alive()) replica.calmDown()
    if (world.alive().length === 0) begin()
  }
}

type Blow = Exclude<Mishap, { kind: 'pause-pool' | 'clock' }>

function strike(replica: Replica, mishap: Blow): void {
  if (mishap.kind === 'crash') replica.die('of nothing')
  else if (mishap.kind === 'crash-at') replica.crashAt(mishap.failpoint, mishap.count)
  else if (mishap.kind === 'statement') replica.fuse(mishap.count, mishap.fate)
  else if (mishap.kind === 'suspend') replica.suspend(mishap.ms)
  else if (mishap.kind === 'suspend-at') replica.suspendAt(mishap.failpoint, mishap.ms)
  else replica.stop(mishap.graceMs)
}

/** A customer writes, and does what it does with the invoice that answers. */
function write(world: World, plan: Plan, customers: Customers, message: MessagePlan): void {
  const customer = customers.all[message.customer]
  if (!customer) return
  world.time.after(message.atMs, undefined, () => {
    const id = say(world, customer, message)
    if (message.kind === 'twin') customer.writes(`${CANARY} twin`, { via: 'nip04' })
    let answered = false
    world.onHeard(({ rumorId, reply }) => {
      if (rumorId !== id || reply.type !== 'invoice' || answered) return
      answered = true
      settleInvoice(world, plan, customer, message, reply)
    })
  })
}

function settleInvoice(
  world: World,
  plan: Plan,
  customer: Customer,
  { payment }: MessagePlan,
  { bolt11, jobId }: Heard['reply'],
): void {
  const pay = (ms: number) =>
    world.time.after(ms, undefined, () => {
      if (typeof bolt11 === 'string') world.incoming.pay(bolt11)
    })
  const ttlMs = (plan.settings.invoiceTtlSeconds ?? 60) * 1000
  switch (payment.kind) {
    case 'paid':
      return void pay(payment.afterMs)
    case 'late':
      return void pay(ttlMs + payment.afterMs)
    case 'never':
      return
    case 'cancelled':
      if (typeof jobId === 'string') customer.writes(`/cancel ${jobId}`)
      return void pay(payment.afterMs / 4)
  }
}

function say(world: World, customer: Customer, message: MessagePlan): string {
  const { kind, size, via, model } = message
  switch (kind) {
    case 'job':
      return customer.asksFor(size, { via, ...(model ? { model } : {}) })
    case 'twin':
      return customer.writes(`${CANARY} twin`, { via: 'nip17' })
    case 'old':
      return customer.writes(`${CANARY} of last week`, { ageSeconds: 8 * 86_400 })
    case 'withdraw':
      return customer.writes(`/withdraw ${world.outgoing.outside(size).bolt11}`)
    case 'withdraw-own': {
      const own = customer.last('invoice')?.reply.bolt11
      return customer.writes(`/withdraw ${typeof own === 'string' ? own : 'nothing'}`)
    }
    case 'topup':
    case 'donate':
      return customer.writes(JSON.stringify({ type: kind, sats: size }))
    case 'cancel':
      return customer.writes(`/cancel ${(size % 5) + 1}`)
    case 'estimate':
      return customer.writes(JSON.stringify({ type: kind, request: CANARY.padEnd(size, 'y') }))
    case 'junk':
      return customer.writes('{"type":"job"}')
    default:
      return customer.writes(`/${kind}`)
  }
}

async function outcomeOf(
  world: World,
  plan: Plan,
  { messages }: Customers,
  crashes: number,
): Promise<Outcome> {
  const [row] = await world.session.sql<Pick<Counts, 'jobs' | 'paid' | 'done' | 'failed'>[]>`
    select count(*) as jobs, count(*) filter (where paid_from = 'invoice') as paid,
      count(*) filter (where state = 'done') as done,
      count(*) filter (where state = 'failed') as failed from jobs`
  return {
    seed: plan.seed,
    hash: world.trace.hash(),
    faults: world.faults,
    lines: world.trace.lines(),
    counts: {
      ...(row ?? { jobs: 0, paid: 0, done: 0, failed: 0 }),
      messages: messages.length,
      payouts: world.outgoing.total().count,
      crashes,
      mishaps: plan.mishaps.length,
      statements: world.replicas.reduce((sum, { statements }) => sum + statements, 0),
      replies: world.relays.stored().length,
      virtualMs: world.time.now() - plan.startMs,
    },
  }
}
