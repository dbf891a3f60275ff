import { systemClock } from '../../../src/clock.ts'
import { type CallFault, lies, type PlayCall } from '../../../src/sandbox/lnbits-faults.ts'
import type { RelayFaults } from '../../../src/sandbox/relay-faults.ts'
import type { SandboxRelay } from '../../../src/sandbox/relay.ts'
import type { Seeded } from '../../support/seeded.ts'
import type { Fleet } from './fleet.ts'
import type { World } from './world.ts'

/** How often each thing was done, by name. */
export type Done = Map<string, number>

interface Chaos {
  world: World
  fleet: Fleet
  random: Seeded
  done: Done
}

/** What a relay does wrong for a moment; its weather, which is always there, is in `WEATHER`. */
const relayMoments: Partial<RelayFaults>[] = [
  { ok: 'refuse' },
  { ok: 'none' },
  { withhold: true },
  { halfOpen: true },
  { eose: 'never' },
  { eose: 'early' },
  { authStorm: 2 },
  { closed: 'error: not now' },
  { oversizedBytes: 300_000 },
  { dropShare: 0.9 },
]

const WEATHER: Partial<RelayFaults> = {
  ...{ duplicates: 1, reorderShare: 0.1, dropShare: 0.1, forgeFirst: true },
  ...{ wrongFilterShare: 0.05, invalidJsonShare: 0.02, delayMsMax: 5 },
}

/** What LNbits does wrong with the next call of a kind. */
const callFaults: [PlayCall, CallFault][] = [
  ['create', { kind: 'cut', after: true }],
  ['create', { kind: 'crash', after: true }],
  ['create', { kind: 'crash' }],
  ['create', { kind: 'rateLimited' }],
  ['create', { kind: 'html' }],
  ['create', { kind: 'hang', ms: 1_000 }],
  ['create', lies.doubledAmount],
  ['create', lies.otherHash],
  ['look', { kind: 'cut' }],
  ['look', { kind: 'hang', ms: 1_000 }],
  ['look', lies.unpaid],
  ['look', lies.unclear],
  ['look', lies.bare],
  ['look', lies.foreignWallet],
  ['list', { kind: 'crash' }],
  ['list', { kind: 'html', status: 200 }],
  ['list', { kind: 'hang', ms: 1_000 }],
  ['wallet', { kind: 'cut' }],
  ['pay', { kind: 'cut', after: true }],
  ['pay', { kind: 'crash', after: true }],
  ['pay', { kind: 'html', after: true }],
  ['pay', { kind: 'rateLimited' }],
]

/** Each answers false when there was nothing to do it to. */
const actions: [share: number, name: string, act: (chaos: Chaos) => unknown][] = [
  [12, 'stopped', ({ fleet, random }) => fleet.freeze(2_500 + random.int(3_000))],
  [20, 'commits cut', ({ world, random }) => world.gate.cutCommits(1 + random.int(3))],
  [3, 'Postgres stopped', ({ world }) => world.stopPostgres()],
  [3, 'LNbits out', ({ world, random }) => startOutage(world, 500 + random.int(1_500))],
  [8, 'relays dropped', ({ world, random }) => random.pick(world.relays).dropConnections()],
  [10, 'a relay in a mood', ({ world, random }) => void mood(random.pick(world.relays), random)],
  [
    25,
    'LNbits faults',
    ({ world, random }) => {
      const [call, fault] = random.pick(callFaults)
      world.play.faults.add(call, fault, { times: 1 + random.int(2) })
    },
  ],
  [3, 'LNbits silent', ({ world, random }) => void silence(world, 1_000 + random.int(2_000))],
  [60, 'killed', ({ fleet }) => fleet.kill()],
]

/** Does something bad at random moments until `isOver`. */
export async function rage(chaos: Chaos, isOver: () => boolean): Promise<void> {
  const { world, random, done } = chaos
  for (const relay of world.relays) Object.assign(relay.faults, WEATHER)
  const total = actions.reduce((sum, [share]) => sum + share, 0)
  while (!isOver()) {
    await systemClock.sleep(100 + random.int(500))
    let at = random.int(total)
    const [, name, act] = actions.find(([share]) => {
      at -= share
      return at < 0
    }) ?? [0, '', () => {}]
    if (act(chaos) !== false) done.set(name, (done.get(name) ?? 0) + 1)
  }
}

const out = new WeakSet<World>()

function startOutage(world: World, ms: number): boolean {
  if (out.has(world)) return false
  out.add(world)
  void outage(world, ms)
  return true
}

async function outage(world: World, ms: number): Promise<void> {
  await world.play.outage()
  await systemClock.sleep(ms)
  await world.play.recover()
  out.delete(world)
}

async function silence({ play }: World, ms: number): Promise<void> {
  play.faults.silent = true
  await systemClock.sleep(ms)
  play.faults.silent = false
}

async function mood(relay: SandboxRelay, random: Seeded): Promise<void> {
  Object.assign(relay.faults, random.pick(relayMoments))
  await systemClock.sleep(500 + random.int(2_000))
  calm(relay)
  Object.assign(relay.faults, WEATHER)
}

function calm(relay: SandboxRelay): void {
  Object.assign(relay.faults, {
    ...{ dropShare: 0, delayMsMax: 0, duplicates: 0, reorderShare: 0, forgeFirst: false },
    ...{ wrongFilterShare: 0, withhold: false, eose: 'real', authStorm: 0, closed: undefined },
    ...{ halfOpen: false, oversizedBytes: 0, invalidJsonShare: 0, ok: 'real' },
  } satisfies Partial<RelayFaults>)
}

/** Everything works again, and what was missed can be had. */
export async function heal({ relays, play }: World): Promise<void> {
  // Moods and outages under way end by themselves first.
  await systemClock.sleep(LONGEST_MS)
  play.faults.clear()
  play.faults.silent = false
  for (const relay of relays) {
    calm(relay)
    relay.dropConnections()
  }
}

const LONGEST_MS = 3_100
